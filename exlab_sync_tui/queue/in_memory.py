"""In which order do jobs stand that are at hand? What ``paging.py`` asks SQLite for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.queue.rows import folded
from exlab_sync_tui.queue.store import JobKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobFilter


def in_order(
    jobs: Iterable[SyncJobRow], wanted: JobFilter, after_seq: int, *, newest_first: bool, by: JobKey
) -> list[SyncJobRow]:
    """Those that fit, sorted."""
    text = folded(wanted.text)
    fitting = [
        job
        for job in jobs
        if job.seq > after_seq
        and (not wanted.states or job.state in wanted.states)
        and wanted.equipment_id in {"", job.equipment_id}
        and job.verify_passes >= wanted.min_passes
        and (job.releasing_at is not None or not wanted.releasing)
        and text in folded(job.run_path)
    ]
    if by is JobKey.QUEUED:
        return fitting[::-1] if newest_first else fitting
    if by is JobKey.SIZE:
        return sorted(fitting, key=lambda job: job.bytes_total, reverse=newest_first)
    return sorted(fitting, key=lambda job: folded(job.run_path), reverse=newest_first)


def place(jobs: Iterable[SyncJobRow], job: SyncJobRow, wanted: JobFilter, *, newest_first: bool, by: JobKey) -> int:
    """How many that fit come before *job*, whether it fits or not."""
    others = [one for one in in_order(jobs, wanted, 0, newest_first=newest_first, by=by) if one.id != job.id]

    def comes_before(one: SyncJobRow) -> bool:
        if by is JobKey.QUEUED:
            return one.seq > job.seq if newest_first else one.seq < job.seq
        ours, theirs = _key(job, by), _key(one, by)
        if ours == theirs:
            return one.seq < job.seq
        return theirs > ours if newest_first else theirs < ours

    return sum(1 for one in others if comes_before(one))


def _key(job: SyncJobRow, by: JobKey) -> bytes:
    return job.bytes_total.to_bytes(16, "big") if by is JobKey.SIZE else folded(job.run_path)
