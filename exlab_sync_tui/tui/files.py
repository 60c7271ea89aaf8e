"""Which files has a run, and how is each? Pages of the store's records: a million files cost what a screen does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import FileTotals
from exlab_sync_tui.operate.glance import MOVING_STATES
from exlab_sync_tui.queue.store import FilesWanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobStore

PAGE = 200
"""Records read at once."""
_COUNT_SECONDS = 5.0
"""Between two counts of the files of a run that moves: a count reads a million records in some tenths of a second."""


@dataclass(frozen=True, slots=True)
class FileList:
    """The records of one job that are in memory, by page. ``totals`` are of all of its files, listed or not."""

    job_id: str = ""
    unproven_only: bool = False
    totals: FileTotals = field(default_factory=FileTotals)
    pages: Mapping[int, tuple[FileRecord, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many are listed."""
        return self.totals.files - (self.totals.proven_files if self.unproven_only else 0)

    def row(self, index: int) -> FileRecord | None:
        """The record at *index*; ``None`` while its page is not in memory."""
        page = self.pages.get(index // PAGE, ())
        return page[index % PAGE] if index % PAGE < len(page) else None

    def missing(self, first: int, last: int) -> Iterator[int]:
        """The pages of the rows from *first* to *last* that are not in memory."""
        for page in range(max(first, 0) // PAGE, max(min(last, self.total - 1), -1) // PAGE + 1):
            if page not in self.pages:
                yield page


class FileReader:
    """Reads pages, and counts seldom."""

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counted: dict[str, tuple[tuple[object, ...], float, FileTotals]] = {}

    async def totals(self, job: SyncJobRow) -> FileTotals:
        """Counts and bytes of the job's files: of now, or of seconds ago while it moves. Raises ``StoreError``."""
        now, mark = self._clock.monotonic(), (job.state, job.verify_passes, job.attempts, job.revision, job.files_total)
        known = self._counted.get(job.id)
        if (
            known is not None
            and known[0] == mark
            and (job.state not in MOVING_STATES or now - known[1] < _COUNT_SECONDS)
        ):
            return known[2]
        totals = await self._store.file_totals(job.id)
        self._counted = {job.id: (mark, now, totals)}
        return totals

    async def look(self, job: SyncJobRow, *, unproven_only: bool, first: int, last: int) -> FileList:
        """The rows from *first* to *last* anew. Raises ``StoreError``."""
        return await self.filled(FileList(job.id, unproven_only, await self.totals(job)), first, last)

    async def filled(self, listing: FileList, first: int, last: int) -> FileList:
        """*listing* with these rows in memory. Raises ``StoreError``."""
        for page in list(listing.missing(first, last)):
            records = await self._page(listing, page)
            listing = replace(listing, pages={**listing.pages, page: tuple(records)})
        return listing

    async def _page(self, listing: FileList, page: int) -> list[FileRecord]:
        """Begin behind the nearest page before it, so that scrolling on costs the same anywhere."""
        nearest = max(
            (known for known, rows in listing.pages.items() if known < page and len(rows) == PAGE), default=-1
        )
        after = listing.pages[nearest][-1].rel if nearest >= 0 else ""
        wanted = FilesWanted.UNPROVEN if listing.unproven_only else FilesWanted.ALL
        skip = (page - nearest - 1) * PAGE
        return await self._store.files(listing.job_id, after=after, limit=PAGE, wanted=wanted, skip=skip)
