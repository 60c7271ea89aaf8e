"""What differs between Linux, Windows and macOS?"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NO_WRITING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
_NO_FOLDER_FSYNC = frozenset({errno.EINVAL, errno.ENOTSUP})


class FileLock:
    """A kernel lock on an open file, free again when it is released or the process ends, however that happens."""

    __slots__ = ("fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def release(self) -> None:
        """Give the lock back; idempotent. The file stays, since somebody may be waiting on it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_file(path: Path) -> FileLock:
    """Lock *path* for this process alone, making the file if needed, without waiting.

    Raises ``BlockingIOError`` if somebody holds it, another ``OSError`` if the file can be neither made nor opened.
    """
    common = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | common, 0o666)
    except OSError as error:
        if error.errno not in _NO_WRITING:
            raise
        try:
            fd = os.open(path, os.O_RDONLY | common)  # made by another user: reading is enough for a lock
        except FileNotFoundError:
            raise error from None
    try:
        _lock(fd)
    except OSError as error:
        os.close(fd)
        if error.errno not in _HELD:
            raise
        raise BlockingIOError(errno.EWOULDBLOCK, "locked by another program", str(path)) from error
    return FileLock(path, fd)


def fsync_folder(path: Path) -> None:
    """Make the names in the folder *path* survive a power loss, where the system can be asked for it."""
    if sys.platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FSYNC:  # some network file systems cannot, and say so
            raise
    finally:
        os.close(fd)


def _lock(fd: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
