"""May this folder be queued, and what is new in it? The one door into the queue."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from exlab_sync_tui.engine.grants import recorded_here
from exlab_sync_tui.engine.travel.freeze import compare
from exlab_sync_tui.engine.travel.places import place_of
from exlab_sync_tui.engine.upkeep.leftovers import kept_receipt, tell_leftovers
from exlab_sync_tui.errors import CreationDuplicateKeysError
from exlab_sync_tui.gate.advice import advice
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import PUBLISHED, Round, SyncHandleState, SyncJobHandle, SyncJobState
from exlab_sync_tui.model.run import Layout
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.queue.store import Debt, DebtKind, NewJob
from exlab_sync_tui.text import count, safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.gate.validator import Verdict
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.provenance.creation import Creation
    from exlab_sync_tui.watch.completeness import Look


class Intake:
    """Asks the gate, then makes or renews the run's job. Idempotent, and safe to call at the same time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def enqueue(
        self, run: RunFolder, instrument: Instrument, *, origin: str, who: str, seen: Look | None = None
    ) -> SyncJobHandle:
        """Queue the run, or say what blocks it; *seen* is the look that found it finished, if there was one.

        Raises ``OrphanRunError``, ``CreationError``, ``OSError``.
        """
        async with self._doors.setdefault(str(run.path), asyncio.Lock()):
            return await self._enqueue(run, instrument, origin=origin, who=who, seen=seen)

    async def _enqueue(
        self, run: RunFolder, instrument: Instrument, *, origin: str, who: str, seen: Look | None
    ) -> SyncJobHandle:
        run_path = str(run.path)
        job = await self._parts.store.job_of(run_path)
        if job is not None and job.is_released:  # never snapshotted again (FORMATS.md §6)
            await self.look_at_released(job, instrument)
            return SyncJobHandle(job.id, SyncHandleState.QUEUED, run_path)
        if run.equipment.layout is Layout.EXLAB:
            refuse_duplicates(await asyncio.to_thread(read_creation, run.path), run)
        synced = job is not None and job.state in PUBLISHED
        granted = await recorded_here(self._parts.store, run)
        verdict = await asyncio.to_thread(
            self._parts.validator.judge, run, at=self._parts.now(), synced=synced, granted=granted
        )
        if verdict.blocking:
            if job is not None and synced and not await self._has_news(run, job, instrument):
                return SyncJobHandle("", SyncHandleState.BLOCKED, run_path, verdict.blocking)
            return await self.block(run, verdict)
        hold = await self._parts.store.hold(HoldScope.RUN, run_path)
        if synced and hold is not None and hold.kind is HoldKind.BLOCKED:
            await self._parts.holds.lift(HoldScope.RUN, run_path, "The gate objects to nothing any more.")
        if job is None:
            job = await self._queue_new(run, instrument, origin=origin, who=who, seen=seen)
        elif job.state in PUBLISHED:
            job = await self._queue_what_is_new(run, job, instrument, who=who)
        elif job.held:
            await self._let_go(run, job)
        return SyncJobHandle(job.id, SyncHandleState.QUEUED, run_path)

    async def look_at_released(self, job: SyncJobRow, instrument: Instrument) -> None:
        """A run whose deletion has begun is no source any more: what is new there is a hold, and stays (§6)."""
        receipt = await asyncio.to_thread(kept_receipt, self._parts.records_folder, job)
        await tell_leftovers(self._parts, job, instrument.litter, receipt)

    async def _has_news(self, run: RunFolder, job: SyncJobRow, instrument: Instrument) -> bool:
        """Whether anything would have to leave: a finding on what has left already changes nothing (§5)."""
        return (await compare(self._parts.store, job.id, run.path, instrument.litter, None)).differs

    async def block(self, run: RunFolder, verdict: Verdict) -> SyncJobHandle:
        """Lay the ``blocked`` hold; a job that is queued already waits with it."""
        first = verdict.blocking[0]
        others = f" (and {count(len(verdict.blocking) - 1, 'more finding')})" if len(verdict.blocking) > 1 else ""
        where = "the run's own path" if first.offending_path == "." else safe_text(first.offending_path)
        run_path = str(run.path)
        sentence = f"Blocked by the gate: {first.rule.value} at {where}: {first.rule_detail}{others}."
        before = await self._parts.store.hold(HoldScope.RUN, run_path)
        if before is None or (before.kind, before.sentence) != (HoldKind.BLOCKED, safe_text(sentence)):
            await self._owe_status(run, "blocked_by_validation")
        await self._parts.holds.lay(
            HoldScope.RUN,
            run_path,
            HoldKind.BLOCKED,
            sentence,
            equipment_id=run.equipment_id,
            next_step=f"{advice(first)} It is asked again by itself.",
        )
        return SyncJobHandle("", SyncHandleState.BLOCKED, run_path, verdict.blocking)

    async def _queue_new(
        self, run: RunFolder, instrument: Instrument, *, origin: str, who: str, seen: Look | None
    ) -> SyncJobRow:
        files, size = (seen.files, seen.size) if seen is not None else (0, 0)
        new = NewJob(str(uuid.uuid4()), str(run.path), run.equipment_id, place_of(run, instrument), origin, files, size)
        job, is_new = await self._parts.store.enqueue(new, at=self._parts.now(), who=who)
        if is_new:
            await self._let_go(run, job)
            await self._owe_status(run, "pending")
            self._say_queued(run, job, "queued")
        return job

    async def _queue_what_is_new(
        self, run: RunFolder, job: SyncJobRow, instrument: Instrument, *, who: str
    ) -> SyncJobRow:
        """A verified run: unchanged is a no-op, additions are sent, anything else is a new revision (§6)."""
        seen = await compare(self._parts.store, job.id, run.path, instrument.litter, None)
        if not seen.differs:
            return job
        additions = not (seen.changed or seen.gone)
        revision = job.revision if additions else job.revision + 1
        what = (
            f"{count(len(seen.added), 'new file')} to add"
            if additions
            else f"changed since: sent anew as __r{revision}"
        )
        job = await self._parts.store.move(
            job.id,
            SyncJobState.QUEUED,
            at=self._parts.now(),
            who=who,
            what=what,
            only_from=job.state,
            frozen=additions,
            round=Round.ADDITIONS if additions else Round.REVISION,
            revision=revision,
            nas_path=place_of(run, instrument, revision, job.beside),
            attempts=0,
            resent=False,
            verify_passes=0,
            publishing="",
            next_attempt_at=None,
            held=False,
        )
        await self._owe_status(run, "pending")
        self._say_queued(run, job, what)
        return job

    async def _let_go(self, run: RunFolder, job: SyncJobRow) -> None:
        await self._parts.holds.lift(HoldScope.RUN, job.run_path, f"{run.equipment_id} {run.below} is ready to go.")
        await self._parts.store.release([run.equipment_id], run_path=job.run_path)

    async def _owe_status(self, run: RunFolder, status: str) -> None:
        if run.writes_locally:
            await self._parts.store.owe(Debt(str(run.path), DebtKind.SYNC_STATUS, status, self._parts.now()))

    def _say_queued(self, run: RunFolder, job: SyncJobRow, what: str) -> None:
        self._parts.bus.say(EventKind.RUN_QUEUED, f"{run.equipment_id} {run.below}: {what}.", job=job)


def refuse_duplicates(creation: Creation, run: RunFolder) -> None:
    """A file with duplicate keys can never be written (``FORMATS.md`` §2), so its run is refused at the door."""
    if creation.duplicate_keys:
        named = ", ".join(safe_text(key) for key in creation.duplicate_keys)
        raise CreationDuplicateKeysError(
            f"creation.json of {safe_text(run.path)} has a key twice ({named}), so it cannot be written; repair it."
        )
