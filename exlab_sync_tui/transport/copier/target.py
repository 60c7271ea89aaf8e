"""Where on the destination does a file's next byte go, and may what lies there already be continued?"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from exlab_sync_tui import platform
from exlab_sync_tui.transport.copier.wire import Side, Trouble

if TYPE_CHECKING:
    from exlab_sync_tui.tree.folder import Folder

_FLAGS = os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NAMES = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})
_NO_TIMES = frozenset({errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOVERFLOW, errno.ERANGE})


def make_below(top: Folder, rel: str, *, flush: bool = False) -> Folder:
    """Open the folder at *rel* below *top*, making what is missing; with *flush*, what was made survives a power loss.

    A link in the place of a folder is refused (``ENOTDIR``, ``ELOOP``).
    """
    folder = top.duplicate()
    for name in rel.split("/") if rel else ():
        with folder:
            folder = _enter(folder, name, flush=flush)
    return folder


def _enter(folder: Folder, name: str, *, flush: bool) -> Folder:
    try:
        return folder.sub(name)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another child was faster
            os.mkdir(folder.base + name, dir_fd=folder.fd)
        if flush:
            platform.flush_folder(folder.fd)
        return folder.sub(name)


class Target:
    """One file below an assembly of ours, open for writing."""

    __slots__ = ("_folder", "_is_new", "_name", "_rel", "fd")

    def __init__(self, folder: Folder, name: str, rel: str) -> None:
        self._folder = folder
        self._name = name
        self._rel = rel
        self._is_new = False
        self.fd = -1

    def create(self) -> bool:
        """Make the file anew; false if something has that name already."""
        try:
            self._open(_FLAGS | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return False
        except OSError as error:
            raise Trouble(Side.NAME if error.errno in _NAMES else Side.FAR, self._rel, error.errno or 0) from None
        self._is_new = True
        return True

    def continued(self, size: int) -> int | None:
        """Length of what is there, if it may be a beginning of *size* bytes; ``None`` if it has to be replaced.

        A file with a second name may lie in a published run as well, so it is never written to.
        """
        try:
            info = os.stat(self._folder.base + self._name, dir_fd=self._folder.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._far(error) from None
        if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1 or info.st_size > size:
            return None
        return info.st_size

    def append(self, offset: int) -> None:
        """Open what is there to go on at *offset*."""
        try:
            self._open(_FLAGS)
            os.lseek(self.fd, offset, os.SEEK_SET)
        except OSError as error:
            raise self._far(error) from None

    def replace(self) -> None:
        """Take away what is there, in our own incoming folder, and make the file anew."""
        self.close()
        where, base = self._folder.fd, self._folder.base
        try:
            try:
                os.unlink(base + self._name, dir_fd=where)
            except (IsADirectoryError, PermissionError):
                os.rmdir(base + self._name, dir_fd=where)
            except FileNotFoundError:
                pass
        except OSError as error:
            raise self._far(error) from None
        if not self.create():
            raise Trouble(Side.FAR, self._rel, errno.EEXIST)

    def write(self, data: memoryview) -> None:
        """Write all of *data*."""
        try:
            count = os.write(self.fd, data)
            while count < len(data):
                count += os.write(self.fd, data[count:])
        except OSError as error:
            raise self._far(error) from None

    def finish(self, mtime_ns: int, *, flush: bool) -> None:
        """Give it the local file's time, where the destination takes it, and with *flush* make it durable."""
        try:
            try:
                if not self._is_new and os.fstat(self.fd).st_mtime_ns == mtime_ns:
                    pass  # a whole file that an earlier attempt left is not touched at all
                elif os.utime in os.supports_fd:
                    os.utime(self.fd, ns=(mtime_ns, mtime_ns))
                else:
                    os.utime(self._folder.base + self._name, ns=(mtime_ns, mtime_ns))
            except OSError as error:
                if error.errno not in _NO_TIMES:
                    raise
            if flush:
                platform.flush_file(self.fd)
            self.close()
        except OSError as error:
            raise self._far(error) from None

    def close(self) -> None:
        """Close it; idempotent. Network file systems may report a failed write only here."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self, flags: int) -> None:
        self.fd = os.open(self._folder.base + self._name, flags, 0o666, dir_fd=self._folder.fd)

    def _far(self, error: OSError) -> Trouble:
        return Trouble(Side.FAR, self._rel, error.errno or 0)
