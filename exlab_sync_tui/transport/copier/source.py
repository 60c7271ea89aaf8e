"""Is this still the file of the snapshot, right before and right after it is read?

What had to be fetched into this PC's memory is given back right behind the reader; what was there already stays.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.transport.copier import page_cache
from exlab_sync_tui.transport.copier.wire import Side, Trouble

if TYPE_CHECKING:
    from exlab_sync_tui.transport.copier.wire import FilePart
    from exlab_sync_tui.tree.folder import Folder

_GIVE_BACK = 8 << 20
"""Bytes of a file that are kept at most behind the reader."""


class Source:
    """A local file that is being read; every difference from its record raises ``Trouble`` (``FORMATS.md`` §4)."""

    __slots__ = ("_fetched", "_folder", "_given_back", "_name", "_opened", "_part", "_read", "fd")

    def __init__(self, folder: Folder, name: str, part: FilePart) -> None:
        self._folder = folder
        self._name = name
        self._part = part
        self._fetched = False
        self._read = self._given_back = 0
        try:
            self.fd = folder.open_file(name)
        except OSError as error:
            raise self._not_opened(error) from None
        try:
            info = os.fstat(self.fd)
            self._opened = (info.st_ino, info.st_dev)
            self._fetched = not page_cache.is_held(self.fd)
            self._compare(info)
        except BaseException:
            self.close()
            raise

    def read_into(self, view: memoryview) -> int:
        """Fill *view* from where the last read ended; at least one byte, else the file has shrunk."""
        try:
            if hasattr(os, "readv"):
                count = os.readv(self.fd, [view])
            else:
                data = os.read(self.fd, len(view))
                count = len(data)
                view[:count] = data
        except OSError as error:
            raise Trouble(Side.NEAR, self._part[0], error.errno or 0) from None
        if not count:
            raise Trouble(Side.CHANGED, self._part[0], detail="it became shorter while it was read")
        if self._fetched:
            self._read += count
            if self._read - self._given_back >= _GIVE_BACK:
                page_cache.let_go(self.fd, 0, self._read)
                self._given_back = self._read
        return count

    def hash_beginning(self, length: int, view: memoryview) -> hashlib._Hash:
        """The digest so far of the first *length* bytes, read with the buffer *view* from where the file stands."""
        sha = hashlib.sha256()
        while length:
            count = self.read_into(view[: min(length, len(view))])
            sha.update(view[:count])
            length -= count
        return sha

    def rewind(self) -> None:
        """Start again from the first byte."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        self._read = self._given_back = 0

    def check_unchanged(self) -> None:
        """After the last read: the name still leads to the file that was read, and that is as it was before."""
        folder = self._folder
        try:
            info = os.stat(folder.base + self._name, dir_fd=folder.fd, follow_symlinks=False)
        except OSError as error:
            raise Trouble(Side.NEAR, self._part[0], error.errno or 0) from None
        self._compare(info)
        if (info.st_ino, info.st_dev) != self._opened:
            raise Trouble(Side.CHANGED, self._part[0], detail="it was replaced while it was read")

    def _compare(self, info: os.stat_result) -> None:
        rel, size, mtime_ns, inode = self._part
        if not stat.S_ISREG(info.st_mode):
            raise Trouble(Side.CHANGED, rel, detail="it is no longer a file")
        if info.st_size != size:
            raise Trouble(Side.CHANGED, rel, detail=f"it had {size} bytes and now has {info.st_size}")
        if info.st_mtime_ns != mtime_ns:
            raise Trouble(Side.CHANGED, rel, detail="it was written to")
        if inode and info.st_ino != inode:
            raise Trouble(Side.CHANGED, rel, detail="another file took its place")

    def _not_opened(self, error: OSError) -> Trouble:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return Trouble(Side.CHANGED, self._part[0], detail="it is no longer a file")
        return Trouble(Side.NEAR, self._part[0], error.errno or 0)

    def close(self) -> None:
        """Close it."""
        if self._fetched:
            page_cache.let_go(self.fd)
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
