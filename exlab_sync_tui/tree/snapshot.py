"""Is the tree still what it was?"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import EntryKind, FileRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exlab_sync_tui.model.entry import Entry


def record_of(entry: Entry) -> FileRecord:
    """The snapshot of a data file, not hashed yet."""
    return FileRecord(entry.rel, entry.size, entry.mtime_ns, entry.inode)


def records(entries: Iterable[Entry]) -> Iterator[FileRecord]:
    """Snapshots of the data files among *entries*, in the same order."""
    return (record_of(entry) for entry in entries if entry.is_data)


def same(record: FileRecord, size: int, mtime_ns: int, inode: int) -> bool:
    """Whether a file still is as recorded: size, mtime and inode (0 on either side is not compared, §4)."""
    return (
        record.size == size and record.mtime_ns == mtime_ns and (record.inode == inode or not inode or not record.inode)
    )


class Fingerprint:
    """A digest of name, kind, size, mtime and link target of everything but litter, fed in walk order.

    Two equal fingerprints mean that nothing was seen to move between two walks. A folder's own time is left out,
    because litter that comes or goes changes it too.
    """

    __slots__ = ("_digest",)

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def see(self, entry: Entry) -> None:
        """Take one more entry into account."""
        if not entry.litter:
            time = 0 if entry.kind is EntryKind.FOLDER else entry.mtime_ns
            # NUL cannot stand in a name, so no two trees give the same text
            line = "\0".join((entry.rel, entry.kind, str(entry.size), str(time), entry.target, ""))
            self._digest.update(os.fsencode(line))

    def value(self) -> str:
        """32 hex digits for what has been seen so far."""
        return self._digest.hexdigest()


def fingerprint(entries: Iterable[Entry]) -> str:
    """The ``Fingerprint`` of *entries*."""
    whole = Fingerprint()
    for entry in entries:
        whole.see(entry)
    return whole.value()
