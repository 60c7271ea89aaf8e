"""What does the destination really hold? Reads that do not come from this PC's cache, and the rung they stand on."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Self

from exlab_sync_tui import platform
from exlab_sync_tui.transport.copier import page_cache
from exlab_sync_tui.tree.buffers import page_aligned

if TYPE_CHECKING:
    from exlab_sync_tui.transport.copier.wire import Flow
    from exlab_sync_tui.tree.folder import Folder

READ_BACK = "read_back"
READ_BACK_CACHED = "read_back_cached"
CHUNK = 1 << 20
_ALIGNED = 4096
_NO_DIRECT = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_FILE = frozenset({errno.ELOOP, errno.ENXIO})  # a link, a socket
_DIRECT, _PLAIN, _DROPPED = "direct", "plain", "dropped"


class FarReader:
    """Reads files of one destination, one at a time, in one thread.

    How is found out once: plainly in memory, past the cache, or after the pages were dropped. What a program serves
    (FUSE) may be cached by that program on this PC, so it never counts as more than ``read_back_cached``
    (``FORMATS.md`` §7).
    """

    def __init__(self, folder: Folder) -> None:
        kind = platform.file_system(folder.fd) if folder.fd is not None else ""
        self._mode = _PLAIN if kind in platform.IN_MEMORY else _DIRECT
        self.in_memory = kind in platform.IN_MEMORY
        self.buffer = page_aligned(CHUNK)
        self.behind_a_program = kind == "fuse" or kind.startswith("fuse.")

    def open(self, folder: Folder, name: str) -> FarFile:
        """Open a regular file; ``FileNotFoundError`` if there is none, be it that a folder or a link has that name."""
        try:
            if self._mode == _DIRECT:
                try:
                    return self._regular(page_cache.open_past_cache(folder.base + name, folder.fd), direct=True)
                except OSError as error:
                    if error.errno not in _NO_DIRECT:
                        raise
                file = self._regular(folder.open_file(name), direct=False)
                self._mode = _DROPPED
                return file
            return self._regular(folder.open_file(name), direct=False)
        except OSError as error:
            if error.errno in _NO_FILE:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
            raise

    def give_up_direct(self) -> None:
        """The file system took the flag and then refused the read: from now on the pages are dropped instead."""
        self._mode = _DROPPED

    @property
    def drops(self) -> bool:
        """Whether the pages have to be dropped before a plain read."""
        return self._mode == _DROPPED

    def _regular(self, fd: int, *, direct: bool) -> FarFile:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return FarFile(fd, self, direct=direct)

    def digest(self, folder: Folder, name: str, expected: int, flow: Flow) -> tuple[bytes, str]:
        """SHA-256 of all that the file holds, and the rung; *expected* bytes only spares a call, it limits nothing."""
        with self.open(folder, name) as file:
            file.refresh(0, expected)
            sha = hashlib.sha256()
            offset = 0
            while True:
                wanted = min(expected - offset, CHUNK) if expected > offset else 1
                granted = flow.take(wanted)
                asked = CHUNK if granted == wanted else granted
                piece = file.read(offset, asked)
                if piece:
                    sha.update(piece)
                    offset += len(piece)
                    flow.moved(checked=len(piece))
                if not piece or (len(piece) < asked and offset == expected):
                    return sha.digest(), file.rung


class FarFile:
    """One open file of the destination; used by one thread."""

    __slots__ = ("_direct", "_proved", "_reader", "_view", "fd")

    def __init__(self, fd: int, reader: FarReader, *, direct: bool) -> None:
        self.fd = fd
        self._reader = reader
        self._direct = direct
        self._proved = True
        self._view = reader.buffer

    @property
    def rung(self) -> str:
        """The name of the evidence level that the reads so far stand on."""
        return READ_BACK if self._proved and not self._reader.behind_a_program else READ_BACK_CACHED

    def refresh(self, offset: int, length: int) -> None:
        """Get a range out of the cache before it is read, where reads do not pass it by themselves."""
        if not self._direct and self._reader.drops and length:
            start = offset - offset % _ALIGNED
            self._proved &= page_cache.drop_cached(self.fd, start, offset + length - start)

    def read(self, offset: int, length: int) -> memoryview:
        """Up to *length* bytes at *offset*, empty only at the end; valid until the next read of the same reader."""
        start = offset - offset % _ALIGNED
        span = min(-(-(offset - start + length) // _ALIGNED) * _ALIGNED, CHUNK)
        try:
            count = self._read(start, span)
        except OSError as error:
            if not self._direct or error.errno not in _NO_DIRECT:
                raise
            page_cache.read_plainly(self.fd)
            self._direct = False
            self._reader.give_up_direct()
            self.refresh(start, os.fstat(self.fd).st_size - start)
            count = self._read(start, span)
        return self._view[offset - start : min(count, offset - start + length)]

    def _read(self, start: int, span: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self.fd, [self._view[:span]], start)
        os.lseek(self.fd, start, os.SEEK_SET)
        data = os.read(self.fd, span)
        self._view[: len(data)] = data
        return len(data)

    def let_go(self, upto: int) -> None:
        """Nobody needs the first *upto* bytes in this PC's memory any more; only a hint."""
        if not self._reader.in_memory:
            page_cache.let_go(self.fd, 0, upto)

    def close(self) -> None:
        """Close it, and leave nothing of it in this PC's memory; idempotent."""
        if self.fd >= 0:
            self.let_go(0)
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
