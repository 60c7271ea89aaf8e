"""What of a file is in this PC's memory, and how does it get out of there?

Reads of the destination must not come from it, and what only passes through shall not push out what others need.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
import time
from contextlib import suppress

from exlab_sync_tui import platform

if sys.platform != "win32":
    import fcntl

_MAP_FAILED = ctypes.c_void_p(-1).value
_WRITE_OUT = 2  # SYNC_FILE_RANGE_WRITE


def is_held(fd: int) -> bool:
    """Whether the beginning of an open file is in the cache, as far as can be asked without reading it (preadv2(2))."""
    if sys.platform != "linux" or not hasattr(os, "RWF_NOWAIT"):
        return True
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def let_go(fd: int, offset: int = 0, length: int = 0) -> None:
    """Give the pages of a range back, to the end of the file if *length* is 0; dirty ones stay (posix_fadvise(2)).

    Only a hint: a file system that does not take it must not fail a run.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)


def start_writing_out(fd: int, offset: int, length: int) -> None:
    """Let the system begin to write a range to its disk or server; only a hint, whose errors ``flush_file`` reports."""
    if sys.platform == "linux":
        platform.libc().sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _WRITE_OUT)


def open_past_cache(path: str, dir_fd: int | None = None) -> int:
    """Open for reads that bypass this PC's cache; ``OSError`` (``EINVAL``) where the file system has no such thing.

    Offsets, lengths and the buffer's address must be multiples of 4096 (open(2), ``O_DIRECT``).
    """
    if sys.platform == "darwin":
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=dir_fd)
        fcntl.fcntl(fd, fcntl.F_NOCACHE, 1)
        return fd
    if sys.platform == "win32" or not hasattr(os, "O_DIRECT"):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=dir_fd)


def read_plainly(fd: int) -> None:
    """Make an open file read through the cache again."""
    if sys.platform == "linux":
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT)


_DROP_PAUSES = (0.0, 0.001, 0.01, 0.05, 0.25)
"""Seconds before each try to get a range out of the cache: a page that another processor has at hand stays a while."""


def drop_cached(fd: int, offset: int, length: int) -> bool:
    """Flush a file and get a range out of the cache; whether it is known to be gone. *offset* begins a page."""
    if sys.platform != "linux":
        return False
    os.fsync(fd)
    for pause in _DROP_PAUSES:
        time.sleep(pause)
        os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)
        if not _is_cached(fd, offset, length):
            return True
    return False


def _is_cached(fd: int, offset: int, length: int) -> bool:
    """Whether any page of a range is, or may be, in the cache; asking reads none (mincore(2))."""
    libc, span = platform.libc(), ctypes.c_size_t(length)
    address = libc.mmap(None, span, mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_int64(offset))
    if address == _MAP_FAILED:
        return True
    place = ctypes.c_void_p(address)
    try:
        pages = ctypes.create_string_buffer(-(-length // mmap.PAGESIZE))
        return libc.mincore(place, span, pages) != 0 or any(page & 1 for page in set(pages.raw))
    finally:
        libc.munmap(place, span)
