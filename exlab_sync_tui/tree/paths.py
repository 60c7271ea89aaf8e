"""Where does a path lie on the far side, and is it a path we may use at all?"""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from exlab_sync_tui.errors import UnsafePathError
from exlab_sync_tui.text import safe_text

INCOMING_FOLDER = ".exlab-incoming"
"""Folder beside the final one in which runs are assembled (``FORMATS.md`` §7)."""

FIRST_REVISION = 1
TOKEN_LENGTH = 8


def to_bytes(path: str) -> bytes:
    """The exact bytes of a path as it is on disk (``os.fsencode``)."""
    return os.fsencode(path)


def to_text(path: bytes) -> str:
    """The path as text, undecodable bytes surrogate-escaped, so that ``to_bytes`` gives the same bytes back."""
    return os.fsdecode(path)


def checked_rel(rel: str) -> str:
    """*rel* itself, if it stays below the folder that it is joined to; else ``UnsafePathError``.

    Refused: absolute paths, empty ones, NUL, and the segments ``..``, ``.`` and empty.
    """
    if "\0" in rel or any(segment in ("", ".", "..") for segment in rel.split("/")):
        raise UnsafePathError(f"The path {safe_text(rel)!r} does not stay inside its folder; rename it.")
    return rel


def remote_path(remote_root: str, equipment_id: str, below: PurePosixPath) -> str:
    """Path of a run below the remote root: ``[<EQUIPMENT>/]<below>`` (``FORMATS.md`` §7, policy P6).

    The equipment is left out only if the last segment of *remote_root* is exactly it. Raises ``UnsafePathError``.
    """
    path = checked_rel(str(below))
    return path if PurePosixPath(remote_root).name == equipment_id else f"{checked_rel(equipment_id)}/{path}"


def revision_name(final: str, number: int) -> str:
    """``<run>`` for revision 1, ``<run>__r2`` for revision 2."""
    if number < FIRST_REVISION:
        raise ValueError(f"revisions are counted from {FIRST_REVISION}, not {number}")
    return final if number == FIRST_REVISION else f"{final}__r{number}"


def conflict_name(final: str, token: str) -> str:
    """``<run>__conflict-<8 chars>``: the name under which a run is published beside something that is not ours."""
    return f"{final}__conflict-{_checked_token(token)}"


def incoming_folder(final: str, token: str) -> str:
    """``<final parent>/.exlab-incoming/<8 chars>``: where a run is assembled."""
    parent, slash, _ = checked_rel(final).rpartition("/")
    return f"{parent}{slash}{INCOMING_FOLDER}/{_checked_token(token)}"


def _checked_token(token: str) -> str:
    if len(token) != TOKEN_LENGTH or not (token.isascii() and token.isalnum()):
        raise ValueError(f"a token has {TOKEN_LENGTH} letters and digits, not {safe_text(token)!r}")
    return token
