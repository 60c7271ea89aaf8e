"""Which checksums belong to a run, in the format that ``sha256sum`` reads?"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exlab_sync_tui.model.entry import FileRecord

MANIFEST_NAME = "checksums.sha256"
LARGEST_MANIFEST = 1 << 30
"""Bytes; a line has about a hundred."""

_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{64})(?:  | \*)(.+)", re.DOTALL)
_ESCAPED = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_MEANT = {escape: plain for plain, escape in _ESCAPED.items()}
_TO_ESCAPE = re.compile(rb"[\\\n\r]")
_ESCAPE = re.compile(rb"\\(.?)", re.DOTALL)
_STDIN = b"-"
_NOT_STDIN = b"./-"
"""A file called ``-`` is written so, because ``sha256sum -c`` would read its standard input instead."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read: relative path (surrogate-escaped) to 64 lower-case hex digits.

    ``skipped`` has one sentence for each line that is none of this format, or contradicts an earlier one.
    """

    entries: dict[str, str]
    skipped: tuple[str, ...] = ()


def manifest_digest(manifest: bytes) -> str:
    """What names a manifest: its SHA-256 in hex. A large one takes a while, in which other threads go on."""
    return hashlib.sha256(manifest).hexdigest()


def manifest_lines(records: Iterable[FileRecord]) -> Iterator[bytes]:
    """One line per record (``FORMATS.md`` §3), for records in the order of path bytes: that of code points.

    Names that are not UTF-8 stand where their bytes put them. Raises ``ValueError`` for records out of order, named
    twice, or without a digest: such a manifest must not exist.
    """
    before = b""
    for record in records:
        name = record.rel.encode("utf-8", "surrogateescape")
        if name <= before:
            raise ValueError(f"{safe_text(record.rel)} is out of order in the manifest")
        if record.sha256 is None:
            raise ValueError(f"{safe_text(record.rel)} has no digest yet")
        before = name
        yield _line(name, record.sha256)


def render_manifest(records: Iterable[FileRecord]) -> bytes:
    """The whole manifest of *records* in any order; empty for no files. Raises ``ValueError`` as ``manifest_lines``."""
    ordered = sorted(records, key=lambda record: record.rel.encode("utf-8", "surrogateescape"))
    return b"".join(manifest_lines(ordered))


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest: LF or CRLF ends a line, two separators, digits of any case; other lines are skipped and told."""
    entries: dict[str, str] = {}
    skipped: list[str] = []
    for number, line in enumerate(_split(data), start=1):
        parsed = _parse(line)
        if parsed is None:
            shown = safe_text(line[:_SHOWN].decode("utf-8", "surrogateescape"))
            skipped.append(f"Line {number} is not a checksum and was skipped: {shown}")
            continue
        name, digest = parsed
        if entries.setdefault(name, digest) != digest:
            skipped.append(f"Line {number} gives another checksum for {safe_text(name)} and was skipped.")
    return Manifest(entries, tuple(skipped))


def _line(name: bytes, digest: bytes) -> bytes:
    if name == _STDIN:
        name = _NOT_STDIN
    escaped = _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], name)
    mark = b"" if escaped == name else b"\\"
    return b"%b%b  %b\n" % (mark, digest.hex().encode(), escaped)


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def _parse(line: bytes) -> tuple[str, str] | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    mark, digest, name = match.groups()
    if mark:
        if any(found not in _MEANT for found in (escape[0] for escape in _ESCAPE.finditer(name))):
            return None
        name = _ESCAPE.sub(lambda found: _MEANT[found[0]], name)
    if name == _NOT_STDIN:
        name = _STDIN
    return name.decode("utf-8", "surrogateescape"), digest.decode().lower()
