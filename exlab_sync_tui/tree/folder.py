"""How is a folder of a run opened so that no link and no long path can lead us astray?"""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
"""Whether the system can address names relative to an open folder; where it cannot, paths are joined instead."""

_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_CLOSED = -1
"""Never ``None``: a name looked up in a closed folder must fail, not mean the working directory."""

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# O_NONBLOCK: a FIFO that took the file's place must not hold the thread for ever
_SAFELY = _NO_FOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Folder:
    """An open folder. Names are looked up in it, never along a path that somebody could change meanwhile.

    ``path`` is its full path for sentences; ``fd`` and ``base`` are what ``os`` functions want, as in
    ``os.stat(folder.base + name, dir_fd=folder.fd)``. Raises ``OSError`` with the full path as ``filename``.
    """

    __slots__ = ("base", "fd", "path")

    def __init__(self, path: str, fd: int | None) -> None:
        self.path = path
        self.fd = fd
        self.base = "" if fd is not None else path + os.sep

    @classmethod
    def root(cls, path: str | os.PathLike[str]) -> Folder:
        """Open the folder at *path*; a link at the very end is followed, because the caller named it."""
        text = os.fspath(path)
        return cls(text, os.open(text, _OPEN_FOLDER) if BY_DESCRIPTOR else None)

    def sub(self, name: str) -> Folder:
        """Open the folder *name* in this one; a link in its place is refused."""
        path = f"{self.path}/{name}"
        if self.fd is None:
            if os.path.islink(path):  # noqa: PTH114  # a Path per folder is what this module avoids
                raise NotADirectoryError(errno.ENOTDIR, "Not a directory", path)
            return Folder(path, None)
        try:
            return Folder(path, os.open(name, _OPEN_FOLDER | _NO_FOLLOW, dir_fd=self.fd))
        except OSError as error:
            raise with_path(error, path) from None

    def below(self, rel: str) -> Folder:
        """Open the folder at *rel* below this one, segment by segment: no link on the way, no limit to the length."""
        folder = self.duplicate()
        for name in rel.split("/") if rel else ():
            with folder:
                folder = folder.sub(name)
        return folder

    def duplicate(self) -> Folder:
        """The same folder, to be closed on its own."""
        return Folder(self.path, os.dup(self.fd) if self.fd is not None else None)

    def scan(self) -> Iterator[os.DirEntry[str]]:
        """Everything in it, in no order; types are those of the entries themselves, links not followed."""
        try:
            with os.scandir(self.path if self.fd is None else self.fd) as found:
                yield from found
        except OSError as error:
            raise with_path(error, self.path) from None

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open the file *name* in it for a caller that closes it; a link in its place is refused with ``ELOOP``."""
        try:
            return os.open(self.base + name, flags | _SAFELY, dir_fd=self.fd)
        except OSError as error:
            raise with_path(error, f"{self.path}/{name}") from None

    def open_regular(self, name: str) -> FileIO:
        """Open the regular file *name* for reading, unbuffered; anything else there is refused with ``EINVAL``."""
        fd = self.open_file(name)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "Not a regular file", f"{self.path}/{name}")
        return FileIO(fd)

    def close(self) -> None:
        """Close the descriptor; idempotent."""
        if self.fd is not None:
            fd, self.fd = self.fd, _CLOSED
            if fd != _CLOSED:
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_path(error: OSError, path: str) -> OSError:
    """The same error naming the full *path*; its class (``FileNotFoundError`` …) follows from its number."""
    return OSError(error.errno, error.strerror, path)
