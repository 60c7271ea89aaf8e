"""Where does the truth about every run live? In one SQLite file, written by one engine and read by anybody."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar, Unpack

from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.queue import commands, files, ledger, paging, schema
from exlab_sync_tui.queue.connection import Connection, open_reader, open_writer
from exlab_sync_tui.queue.jobs import MOVING, Jobs
from exlab_sync_tui.queue.skipping import Skips
from exlab_sync_tui.queue.store import FilesWanted, JobKey
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord, FileTotals
    from exlab_sync_tui.model.hold import Hold, HoldScope
    from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
    from exlab_sync_tui.queue.store import (
        Command,
        Debt,
        HistoryEntry,
        JobChanges,
        JobFilter,
        NewJob,
        Observation,
        Waiting,
    )

T = TypeVar("T")

_DROP_BATCH = 20_000


class SQLiteStore:
    """The ``JobStore`` in a file: one connection that writes, one that reads, each on a thread of its own.

    With *read_only* the store can be read beside a running engine; every write then raises ``StoreError``. With
    *attached* that is so too, but orders can be left in it (``ask``, ``withdraw``) for the engine that runs.
    A write whose task is cancelled is either made as a whole or not made; it is never half made.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        attached: bool = False,
        migrations: Sequence[schema.Migration] | None = None,
    ) -> None:
        self._path = path
        self._read_only = read_only or attached
        self._attached = attached
        self._migrations = migrations
        self._reader: Connection | None = None
        self._writer: Connection | None = None
        self._asker: Connection | None = None
        self._asking = asyncio.Lock()
        self._skips = Skips()
        self._jobs = Jobs(self._skips)
        self._store_id = ""

    @property
    def store_id(self) -> str:
        """A uuid4 made with the store; empty before ``open``."""
        return self._store_id

    async def open(self) -> None:
        """Open, create or upgrade (after a backup ``<name>.before-<version>.bak``).

        Raises ``StoreTooNewError``, ``StoreDamagedError``, ``StoreError``; with *read_only* or *attached*
        ``NotFoundError`` if there is no store yet. After a failure nothing is left open."""
        steps = schema.migrations() if self._migrations is None else self._migrations
        try:
            if self._read_only:
                await asyncio.to_thread(schema.require, self._path, steps)
            else:
                await asyncio.to_thread(schema.prepare, self._path, steps)
                self._writer = Connection(self._path, open_writer)
                await self._writer.start()
                await self._write(self._jobs.mend)
            self._reader = Connection(self._path, open_reader)
            await self._reader.start()
            self._store_id = await self._read(schema.store_id)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close both connections; steps under way are finished first."""
        connections = [each for each in (self._reader, self._writer, self._asker) if each is not None]
        self._reader = self._writer = self._asker = None
        for connection in connections:
            await connection.close()

    async def _read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise self._closed()
        return await self._reader.read(step)

    async def _write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        if self._writer is None:
            raise self._closed()
        return await self._writer.write(step)

    async def _order(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Write to the table of commands, which an attached store may; its connection is made when it is needed."""
        if not self._attached or self._reader is None:
            return await self._write(step)
        async with self._asking:
            if self._asker is None:
                asker = Connection(self._path, open_writer)
                await asker.start()
                self._asker = asker
        return await self._asker.write(step)

    def _closed(self) -> StoreError:
        if self._reader is not None:
            return StoreError(f"The job store {safe_text(self._path)} is open for reading only; nothing was changed.")
        return StoreError(f"The job store {safe_text(self._path)} is not open; open it first.")

    async def enqueue(self, new: NewJob, *, at: datetime, who: str) -> tuple[SyncJobRow, bool]:
        """Queue a run unless it has a job; the job, and whether it is new."""
        return await self._write(lambda db: self._jobs.enqueue(db, new, at, who))

    async def job(self, job_id: str) -> SyncJobRow | None:
        """The job with this id."""
        return await self._read(lambda db: self._jobs.by_id(db, job_id))

    async def job_of(self, run_path: str) -> SyncJobRow | None:
        """The job of a run."""
        return await self._read(lambda db: self._jobs.by_run(db, run_path))

    async def jobs_of(self, run_paths: Sequence[str]) -> dict[str, SyncJobRow]:
        """The jobs of these runs by run path."""
        return await self._read(lambda db: self._jobs.by_runs(db, run_paths))

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
        return await self._read(
            lambda db: self._jobs.page(db, wanted, after_seq, limit, skip=skip, newest_first=newest_first, by=by)
        )

    async def place(
        self, job: SyncJobRow, wanted: JobFilter, *, newest_first: bool = False, by: JobKey = JobKey.QUEUED
    ) -> int:
        """How many jobs come before *job* in that order."""
        return await self._read(lambda db: paging.place(db, job, wanted, newest_first=newest_first, by=by))

    async def counts(self) -> dict[tuple[str, SyncJobState], int]:
        """How many jobs each equipment has in each state; groups of none are left out."""
        return await self._read(self._jobs.counts)

    async def waiting(self) -> dict[str, Waiting]:
        """What is queued or being sent, by equipment."""
        return await self._read(self._jobs.waiting)

    async def claim(self, equipment_id: str, *, at: datetime) -> SyncJobRow | None:
        """Take the oldest queued job that is due and not held, and make it running."""
        return await self._write(lambda db: self._jobs.claim(db, equipment_id, at))

    async def next_due(self, equipment_id: str) -> datetime | None:
        """When the next queued job that is not held becomes due; 1970 if one is due already."""
        return await self._read(lambda db: self._jobs.next_due(db, equipment_id))

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
        return await self._write(
            lambda db: self._jobs.move(
                db, job_id, to, at=at, who=who, what=what, debts=debts, only_from=only_from, changes=changes
            )
        )

    async def begin_release(self, job_id: str, *, at: datetime, who: str, what: str) -> SyncJobRow:
        """Set the durable mark that local files are being deleted."""
        return await self._write(lambda db: self._jobs.begin_release(db, job_id, at, who, what))

    async def forget(self, job_id: str, *, at: datetime, who: str, what: str) -> None:
        """Drop a job; its records go in batches first, so that the last step is short."""
        job = await self.job(job_id)
        if job is not None and job.state not in MOVING:
            await self.drop_files(job_id)
        await self._write(lambda db: self._jobs.forget(db, job_id, at, who, what))

    async def restore(self, job: SyncJobRow, *, at: datetime, who: str, what: str) -> bool:
        """Put a job back as it was known elsewhere."""
        return await self._write(lambda db: self._jobs.restore(db, job, at, who, what))

    async def stale(
        self, equipment_id: str, states: frozenset[SyncJobState], before: datetime, *, limit: int = 500, skip: int = 0
    ) -> list[SyncJobRow]:
        """A page of jobs whose last pass is long ago."""
        return await self._read(lambda db: self._jobs.stale(db, equipment_id, states, before, limit=limit, skip=skip))

    async def amend(self, job_id: str, **changes: Unpack[JobChanges]) -> SyncJobRow:
        """Change columns without changing the state."""
        return await self._write(lambda db: self._jobs.amend(db, job_id, changes))

    async def running_to_queued(self, *, at: datetime, who: str, what: str) -> int:
        """Queue again what was running when the last engine ended."""
        return await self._write(lambda db: self._jobs.running_to_queued(db, at, who, what))

    async def put_files(self, job_id: str, records: Sequence[FileRecord]) -> None:
        """Insert or replace file records. Raises ``NotFoundError``."""
        await self._write(partial(files.put, job_id=job_id, records=records))

    async def files(
        self, job_id: str, *, after: str = "", limit: int = 5_000, wanted: FilesWanted = FilesWanted.ALL, skip: int = 0
    ) -> list[FileRecord]:
        """A page of file records in the order of their path bytes."""
        return await self._read(lambda db: files.page(db, job_id, after, limit, wanted, skip=skip))

    async def mark_published(self, job_id: str, rels: Sequence[str] | None = None) -> None:
        """Mark the records of these paths, or all, as published."""
        await self._write(partial(files.mark_published, job_id=job_id, rels=rels))

    async def drop_files(self, job_id: str, rels: Sequence[str] | None = None) -> None:
        """Forget records, from the front, in batches that let other writers in: a crash may leave the tail."""
        if rels is None:
            while await self._write(lambda db: files.drop_first(db, job_id, _DROP_BATCH)):
                pass
            return
        for start in range(0, len(rels), _DROP_BATCH):
            await self._write(partial(files.drop, job_id=job_id, rels=rels[start : start + _DROP_BATCH]))

    async def file_totals(self, job_id: str) -> FileTotals:
        """Counts and bytes of the job's records; reads each once."""
        return await self._read(lambda db: files.totals(db, job_id))

    async def set_hold(self, hold: Hold, *, story: HistoryEntry | None = None) -> bool:
        """Lay or renew a hold; ``False`` if it says nothing new."""
        return await self._write(lambda db: ledger.set_hold(db, self._skips, hold, story))

    async def clear_hold(self, scope: HoldScope, key: str, *, story: HistoryEntry | None = None) -> Hold | None:
        """Remove the hold; the one that was there."""
        return await self._write(lambda db: ledger.clear_hold(db, self._skips, scope, key, story))

    async def hold(self, scope: HoldScope, key: str) -> Hold | None:
        """The hold on one run, equipment or destination."""
        return await self._read(lambda db: ledger.get_hold(db, self._skips, scope, key))

    async def holds(self, *, equipment_id: str = "", after_key: str = "", limit: int = 500) -> list[Hold]:
        """A page of holds ordered by the bytes of their keys; holds of one key are never parted."""
        return await self._read(lambda db: ledger.holds(db, self._skips, equipment_id, after_key, limit))

    async def release(self, equipment_ids: Sequence[str], *, run_path: str = "") -> int:
        """Un-hold the held queued jobs of these equipments, or only that of *run_path*, due at once."""
        return await self._write(lambda db: self._jobs.release(db, equipment_ids, run_path))

    async def record(self, entry: HistoryEntry) -> None:
        """Append a line to the history."""
        await self._write(lambda db: ledger.append(db, entry))

    async def history(
        self, run_path: str, *, after_seq: int = 0, limit: int = 500, newest_first: bool = False
    ) -> list[HistoryEntry]:
        """A page of a run's story, oldest or newest first."""
        return await self._read(
            lambda db: ledger.history(db, self._skips, run_path, after_seq, limit, newest_first=newest_first)
        )

    async def news(self, after_seq: int, limit: int = 500) -> list[HistoryEntry]:
        """A page of what happened to any run, oldest first."""
        return await self._read(lambda db: ledger.news(db, self._skips, after_seq, limit))

    async def newest(self) -> int:
        """The number of the newest line of the history, 0 if there is none."""
        return await self._read(ledger.newest)

    async def ask(self, command: Command) -> None:
        """Leave an order for the engine, once; an attached store may."""
        await self._order(lambda db: commands.ask(db, command))

    async def unanswered(self, limit: int = 1_000) -> list[Command]:
        """The orders that have no outcome yet, oldest first."""
        return await self._read(lambda db: commands.unanswered(db, limit))

    async def take(self, command_id: str, *, at: datetime) -> bool:
        """Begin with an order; ``False`` if it was withdrawn or answered."""
        return await self._write(lambda db: commands.take(db, command_id, at))

    async def answer(self, command_id: str, outcome: str, exit_code: int, *, at: datetime) -> None:
        """Write what became of an order, once, and drop those answered a day ago."""
        await self._write(lambda db: commands.answer(db, command_id, outcome, exit_code, at))

    async def answered(self, command_id: str) -> Command | None:
        """The order with its outcome; ``None`` as long as it has none."""
        return await self._read(lambda db: commands.answered(db, command_id))

    async def withdraw(self, command_id: str) -> bool:
        """Take an order back; ``False`` if the engine has begun with it. An attached store may."""
        return await self._order(lambda db: commands.withdraw(db, command_id))

    async def debts(self, run_path: str = "") -> list[Debt]:
        """What is owed, oldest first."""
        return await self._read(lambda db: ledger.debts(db, self._skips, run_path))

    async def owe(self, debt: Debt) -> None:
        """Remember an owed write."""
        await self._write(lambda db: ledger.owe(db, debt))

    async def unpaid(self, debt: Debt, reason: str) -> None:
        """Note why *debt* could not be paid, unless a newer value has replaced it."""
        await self._write(lambda db: ledger.unpaid(db, debt, reason))

    async def paid(self, debt: Debt) -> None:
        """Forget *debt*, unless a newer value has replaced it."""
        await self._write(lambda db: ledger.paid(db, debt))

    async def observation(self, run_path: str) -> Observation | None:
        """How the run looked last time."""
        return await self._read(lambda db: ledger.observation(db, run_path))

    async def observations(self, run_paths: Sequence[str]) -> dict[str, Observation]:
        """How these runs looked last time, by run path."""
        return await self._read(lambda db: ledger.observations(db, run_paths))

    async def observe(self, observation: Observation) -> None:
        """Remember how the run looks."""
        await self._write(lambda db: ledger.observe(db, observation))

    async def mark_taken(self, run_path: str, fingerprint: str) -> None:
        """The run was handed over as it looked, unless that has been forgotten meanwhile."""
        await self._write(lambda db: ledger.mark_taken(db, run_path, fingerprint))

    async def forget_observation(self, run_path: str) -> None:
        """Stop remembering how the run looks."""
        await self._write(lambda db: ledger.forget_observation(db, run_path))

    async def note(self, key: str, value: str | None) -> None:
        """Keep one small text under a key; ``None`` removes it."""
        await self._write(lambda db: ledger.note(db, key, value))

    async def noted(self, key: str) -> str | None:
        """The text under a key."""
        return await self._read(lambda db: ledger.noted(db, key))
