"""Which runs are known, and how does each stand? Rows for ``list``."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import SAFE_STATES
from exlab_sync_tui.operate.runs import all_jobs, run_holds
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import utc

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobStore


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One row. ``word`` is what matters most: the kind of the hold that keeps a run waiting, else its state.

    ``state`` is empty for a run without a job. ``since`` is when it became so, as far as that is known; size in bytes.
    """

    run_path: str
    equipment_id: str
    word: str
    state: str = ""
    job_id: str = ""
    files: int = 0
    size: int = 0
    since: datetime | None = None
    sentence: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.run_path.rpartition("/")[2]


async def listed(
    store: JobStore, *, words: Collection[str] = (), equipment_id: str = "", limit: int = 0
) -> list[ListedRun]:
    """Runs in the order in which they were queued, then those without a job by path.

    *words* are states or kinds of holds, any of which a run must have; no words let everything through. 0 is no limit.
    """
    holds = await run_holds(store)
    states = frozenset(state for state in SyncJobState if state.value in words)
    wanted = JobFilter(states if states and len(states) == len(set(words)) else frozenset(), equipment_id)
    rows = []
    async for job in all_jobs(store, wanted):
        row = _row(job, holds.pop(job.run_path, None))
        if not words or row.word in words or row.state in words:
            rows.append(row)
        if limit and len(rows) == limit:
            return rows
    bare = [_bare(hold) for hold in holds.values() if await store.job_of(hold.key) is None]
    fitting = (
        row
        for row in bare
        if (not words or row.word in words) and (not equipment_id or row.equipment_id == equipment_id)
    )
    rest = limit - len(rows) if limit else len(bare)
    return rows + heapq.nsmallest(rest, fitting, key=lambda row: row.run_path)


def as_data(run: ListedRun) -> dict[str, object]:
    """A row for programs."""
    return {
        "run_path": run.run_path,
        "equipment_id": run.equipment_id,
        "word": run.word,
        "state": run.state or None,
        "job_id": run.job_id or None,
        "files": run.files,
        "bytes": run.size,
        "since": utc(run.since) if run.since else None,
        "sentence": run.sentence,
    }


def _row(job: SyncJobRow, hold: Hold | None) -> ListedRun:
    held = hold is not None and job.state is SyncJobState.QUEUED
    word = hold.kind.value if hold is not None and held else job.state.value
    moment = hold.since if hold is not None and held else _since(job)
    sentence = hold.sentence if hold is not None else job.last_error or ""
    return ListedRun(
        run_path=job.run_path,
        equipment_id=job.equipment_id,
        word=word,
        state=job.state.value,
        job_id=job.id,
        files=job.files_total,
        size=job.bytes_total,
        since=moment,
        sentence=sentence,
    )


def _since(job: SyncJobRow) -> datetime | None:
    if job.state in SAFE_STATES:
        return job.verified_at
    if job.state is SyncJobState.QUEUED:
        return job.enqueued_at
    return job.last_attempt_at or job.enqueued_at


def _bare(hold: Hold) -> ListedRun:
    return ListedRun(hold.key, hold.equipment_id, hold.kind.value, since=hold.since, sentence=hold.sentence)
