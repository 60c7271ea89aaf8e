"""When are the records of sent files written down? In batches, so that one transaction serves many small files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.entry import FileRecord

_MOST = 2_000
_SECONDS = 1.0


class Ledger:
    """Gathers records and commits them when there are many, or a second after the first; what a crash loses of them is
    compared again, never sent again (``ARCHITECTURE.md`` decision 1).
    """

    def __init__(self, trip: Trip) -> None:
        self._trip = trip
        self._gathered: list[FileRecord] = []
        self._since = 0.0

    async def enter(self, page: Sequence[FileRecord]) -> None:
        """Take a page of records."""
        now = self._trip.parts.clock.monotonic()
        if not self._gathered:
            self._since = now
        self._gathered.extend(page)
        if len(self._gathered) >= _MOST or now - self._since >= _SECONDS:
            await self.close()

    async def close(self) -> None:
        """Commit what has been gathered."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            await self._trip.parts.store.put_files(self._trip.job.id, gathered)
