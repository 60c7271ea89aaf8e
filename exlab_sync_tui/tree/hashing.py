"""What is the SHA-256 of these files, and did they hold still while we read them?"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event, Lock
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.errors import StoppedError, TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tree.buffers import page_aligned
from exlab_sync_tui.tree.folder import Folder
from exlab_sync_tui.tree.paths import checked_rel
from exlab_sync_tui.tree.snapshot import same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord

BUFFER = 1 << 20
"""Bytes read at once: large enough that ``hashlib`` works without the interpreter lock most of the time."""

_SMALL = 256 << 10
_BATCH_FILES = 128
_BATCH_BYTES = 16 << 20
_LOCKED = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY, errno.EAGAIN, errno.EDEADLK})
_REPLACED = frozenset({errno.ELOOP, errno.EINVAL, errno.EMLINK})
_VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR})


class TreeHasher:
    """Hashes files of one tree in one thread, with one buffer; the folder of the last file stays open for the next."""

    def __init__(self, root: Path, *, cancelled: Callable[[], bool] | None = None) -> None:
        self._root = Folder.root(root)
        self._parent = self._root.duplicate()
        self._parent_rel = ""
        self._buffer = page_aligned(BUFFER)
        self._cancelled = cancelled

    def hash(self, record: FileRecord) -> FileRecord:
        """*record* with ``sha256``; the file is compared with it right before and right after it is read (§4).

        Raises ``TransportError``: ``CHANGED``, ``LOCAL_FILE_VANISHED``, ``LOCKED``, or ``UNKNOWN`` for a disk that
        cannot read it; ``StoppedError`` when cancelled.
        """
        folder, _, name = checked_rel(record.rel).rpartition("/")
        try:
            parent = self._enter(folder)
            with parent.open_regular(name) as file:
                before = _hold_still(record, os.fstat(file.fileno()))
                digest = hashlib.sha256()
                while count := file.readinto(self._buffer):
                    digest.update(self._buffer[:count])
                    if self._cancelled is not None and self._cancelled():
                        raise StoppedError
                _hold_still(record, os.fstat(file.fileno()))
            after = _hold_still(record, os.stat(parent.base + name, dir_fd=parent.fd, follow_symlinks=False))
            if after.st_ino != before.st_ino:
                raise _changed(record)
        except OSError as error:
            raise source_error(error, record.rel) from error
        return record._replace(sha256=digest.digest())

    def _enter(self, rel: str) -> Folder:
        if rel != self._parent_rel:
            parent = self._root.below(rel)
            self._parent.close()
            self._parent, self._parent_rel = parent, rel
        return self._parent

    def close(self) -> None:
        """Close the folders; idempotent."""
        self._parent.close()
        self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hash_file(root: Path, record: FileRecord, *, cancelled: Callable[[], bool] | None = None) -> FileRecord:
    """One file below *root*, as ``TreeHasher.hash``."""
    with TreeHasher(root, cancelled=cancelled) as hasher:
        return hasher.hash(record)


def hash_tree(
    root: Path, records: Iterable[FileRecord], *, workers: int = 2, cancelled: Callable[[], bool] | None = None
) -> Iterator[FileRecord]:
    """Yield *records* with their digests, in the same order, *workers* threads reading ahead by a few batches.

    Raises as ``TreeHasher.hash``; what was yielded before stands. *root* itself being gone is ``LOCAL_FILE_VANISHED``.
    Closing the iterator stops the threads within one buffer.
    """
    closed = Event()
    one_at_a_time = Lock()  # threads that read small files only fight over the interpreter lock

    def stopped() -> bool:
        return closed.is_set() or (cancelled is not None and cancelled())

    def hashed(batch: list[FileRecord]) -> list[FileRecord]:
        try:
            hasher = TreeHasher(root, cancelled=stopped)
        except OSError as error:
            raise source_error(error, str(root)) from error
        with hasher, one_at_a_time if _is_small(batch) else nullcontext():
            return [hasher.hash(record) for record in batch]

    pending: deque[Future[list[FileRecord]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
        try:
            for batch in _batches(records):
                pending.append(pool.submit(hashed, batch))
                if len(pending) > 2 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            closed.set()
            for waiting in pending:
                waiting.cancel()


def source_error(error: OSError, rel: str) -> TransportError:
    """The error of a source file in the classes of ``FORMATS.md`` §6."""
    name = safe_text(rel)
    if error.errno in _VANISHED:
        return TransportError(f"{name} is gone from this PC.", TransportErrorKind.LOCAL_FILE_VANISHED)
    if error.errno in _LOCKED:
        said = f"{name} cannot be read yet ({error.strerror}); another program may still be using it."
        return TransportError(said, TransportErrorKind.LOCKED)
    if error.errno in _REPLACED:
        return TransportError(f"{name} is no regular file any more.", TransportErrorKind.CHANGED)
    return TransportError(f"{name} cannot be read on this PC ({error.strerror}); check its disk.")


def _hold_still(record: FileRecord, info: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(info.st_mode) or not same(record, info.st_size, info.st_mtime_ns, info.st_ino):
        raise _changed(record)
    return info


def _changed(record: FileRecord) -> TransportError:
    said = f"{safe_text(record.rel)} changed after it was listed; the run is looked at again."
    return TransportError(said, TransportErrorKind.CHANGED)


def _is_small(batch: list[FileRecord]) -> bool:
    return sum(record.size for record in batch) < len(batch) * _SMALL


def _batches(records: Iterable[FileRecord]) -> Iterator[list[FileRecord]]:
    batch: list[FileRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += record.size
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
