"""What does rclone call a file that we know by its path?

rclone shows and takes every name in its standard encoding (rclone's documentation, "Overview", "Restricted filenames"):
controls become their pictures, what looks like a replacement gets a quote (U+201B) before it, and all else, undecodable
bytes too, stays. Each backend makes of that what its server can take, and shows it in the standard encoding
again, so names are compared here and nowhere else.
"""

from __future__ import annotations

import re

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text

_PICTURES = 0x2400
_DEL_PICTURE = 0x2421
_QUOTE = "\u201b"
_UNREADABLE = re.compile(f"[{_QUOTE}{chr(_PICTURES)}]")
_WIDE_SLASH, _WIDE_DOT = "\uff0f", "\uff0e"
_CONTROL = re.compile(r"[\x01-\x1f\x7f]")
_LOOKS_REPLACED = re.compile(f"[\u2401-\u241f{chr(_DEL_PICTURE)}{_WIDE_SLASH}]")
_LOOKS_REPLACED_ON_DISK = re.compile(_WIDE_SLASH)
_REPLACED = re.compile(f"{_QUOTE}(.)|([{chr(_PICTURES)}-\u241f{chr(_DEL_PICTURE)}{_WIDE_SLASH}])")
_ONLY_WIDE_DOTS = re.compile(f"{_WIDE_DOT}{{1,2}}")


def standard(rel: str) -> str:
    """The path in rclone's standard encoding. ``NAMES`` for one with a sign that rclone itself cannot read back."""
    if found := _UNREADABLE.search(rel):
        raise TransportError(
            f"rclone cannot take the name {safe_text(rel)}: the sign {found[0]} in it is one that rclone puts into"
            " names itself. Rename it.",
            TransportErrorKind.NAMES,
        )
    return "/".join(map(_segment, rel.split("/")))


def plain(path: str) -> str:
    """Our path of one that rclone has shown."""
    return "/".join(map(_plain_segment, path.split("/")))


def sayable(rel: str) -> str:
    """The path in the standard encoding for a command whose words are JSON; ``NAMES`` if they are not UTF-8."""
    told = standard(rel)
    try:
        told.encode()
    except UnicodeEncodeError:
        raise TransportError(
            f"rclone cannot be told the folder {safe_text(rel)}, whose name is not UTF-8; rename it.",
            TransportErrorKind.NAMES,
        ) from None
    return told


def on_local_disk(rel: str) -> str:
    """Where rclone's local backend puts the path, with the encoding that it has by itself (``Slash,Dot``)."""
    return "/".join(_quoted(segment, _LOOKS_REPLACED_ON_DISK) for segment in rel.split("/"))


def _segment(name: str) -> str:
    return _CONTROL.sub(_picture, _quoted(name, _LOOKS_REPLACED))


def _quoted(name: str, looks_replaced: re.Pattern[str]) -> str:
    if _ONLY_WIDE_DOTS.fullmatch(name):
        return _QUOTE + name[0] + (_QUOTE + name[1] if name[1:] else "")
    return looks_replaced.sub(lambda match: _QUOTE + match[0], name)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(_DEL_PICTURE if code == 0x7F else _PICTURES + code)  # noqa: PLR2004  # the control DEL


def _plain_segment(name: str) -> str:
    return _REPLACED.sub(_unquoted, name)


def _unquoted(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    code = ord(match[2])
    if match[2] == _WIDE_SLASH:
        return _WIDE_SLASH
    return "\x7f" if code == _DEL_PICTURE else chr(code - _PICTURES)
