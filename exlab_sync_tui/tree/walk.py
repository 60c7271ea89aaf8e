"""What is in this folder? One streaming answer, in the order of path bytes."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from functools import lru_cache
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import StoppedError
from exlab_sync_tui.model.entry import Entry, EntryKind
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.platform import keeps_inodes
from exlab_sync_tui.tree.folder import Folder, with_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_FILE, _FOLDER, _LINK, _SPECIAL = EntryKind.FILE, EntryKind.FOLDER, EntryKind.LINK, EntryKind.SPECIAL
_ASK_EVERY = 512
_KEPT_OPEN = 64
"""Levels whose folders stay open; those above are reopened on the way back, so descriptors never run out."""


class _Level:
    """One folder on the way down: what is still to come in it, last first."""

    __slots__ = ("folder", "names", "rel")

    def __init__(self, folder: Folder, rel: str, names: list[str]) -> None:
        self.folder: Folder | None = folder
        self.rel = rel
        self.names = names


def walk(
    root: Path | Folder,
    *,
    litter: Sequence[str] = (),
    keep_cache: bool = False,
    inodes: bool = True,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Entry]:
    """Yield everything below *root* (a path or an open folder), sorted by the bytes of ``rel``; links not followed.

    A folder is ``empty`` if nothing but litter files lies in it.

    The run's own cache folder (top level only) is left out unless *keep_cache*. Files whose name matches a *litter*
    pattern (any case) are marked. Inodes are 0 where they do not outlast a mount, and without *inodes*, which spares
    the question. A file that vanishes between listing and looking is as good as never seen. Memory grows with the
    largest single folder, not with the tree. Raises ``OSError`` with ``filename`` for a folder that is gone or cannot
    be read, and ``StoppedError`` once *cancelled* says so: a walk that ends early must not look whole.
    """
    is_litter = litter_test(litter)
    top = root.duplicate() if isinstance(root, Folder) else Folder.root(root)
    has_inodes = inodes and (top.fd is None or keeps_inodes(top.fd))
    levels: list[_Level] = []
    countdown = 1
    try:
        levels.append(_Level(top.duplicate(), "", _listing(top, skip=None if keep_cache else CACHE_FOLDER)))
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                _close(level)
                continue
            countdown -= 1
            if not countdown:
                countdown = _ASK_EVERY
                if cancelled is not None and cancelled():
                    raise StoppedError
            if level.folder is None:
                level.folder = top.below(level.rel[:-1])
            name = level.names.pop()
            if name[-1] == "/":
                levels.append(_enter(level, name))
                if len(levels) > _KEPT_OPEN:
                    _close(levels[-1 - _KEPT_OPEN])
                continue
            entry = _look(level.folder, name, level.rel + name, is_litter)
            if entry is not None:
                yield entry if has_inodes else entry._replace(inode=0)
    finally:
        for level in levels:
            _close(level)
        top.close()


def litter_test(patterns: Sequence[str]) -> Callable[[str], object]:
    """A fast test whether a file name matches one of the *patterns* (``fnmatch``, any case)."""
    if not patterns:
        return lambda _: None
    return _compiled(tuple(patterns)).match


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)), re.IGNORECASE)


def _listing(folder: Folder, *, skip: str | None = None) -> list[str]:
    """Names in reverse order of path bytes; a folder stands twice: ``name`` for itself, ``name/`` for its content."""
    names: list[str] = []
    for found in folder.scan():
        if found.is_dir(follow_symlinks=False):
            if found.name == skip:
                continue
            names.append(found.name + "/")
        names.append(found.name)
    # code points order like UTF-8 bytes, except for surrogate-escaped ones: only those names need encoding
    names.sort(key=None if all(map(str.isascii, names)) else os.fsencode, reverse=True)
    return names


def _enter(level: _Level, name: str) -> _Level:
    assert level.folder is not None  # noqa: S101  # the walk has just made sure of it
    sub = level.folder.sub(name[:-1])
    try:
        return _Level(sub, level.rel + name, _listing(sub))
    except OSError:
        sub.close()
        raise


def _close(level: _Level) -> None:
    if level.folder is not None:
        level.folder.close()
        level.folder = None


def _is_empty(folder: Folder, name: str, is_litter: Callable[[str], object]) -> bool:
    """Whether nothing but litter lies in it: a thumbnail cache must not make an empty folder disappear."""
    with folder.sub(name) as sub:
        return all(is_litter(found.name) and found.is_file(follow_symlinks=False) for found in sub.scan())


def _look(folder: Folder, name: str, rel: str, is_litter: Callable[[str], object]) -> Entry | None:
    try:
        info = os.stat(folder.base + name, dir_fd=folder.fd, follow_symlinks=False)
        kind = stat.S_IFMT(info.st_mode)
        if kind == stat.S_IFREG:
            return Entry(rel, _FILE, info.st_size, info.st_mtime_ns, info.st_ino, "", False, bool(is_litter(name)))
        if kind == stat.S_IFDIR:
            return Entry(rel, _FOLDER, 0, info.st_mtime_ns, info.st_ino, "", _is_empty(folder, name, is_litter))
        if kind == stat.S_IFLNK:
            target = os.readlink(folder.base + name, dir_fd=folder.fd)
            return Entry(rel, _LINK, info.st_size, info.st_mtime_ns, info.st_ino, target)
        return Entry(rel, _SPECIAL, 0, info.st_mtime_ns, info.st_ino)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise with_path(error, f"{folder.path}/{name}") from None
