"""What are the digests of the local files of a batch, and are these still the files of the snapshot?

A tool reads a file by itself, so the digest cannot be taken from the very bytes that it sends. It is taken here while
the tool reads, and the file is compared with its record before, after, and again once the tool has ended. Whatever
slips through differs from the far digest, which is taken from the bytes that arrived: it is named, never verified.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.errors import StoppedError, TransportError
from exlab_sync_tui.transport.copier.source import Source
from exlab_sync_tui.transport.copier.wire import Side, Trouble
from exlab_sync_tui.transport.sentences import from_child
from exlab_sync_tui.tree.buffers import page_aligned
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord

_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashed:
    """Records with ``sha256``, in their order, up to the first one that could not be read; and why not."""

    records: list[FileRecord]
    trouble: TransportError | None = None


class Near:
    """Reads the files of one run, in one thread at a time; a context manager. ``stop`` ends a reading from outside."""

    def __init__(self, source: Path) -> None:
        self._path = str(source)
        self._stopped = threading.Event()
        self._turn = threading.Lock()
        try:
            self._root = Folder.root(source)
        except OSError as error:
            raise self._error(Trouble(Side.NEAR, ".", error.errno or 0)) from error
        self._parent, self._parent_rel = self._root.duplicate(), ""
        self._view = page_aligned(_BUFFER)

    def hashed(self, records: Sequence[FileRecord]) -> Hashed:
        """Read files and take their digests; raises ``StoppedError`` after ``stop``."""
        done: list[FileRecord] = []
        with self._turn:
            for record in records:
                try:
                    done.append(record._replace(sha256=self._digest(record)))
                except Trouble as trouble:
                    return Hashed(done, self._error(trouble))
        return Hashed(done)

    def unchanged(self, hashed: Hashed) -> Hashed:
        """The records whose files are still the same, up to the first one that is not."""
        with self._turn:
            for number, record in enumerate(hashed.records):
                try:
                    self._open(record).close()
                except Trouble as trouble:
                    return Hashed(hashed.records[:number], self._error(trouble))
        return hashed

    def stop(self) -> None:
        """Let a thread that reads end within one buffer."""
        self._stopped.set()

    def _digest(self, record: FileRecord) -> bytes:
        with self._open(record) as file:
            sha, left = hashlib.sha256(), record.size
            while left:
                count = file.read_into(self._view[: min(left, _BUFFER)])
                sha.update(self._view[:count])
                left -= count
                if self._stopped.is_set():
                    raise StoppedError
            file.check_unchanged()
        return sha.digest()

    def _open(self, record: FileRecord) -> Source:
        folder, _, name = record.rel.rpartition("/")
        part = (record.rel, record.size, record.mtime_ns, record.inode)
        if folder != self._parent_rel:
            try:
                parent = self._root.below(folder)
            except OSError as error:
                raise Trouble(Side.NEAR, record.rel, error.errno or 0) from None
            self._parent.close()
            self._parent, self._parent_rel = parent, folder
        return Source(self._parent, name, part)

    def _error(self, trouble: Trouble) -> TransportError:
        return from_child(trouble.told, title="", far="", near=self._path, free=None)

    def close(self) -> None:
        """Close the folders once no thread reads any more, be it that nobody waits for it; idempotent."""
        self._stopped.set()
        with self._turn:
            self._parent.close()
            self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
