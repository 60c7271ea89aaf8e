"""How are local files read for an SFTP channel? In threads, each read hashed, compared with the record around it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.copier.source import Source
from exlab_sync_tui.transport.copier.wire import Side, Trouble
from exlab_sync_tui.tree.buffers import page_aligned
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.copier.wire import FilePart

PIECE = 2 << 20
"""Bytes that are read of a large file at once."""


class LargeSource:
    """One large file of the run while it is read, in whatever thread; each read is hashed."""

    def __init__(self, near: str, record: FileRecord) -> None:
        folder, _, name = record.rel.rpartition("/")
        self._sha = hashlib.sha256()
        self._view = page_aligned(PIECE)
        try:
            with Folder.root(near) as top:
                self._folder = top.below(folder)
        except OSError as error:
            raise Trouble(Side.NEAR, record.rel, error.errno or 0) from None
        try:
            self._source = Source(self._folder, name, as_part(record))
        except BaseException:
            self._folder.close()
            raise

    def next_piece(self, wanted: int) -> bytes:
        """The next bytes, at most so many and at least one."""
        count = self._source.read_into(self._view[:wanted])
        piece = bytes(self._view[:count])
        self._sha.update(piece)
        return piece

    def hash_beginning(self, length: int) -> bytes:
        """The digest of the first bytes; the next piece is the one behind them."""
        self._sha = self._source.hash_beginning(length, self._view)
        return self._sha.digest()

    def rewind(self) -> None:
        """Start again from the first byte."""
        self._source.rewind()
        self._sha = hashlib.sha256()

    def check_unchanged(self) -> None:
        """Raise ``Trouble`` if it is not the file of its record any more."""
        self._source.check_unchanged()

    def digest(self) -> bytes:
        """SHA-256 of everything that was read."""
        return self._sha.digest()

    def close(self) -> None:
        """Close it."""
        self._source.close()
        self._folder.close()


def as_part(record: FileRecord) -> FilePart:
    return record.rel, record.size, record.mtime_ns, record.inode


def read_small(near: str, batch: Sequence[FileRecord]) -> tuple[list[tuple[bytes, bytes]], Trouble | None]:
    """The content of small files and its digest, in order, until one cannot be read."""
    contents: list[tuple[bytes, bytes]] = []
    try:
        for record in batch:
            content = _content(near, record)
            contents.append((content, hashlib.sha256(content).digest()))
    except Trouble as trouble:
        return contents, trouble
    return contents, None


def _content(near: str, record: FileRecord) -> bytes:
    folder, _, name = record.rel.rpartition("/")
    try:
        with Folder.root(near) as top:
            below = top.below(folder)
    except OSError as error:
        raise Trouble(Side.NEAR, record.rel, error.errno or 0) from None
    with below, Source(below, name, as_part(record)) as source:
        content = bytearray(record.size)
        view, at = memoryview(content), 0
        while at < record.size:
            at += source.read_into(view[at:])
        source.check_unchanged()
        return bytes(content)
