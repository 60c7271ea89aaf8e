"""Is this destination the one that was adopted, and is an incoming folder ours? What the small files there say."""

from __future__ import annotations

import json

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import MARKER_NAME, OWNER_NAME, Identity, Owner
from exlab_sync_tui.tree.paths import INCOMING_FOLDER

MARKER_LIMIT = 64 << 10
OWNER_LIMIT = 4_096


def marker_text(identity: Identity) -> bytes:
    """What the marker file holds (``FORMATS.md`` §7)."""
    return json.dumps({"id": identity.id, "created_at": identity.created_at}).encode()


def identity_in(content: bytes | None, title: str) -> Identity | None:
    """What a marker says; nothing if there is none; ``WRONG_DESTINATION`` for one that cannot be read as a marker."""
    if content is None:
        return None
    try:
        told = json.loads(content)
        found, since = told["id"], told.get("created_at", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        found = since = None
    if not isinstance(found, str) or not found or not isinstance(since, str):
        raise TransportError(
            f"The marker {MARKER_NAME} on {title} cannot be read; restore it, or remove it and adopt the destination"
            " again.",
            TransportErrorKind.WRONG_DESTINATION,
        )
    return Identity(found, since)


def refuse_other(found: Identity | None, expected: str | None, title: str) -> None:
    """``WRONG_DESTINATION`` if there is no marker, or another one than *expected* (if one is)."""
    if found is None:
        raise TransportError(
            f"{title} has no {MARKER_NAME}: it is another place, or was never adopted. Put the right one there, or run"
            " `exlab-sync destination adopt`.",
            TransportErrorKind.WRONG_DESTINATION,
        )
    if expected is not None and found.id != expected:
        raise TransportError(
            f"{title} is another destination ({safe_text(found.id)}) than the one that was adopted"
            f" ({safe_text(expected)}); put the right one there.",
            TransportErrorKind.WRONG_DESTINATION,
        )


def owner_text(owner: Owner) -> bytes:
    """What an owner file holds."""
    return json.dumps({"store_id": owner.store_id, "job_id": owner.job_id}).encode()


def owner_in(content: bytes | None) -> Owner | None:
    """Whose an incoming folder is; nothing if its owner file is absent or says nothing."""
    try:
        told = json.loads(content or b"")
        return Owner(str(told["store_id"]), str(told["job_id"]))
    except (ValueError, KeyError, TypeError):
        return None


def foreign(title: str, incoming: str) -> TransportError:
    """The error of an incoming folder that is somebody else's."""
    return TransportError(
        f"{title}/{safe_text(incoming)} is where another store or job assembles; it was left alone.",
        TransportErrorKind.CONFLICT,
    )


def owner_path(incoming: str) -> str:
    """Where the owner file of an incoming folder lies."""
    return f"{incoming}/{OWNER_NAME}"


def incoming_above(incoming: str) -> str:
    """The ``.exlab-incoming`` folder in which *incoming* lies; refuses what does not lie directly in one."""
    above, _, token = incoming.rpartition("/")
    if above.rpartition("/")[2] != INCOMING_FOLDER or not token:
        raise TransportError(f"{safe_text(incoming)} is no folder in {INCOMING_FOLDER}; nothing was done there.")
    return above


def refuse_outside(folder: str) -> None:
    """Refuse to remove anything in a folder that is no assembly of ours."""
    if INCOMING_FOLDER not in folder.split("/"):
        raise TransportError(f"{safe_text(folder)} is no assembly of ours; nothing was removed there.")
