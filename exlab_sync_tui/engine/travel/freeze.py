"""What exactly is in the run now, and what has changed since it was last written down?

One walk feeds three readers: the gate, the fingerprint of the tree, and the file records in the store. The walk runs in
a thread and hands over bounded pages, so that a run of a million files costs no more memory than one of a thousand.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import Entry, EntryKind
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.tree.side_by_side import side_by_side
from exlab_sync_tui.tree.snapshot import record_of, same
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.gate.validator import Examination, Verdict
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.queue.store import JobStore

_PAGE = 2_000


@dataclass(slots=True)
class Inventory:
    """What a freeze saw besides data files, and how the files differ from the records that were there before.

    ``links`` maps path to target. If there were no records before, nothing counts as added. ``touches_published``: a
    file that was published has changed or is gone.
    """

    files: int = 0
    size: int = 0
    links: dict[str, str] = field(default_factory=dict)
    specials: list[str] = field(default_factory=list)
    empty_folders: list[str] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    touches_published: bool = False
    verdict: Verdict | None = None

    @property
    def differs(self) -> bool:
        """Whether the data files are not what the records say."""
        return bool(self.added or self.changed or self.gone)


async def pages_of(
    store: JobStore, job_id: str, wanted: FilesWanted = FilesWanted.ALL
) -> AsyncIterator[list[FileRecord]]:
    """A job's file records, a page at a time, in the order of path bytes."""
    after = ""
    while page := await store.files(job_id, after=after, limit=_PAGE, wanted=wanted):
        yield page
        after = page[-1].rel


async def compare(
    store: JobStore, job_id: str, root: Path, litter: Sequence[str], gate: Examination | None
) -> Inventory:
    """Walk the run and compare it with the job's records; nothing is written. Raises ``OSError`` of the walk."""
    return await _Freezer(store, job_id, keep=False).run(root, litter, gate)


async def freeze(
    store: JobStore, job_id: str, root: Path, litter: Sequence[str], gate: Examination | None
) -> Inventory:
    """Walk the run and make the job's records say what is there now.

    A file that is as it was keeps its digests; a changed or new one gets a fresh record; a record whose file is gone is
    dropped. Raises ``OSError`` of the walk.
    """
    return await _Freezer(store, job_id, keep=True).run(root, litter, gate)


class _Freezer:
    """Compares the walk with the stored records; both come in the order of path bytes."""

    def __init__(self, store: JobStore, job_id: str, *, keep: bool) -> None:
        self._store = store
        self._job_id = job_id
        self._keep = keep
        self._seen = Inventory()
        self._first = False

    async def run(self, root: Path, litter: Sequence[str], gate: Examination | None) -> Inventory:
        self._first = not await self._store.files(self._job_id, limit=1)
        async for entries, known in side_by_side(_walk_pages(root, litter, gate), pages_of(self._store, self._job_id)):
            fresh = self._compare(entries, known)
            if self._keep and fresh:
                await self._store.put_files(self._job_id, fresh)
        if self._keep and self._seen.gone:
            await self._store.drop_files(self._job_id, self._seen.gone)
        if gate is not None:
            self._seen.verdict = await asyncio.to_thread(gate.verdict)
        return self._seen

    def _compare(self, entries: Sequence[Entry], known: Sequence[FileRecord]) -> list[FileRecord]:
        """Sort a piece in, in which equal paths come together; records of what is new or changed."""
        before = {record.rel: record for record in known}
        fresh = []
        for entry in entries:
            if not entry.is_data:
                self._set_aside(entry)
                continue
            self._seen.files += 1
            self._seen.size += entry.size
            old = before.pop(entry.rel, None)
            if old is None:
                if not self._first:
                    self._seen.added.append(entry.rel)
            elif same(old, entry.size, entry.mtime_ns, entry.inode):
                continue
            else:
                self._seen.changed.append(entry.rel)
                self._seen.touches_published |= old.published
            fresh.append(record_of(entry))
        self._seen.gone += before
        self._seen.touches_published |= any(record.published for record in before.values())
        return fresh

    def _set_aside(self, entry: Entry) -> None:
        if entry.litter:
            self._seen.litter.append(entry.rel)
        elif entry.kind is EntryKind.LINK:
            self._seen.links[entry.rel] = entry.target
        elif entry.kind is EntryKind.SPECIAL:
            self._seen.specials.append(entry.rel)
        elif entry.empty:
            self._seen.empty_folders.append(entry.rel)


async def _walk_pages(root: Path, litter: Sequence[str], gate: Examination | None) -> AsyncIterator[list[Entry]]:
    """The walk, page by page, each page read in a thread."""
    entries = walk(root, litter=litter)
    while page := await asyncio.to_thread(_read_page, entries, gate):
        yield page


def _read_page(entries: Iterator[Entry], gate: Examination | None) -> list[Entry]:
    page: list[Entry] = []
    for entry in entries:
        if gate is not None:
            gate.see(entry)
        page.append(entry)
        if len(page) == _PAGE:
            break
    return page
