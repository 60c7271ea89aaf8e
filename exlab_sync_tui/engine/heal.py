"""Does every run's creation.json say what the store knows? A lost status is owed again (``FORMATS.md`` §2)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import CreationError, OrphanRunError
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.model.run import Layout
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.queue.store import Debt, DebtKind, JobFilter

if TYPE_CHECKING:
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.job import SyncJobRow

STATUS_OF = {
    SyncJobState.QUEUED: "pending",
    SyncJobState.RUNNING: "pending",
    SyncJobState.AWAITING_VERIFY: "pending",
    SyncJobState.VERIFIED: "synced",
    SyncJobState.CLEANUP_ELIGIBLE: "synced",
    SyncJobState.CLEANED: "cleaned",
    SyncJobState.FAILED: "failed",
}
"""What ``sync_status`` says for each state."""


async def owe_lost_statuses(works: Works) -> None:
    """Compare every run that is still here with its job, a page at a time, and owe what differs."""
    store = works.parts.store
    after = 0
    while page := await store.jobs(JobFilter(), after_seq=after):
        after = page[-1].seq
        ours = [job for job in page if _is_written_to(works, job)]
        for job in await asyncio.to_thread(_differing, ours):
            await store.owe(Debt(job.run_path, DebtKind.SYNC_STATUS, STATUS_OF[job.state], works.parts.now()))


def _is_written_to(works: Works, job: SyncJobRow) -> bool:
    instrument = works.instruments.get(job.equipment_id)
    return instrument is not None and instrument.folder.layout is Layout.EXLAB and not job.held


def _differing(jobs: list[SyncJobRow]) -> list[SyncJobRow]:
    return [job for job in jobs if _says_something_else(job)]


def _says_something_else(job: SyncJobRow) -> bool:
    try:
        return read_creation(Path(job.run_path)).sync_status != STATUS_OF[job.state]
    except (OSError, CreationError, OrphanRunError):
        return False
