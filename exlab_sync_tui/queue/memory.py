"""What is a store that forgets? The ``JobStore`` in memory, for tests and for embedding; it acts as the file does."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Unpack

from exlab_sync_tui.errors import IllegalTransitionError, NotFoundError
from exlab_sync_tui.model.entry import FileRecord, FileTotals
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState, is_legal
from exlab_sync_tui.queue.in_memory import in_order, place
from exlab_sync_tui.queue.jobs import MOVING, is_free_for
from exlab_sync_tui.queue.memory_ledger import MemoryLedger
from exlab_sync_tui.queue.rows import EPOCH, plain
from exlab_sync_tui.queue.store import FilesWanted, HistoryEntry, JobChanges, JobFilter, JobKey, Waiting
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.queue.store import Debt, NewJob

_RUNNING = JobFilter(frozenset({SyncJobState.RUNNING}))
_WANTED: dict[FilesWanted, Callable[[FileRecord], bool]] = {
    FilesWanted.ALL: lambda _: True,
    FilesWanted.UNPROVEN: lambda record: not record.proven,
    FilesWanted.UNPUBLISHED: lambda record: not record.published,
    FilesWanted.SENT: lambda record: not record.published and record.sha256 is not None,
}


class MemoryStore(MemoryLedger):
    """Keeps everything until the object is gone, over any number of ``close`` and ``open``."""

    async def enqueue(self, new: NewJob, *, at: datetime, who: str) -> tuple[SyncJobRow, bool]:
        """Queue a run unless it has a job; the job, and whether it is new."""
        known = await self.job_of(new.run_path)
        if known is not None:
            return known, False
        job = SyncJobRow(
            id=new.id,
            run_path=new.run_path,
            equipment_id=new.equipment_id,
            state=SyncJobState.QUEUED,
            enqueued_at=at,
            nas_path=new.nas_path,
            seq=self._next_seq(),
            origin=new.origin,
            files_total=new.files,
            bytes_total=new.size,
        )
        self._now.jobs[job.id] = job
        self._append(HistoryEntry(at, job.run_path, job.id, who, "queued", after=job.state.value))
        return job, True

    def _next_seq(self) -> int:
        return next((job.seq for job in reversed(self._now.jobs.values())), 0) + 1

    async def job(self, job_id: str) -> SyncJobRow | None:
        """The job with this id."""
        return self._now.jobs.get(job_id)

    async def job_of(self, run_path: str) -> SyncJobRow | None:
        """The job of a run."""
        return next((job for job in self._now.jobs.values() if job.run_path == run_path), None)

    async def jobs_of(self, run_paths: Sequence[str]) -> dict[str, SyncJobRow]:
        """The jobs of these runs by run path."""
        wanted = set(run_paths)
        return {job.run_path: job for job in self._now.jobs.values() if job.run_path in wanted}

    async def jobs(
        self,
        wanted: JobFilter,
        *,
        after_seq: int = 0,
        limit: int = 500,
        skip: int = 0,
        newest_first: bool = False,
        by: JobKey = JobKey.QUEUED,
    ) -> list[SyncJobRow]:
        """A page of jobs, smallest key or largest key first."""
        return in_order(self._now.jobs.values(), wanted, after_seq, newest_first=newest_first, by=by)[
            skip : skip + limit
        ]

    async def place(
        self, job: SyncJobRow, wanted: JobFilter, *, newest_first: bool = False, by: JobKey = JobKey.QUEUED
    ) -> int:
        """How many jobs come before *job* in that order."""
        return place(self._now.jobs.values(), job, wanted, newest_first=newest_first, by=by)

    async def counts(self) -> dict[tuple[str, SyncJobState], int]:
        """How many jobs each equipment has in each state; groups of none are left out."""
        numbers: dict[tuple[str, SyncJobState], int] = {}
        for job in self._now.jobs.values():
            group = (job.equipment_id, job.state)
            numbers[group] = numbers.get(group, 0) + 1
        return numbers

    async def waiting(self) -> dict[str, Waiting]:
        """What is queued or being sent, by equipment."""
        found: dict[str, Waiting] = {}
        for job in self._now.jobs.values():
            if job.state in {SyncJobState.QUEUED, SyncJobState.RUNNING}:
                before = found.get(job.equipment_id, Waiting())
                found[job.equipment_id] = Waiting(
                    before.size + job.bytes_total, before.unsized + (job.files_total == 0)
                )
        return found

    async def claim(self, equipment_id: str, *, at: datetime) -> SyncJobRow | None:
        """Take the oldest queued job that is due and not held, and make it running."""
        for job in self._waiting(equipment_id):
            if job.next_attempt_at is not None and job.next_attempt_at <= at:
                self._now.jobs[job.id] = replace(job, next_attempt_at=None)
        due = next((job for job in self._waiting(equipment_id) if job.next_attempt_at is None), None)
        if due is None:
            return None
        running = replace(due, state=SyncJobState.RUNNING, started_at=at, last_attempt_at=at)
        return self._keep(due, running, at, "engine", "started")

    async def next_due(self, equipment_id: str) -> datetime | None:
        """When the next queued job that is not held becomes due; 1970 if one is due already."""
        return min((job.next_attempt_at or EPOCH for job in self._waiting(equipment_id)), default=None)

    def _waiting(self, equipment_id: str) -> list[SyncJobRow]:
        return [
            job
            for job in self._now.jobs.values()
            if job.equipment_id == equipment_id and job.state is SyncJobState.QUEUED and not job.held
        ]

    async def move(
        self,
        job_id: str,
        to: SyncJobState,
        *,
        at: datetime,
        who: str,
        what: str,
        debts: Sequence[Debt] = (),
        only_from: SyncJobState | None = None,
        **changes: Unpack[JobChanges],
    ) -> SyncJobRow:
        """Make one legal transition. Unless *changes* say otherwise the job is then due now and not held."""
        job = self._known(job_id)
        if not is_legal(job.state, to) or only_from not in (None, job.state) or not is_free_for(job, to):
            raise IllegalTransitionError(
                f"The run {safe_text(job.run_path)} is {job.state.value} and cannot become {to.value} from there; "
                "nothing was changed."
            )
        moved = self._changed(replace(job, state=to, next_attempt_at=None, held=False), changes)
        self._keep(job, moved, at, who, what)
        for debt in debts:
            await self.owe(debt)
        return moved

    async def begin_release(self, job_id: str, *, at: datetime, who: str, what: str) -> SyncJobRow:
        """Set the durable mark that local files are being deleted."""
        job = self._known(job_id)
        if job.releasing_at is not None:
            return job
        if job.state is not SyncJobState.CLEANUP_ELIGIBLE or job.keep_local or await self.debts(job.run_path):
            raise IllegalTransitionError(
                f"The local copy of {safe_text(job.run_path)} may not be deleted any more; nothing was changed."
            )
        marked = self._now.jobs[job_id] = replace(job, releasing_at=at)
        self._append(HistoryEntry(at, job.run_path, job.id, who, what))
        return marked

    async def forget(self, job_id: str, *, at: datetime, who: str, what: str) -> None:
        """Drop a job and what hangs on it, except its history."""
        job = self._known(job_id)
        if job.state in MOVING:
            raise IllegalTransitionError(
                f"The run {safe_text(job.run_path)} is just being moved; pause its instrument first, then forget it."
            )
        content = self._now
        del content.jobs[job_id]
        content.files.pop(job_id, None)
        content.holds.pop((os.fsencode(job.run_path), HoldScope.RUN.value), None)
        content.observations.pop(job.run_path, None)
        for debt in await self.debts(job.run_path):
            del content.debts[os.fsencode(debt.run_path), debt.kind]
        self._append(HistoryEntry(at, job.run_path, job.id, who, what, before=job.state.value))

    async def restore(self, job: SyncJobRow, *, at: datetime, who: str, what: str) -> bool:
        """Put a job back as it was known elsewhere."""
        if job.id in self._now.jobs or await self.job_of(job.run_path) is not None:
            return False
        self._now.jobs[job.id] = replace(job, seq=self._next_seq())
        self._append(HistoryEntry(at, job.run_path, job.id, who, what, after=job.state.value))
        return True

    async def stale(
        self, equipment_id: str, states: frozenset[SyncJobState], before: datetime, *, limit: int = 500, skip: int = 0
    ) -> list[SyncJobRow]:
        """A page of jobs whose last pass is long ago."""
        found = [
            (job.passed_at, job.seq, job)
            for job in self._now.jobs.values()
            if job.equipment_id == equipment_id
            and job.state in states
            and job.passed_at is not None
            and job.passed_at <= before
        ]
        return [job for _, _, job in sorted(found, key=lambda item: item[:2])][skip : skip + limit]

    async def amend(self, job_id: str, **changes: Unpack[JobChanges]) -> SyncJobRow:
        """Change columns without changing the state."""
        job = self._changed(self._known(job_id), changes)
        self._now.jobs[job_id] = job
        return job

    async def running_to_queued(self, *, at: datetime, who: str, what: str) -> int:
        """Queue again what was running when the last engine ended."""
        running = await self.jobs(_RUNNING, limit=len(self._now.jobs))
        for job in running:
            queued = replace(job, state=SyncJobState.QUEUED, next_attempt_at=None, held=False)
            self._keep(job, queued, at, who, what)
        return len(running)

    def _known(self, job_id: str) -> SyncJobRow:
        if job_id not in self._now.jobs:
            raise NotFoundError(f"There is no job {safe_text(job_id)}; `exlab-sync list` shows the known ones.")
        return self._now.jobs[job_id]

    @staticmethod
    def _changed(job: SyncJobRow, changes: JobChanges) -> SyncJobRow:
        if strange := changes.keys() - JobChanges.__annotations__.keys():
            raise TypeError(f"a job has no changeable column {', '.join(sorted(strange))}")
        job = replace(job, **changes)
        return job if job.last_error is None else replace(job, last_error=plain(job.last_error))

    def _keep(self, before: SyncJobRow, after: SyncJobRow, at: datetime, who: str, what: str) -> SyncJobRow:
        self._now.jobs[after.id] = after
        self._append(HistoryEntry(at, after.run_path, after.id, who, what, before.state.value, after.state.value))
        return after

    async def put_files(self, job_id: str, records: Sequence[FileRecord]) -> None:
        """Insert or replace file records. Raises ``NotFoundError``."""
        self._known(job_id)
        self._files(job_id).update((os.fsencode(record.rel), record) for record in records)

    def _files(self, job_id: str) -> dict[bytes, FileRecord]:
        return self._now.files.setdefault(job_id, {})

    async def files(
        self, job_id: str, *, after: str = "", limit: int = 5_000, wanted: FilesWanted = FilesWanted.ALL, skip: int = 0
    ) -> list[FileRecord]:
        """A page of file records in the order of their path bytes."""
        place = os.fsencode(after)
        is_wanted = _WANTED[wanted]
        behind = (record for rel, record in sorted(self._files(job_id).items()) if rel > place)
        return list(islice(filter(is_wanted, behind), skip, skip + limit))

    async def mark_published(self, job_id: str, rels: Sequence[str] | None = None) -> None:
        """Mark the records of these paths, or all, as published."""
        records = self._files(job_id)
        for rel in records.keys() & (records if rels is None else {os.fsencode(rel) for rel in rels}):
            records[rel] = records[rel]._replace(published=True)

    async def drop_files(self, job_id: str, rels: Sequence[str] | None = None) -> None:
        """Forget the records of these paths, or of all."""
        records = self._files(job_id)
        for rel in list(records) if rels is None else [os.fsencode(rel) for rel in rels]:
            records.pop(rel, None)

    async def file_totals(self, job_id: str) -> FileTotals:
        """Counts and bytes of the job's records."""
        records = self._files(job_id).values()
        proven = [record.size for record in records if record.proven]
        unpublished = sum(record.size for record in records if not record.published)
        return FileTotals(len(records), sum(record.size for record in records), len(proven), sum(proven), unpublished)

    async def set_hold(self, hold: Hold, *, story: HistoryEntry | None = None) -> bool:
        """Lay or renew a hold; ``False`` if it says nothing new."""
        hold = replace(hold, sentence=plain(hold.sentence), next_step=plain(hold.next_step))
        before = await self.hold(hold.scope, hold.key)
        same_kind = before is not None and before.kind is hold.kind
        if before is not None and same_kind:
            hold = replace(hold, since=before.since)
        self._now.holds[os.fsencode(hold.key), hold.scope.value] = hold
        if story is not None:
            self._append(story)
        return not (before is not None and same_kind and before.sentence == hold.sentence)

    async def clear_hold(self, scope: HoldScope, key: str, *, story: HistoryEntry | None = None) -> Hold | None:
        """Remove the hold; the one that was there."""
        before = self._now.holds.pop((os.fsencode(key), scope.value), None)
        if before is not None and story is not None:
            self._append(story)
        return before

    async def hold(self, scope: HoldScope, key: str) -> Hold | None:
        """The hold on one run, equipment or destination."""
        return self._now.holds.get((os.fsencode(key), scope.value))

    async def holds(self, *, equipment_id: str = "", after_key: str = "", limit: int = 500) -> list[Hold]:
        """A page of holds ordered by the bytes of their keys; holds of one key are never parted."""
        place = os.fsencode(after_key)
        fitting = [
            hold
            for (key, _), hold in sorted(self._now.holds.items(), key=lambda item: item[0])
            if key > place and equipment_id in {"", hold.equipment_id}
        ]
        rest = [hold for hold in fitting[limit:] if hold.key == fitting[limit - 1].key]
        return fitting[:limit] + rest

    async def release(self, equipment_ids: Sequence[str], *, run_path: str = "") -> int:
        """Un-hold the held queued jobs of these equipments, or only that of *run_path*, due at once."""
        held = [
            job
            for job in self._now.jobs.values()
            if job.held
            and job.state is SyncJobState.QUEUED
            and (job.run_path == run_path if run_path else job.equipment_id in equipment_ids)
        ]
        for job in held:
            self._now.jobs[job.id] = replace(job, held=False, next_attempt_at=None)
        return len(held)

    async def record(self, entry: HistoryEntry) -> None:
        """Append a line to the history."""
        self._append(entry)

    def _append(self, entry: HistoryEntry) -> None:
        seq = len(self._now.history) + 1
        self._now.history.append(replace(entry, who=plain(entry.who), what=plain(entry.what), seq=seq))

    async def history(
        self, run_path: str, *, after_seq: int = 0, limit: int = 500, newest_first: bool = False
    ) -> list[HistoryEntry]:
        """A page of a run's story, oldest or newest first."""
        story = [entry for entry in self._now.history[after_seq:] if entry.run_path == run_path]
        return (story[::-1] if newest_first else story)[:limit]

    async def news(self, after_seq: int, limit: int = 500) -> list[HistoryEntry]:
        """A page of what happened to any run, oldest first."""
        return self._now.history[after_seq : after_seq + limit]

    async def newest(self) -> int:
        """The number of the newest line of the history, 0 if there is none."""
        return len(self._now.history)
