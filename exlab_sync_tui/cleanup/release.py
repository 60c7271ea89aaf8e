"""How are local files deleted so that nothing else can be? One by one, from the record, never along a path.

Every name is looked up in an open folder that was reached without following a link, and every file is compared with its
record right before it is unlinked (invariants S1, S2). Nothing here asks what else lies there, so nothing else can go.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.platform import flush_folder
from exlab_sync_tui.tree.folder import BY_DESCRIPTOR, Folder
from exlab_sync_tui.tree.paths import checked_rel
from exlab_sync_tui.tree.snapshot import same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import Self

    from exlab_sync_tui.model.entry import FileRecord

_REPLACED = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EINVAL})
"""Something else lies in a folder's or a file's place: it is not ours to follow or to remove."""
_STAYS = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR, errno.ENOENT})


@dataclass(slots=True)
class Tally:
    """What was deleted here. ``gone`` are those that were not there any more; ``size`` in bytes.

    ``changed`` are files that are not as recorded and were left alone; ``refused`` those that the system would not
    delete, with its words.
    """

    files: int = 0
    size: int = 0
    gone: int = 0
    changed: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing that should go is left."""
        return not (self.changed or self.refused)


class RunFolderGoneError(Exception):
    """The run's folder is not there, or is a link now; nothing was looked at."""


class Hands:
    """Deletes below one run folder. Blocks, so it belongs in a thread; used by one thread at a time.

    Raises ``RunFolderGoneError`` if the run's folder is no real folder any more. *stopped* is asked before each file.
    """

    def __init__(self, run: Path, *, stopped: Callable[[], bool] = lambda: False) -> None:
        self._stopped = stopped
        self._root = _open_run(run)
        self._parent = self._root.duplicate()
        self._parent_rel = ""
        self._touched = False
        self.tally = Tally()

    def unlink(self, records: Iterable[FileRecord]) -> bool:
        """Unlink these files, as far as they are as recorded; ``False`` if it was stopped before the end."""
        for record in records:
            if self._stopped():
                return False
            self._each(record.rel, self._unlink_file, record)
        return True

    def unlink_links(self, links: Mapping[str, str]) -> None:
        """Unlink these links (path to target), as far as they are links to that target; what they point to stays."""
        for rel, target in links.items():
            self._each(rel, self._unlink_link, rel, target)

    def remove_folders(self, rels: Iterable[str], *, cache_too: bool = False) -> None:
        """Remove these folders and those above them, below the run, as far as they are empty; deepest first.

        *cache_too*: also the run's own cache folder, if nothing is left in it.
        """
        wanted: set[str] = {CACHE_FOLDER} if cache_too else set()
        for rel in rels:
            folder = checked_rel(rel)
            while folder and folder not in wanted and folder != CACHE_FOLDER:
                wanted.add(folder)
                folder = folder.rpartition("/")[0]
        self._leave()
        for folder in sorted(wanted, key=lambda rel: (-rel.count("/"), rel)):
            self._each(folder, self._remove_empty)
        self._leave()

    def unlink_read_back(self, contents: Mapping[str, bytes]) -> None:
        """Unlink files of the cache folder (path below the run) that still have exactly the bytes that were read."""
        for rel, data in contents.items():
            self._each(rel, self._unlink_known, rel, data)

    def close(self) -> None:
        """Make what was done durable and close the folders; idempotent."""
        self._leave()
        self._parent.close()
        self._root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(self, rel: str, step: Callable[..., None], *given: object) -> None:
        folder, _, name = checked_rel(rel).rpartition("/")
        try:
            step(self._enter(folder), name, *given)
        except OSError as error:
            if error.errno == errno.ENOENT:
                self.tally.gone += 1
            elif error.errno in _REPLACED:
                self.tally.changed.append(rel)
            else:
                self.tally.refused.append((rel, error.strerror or type(error).__name__))

    def _unlink_file(self, parent: Folder, name: str, record: FileRecord) -> None:
        found = os.stat(parent.base + name, dir_fd=parent.fd, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) or not same(record, found.st_size, found.st_mtime_ns, found.st_ino):
            self.tally.changed.append(record.rel)
            return
        os.unlink(parent.base + name, dir_fd=parent.fd)
        self._touched = True
        self.tally.files += 1
        self.tally.size += record.size

    def _unlink_link(self, parent: Folder, name: str, rel: str, target: str) -> None:
        found = os.stat(parent.base + name, dir_fd=parent.fd, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode) or os.readlink(parent.base + name, dir_fd=parent.fd) != target:
            self.tally.changed.append(rel)
            return
        os.unlink(parent.base + name, dir_fd=parent.fd)
        self._touched = True

    def _unlink_known(self, parent: Folder, name: str, rel: str, data: bytes) -> None:
        with parent.open_regular(name) as file:
            before = os.fstat(file.fileno())
            if before.st_size != len(data) or file.readall() != data:
                self.tally.changed.append(rel)
                return
        after = os.stat(parent.base + name, dir_fd=parent.fd, follow_symlinks=False)
        if (after.st_ino, after.st_size, after.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            self.tally.changed.append(rel)
            return
        os.unlink(parent.base + name, dir_fd=parent.fd)
        self._touched = True

    def _remove_empty(self, parent: Folder, name: str) -> None:
        try:
            os.rmdir(parent.base + name, dir_fd=parent.fd)
            self._touched = True
        except OSError as error:
            if error.errno not in _STAYS:
                raise

    def _enter(self, rel: str) -> Folder:
        if rel != self._parent_rel:
            self._leave()
            parent = self._root.below(rel)
            self._parent.close()
            self._parent, self._parent_rel = parent, rel
        return self._parent

    def _leave(self) -> None:
        """What was removed in a folder is durable before the next one: a power cut must not bring files back."""
        if self._touched:
            self._touched = False
            flush_folder(self._parent.fd)


def _open_run(run: Path) -> Folder:
    """The run's own folder: its parent is opened as it is called, the run itself without following a link."""
    try:
        if not BY_DESCRIPTOR:
            with Folder.root(run.parent) as parent:
                return parent.sub(run.name)
        if os.path.realpath(run) != str(run):
            raise RunFolderGoneError
        with Folder.root(run.parent) as parent:
            return parent.sub(run.name)
    except OSError as error:
        raise RunFolderGoneError from error
