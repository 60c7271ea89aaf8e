"""What does rsync write when it means a file, and which folders can it be told at all?

Names go in NUL-separated (``--from0``). They come out one per line, with every control as ``\\#ooo`` (rsync(1),
``--8-bit-output``); a backslash that is followed by ``#`` and three digits comes out so as well, so nothing is lost.
"""

from __future__ import annotations

import os
import re

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text

_ESCAPED = re.compile(rb"\\#([0-7]{3})")
_LISTED = re.compile(rb"([-dlbcps])\S* +([\d,.']+) \d{4}/\d\d/\d\d \d\d:\d\d:\d\d (.*)", re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_NOT_DIGITS = re.compile(rb"\D")


def plain(written: bytes) -> str:
    """Our path of a name that rsync has written."""
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), written))


def listed(line: bytes) -> tuple[str, int, str] | None:
    """Kind (``-`` a file, ``d`` a folder), bytes and path of a line of ``--list-only``; nothing for any other line."""
    match = _LISTED.fullmatch(line)
    if match is None:
        return None
    return match[1].decode(), int(_NOT_DIGITS.sub(b"", match[2])), plain(match[3])


def given(rels: list[str]) -> bytes:
    """Paths as ``--files-from`` takes them; one that begins like a comment would be passed over."""
    return b"".join(os.fsencode(f"./{rel}" if rel.startswith(("#", ";")) else rel) + b"\0" for rel in rels)


def sayable(folder: str) -> str:
    """The folder as part of an argument, which a shell over there may read; ``NAMES`` for one with controls in it."""
    if _CONTROL.search(folder):
        raise TransportError(
            f"rsync cannot be told the folder {safe_text(folder)}, since its name has control characters in it; rename"
            " it.",
            TransportErrorKind.NAMES,
        )
    return folder
