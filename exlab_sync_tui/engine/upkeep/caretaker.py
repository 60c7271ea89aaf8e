"""Who looks after one instrument's verified runs, by itself and only while nothing is to be sent?

A round takes what is due: releases that were broken off, runs whose passes and age hold, missing passes, and audits,
the run that was proved longest ago first. The store is asked for what may be due, so a round
costs little at any backlog.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.patience import until_woken
from exlab_sync_tui.errors import ExlabSyncError, IllegalTransitionError, RefusedError, StoreError, TransportError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.job import PUBLISHED, SyncJobState
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from exlab_sync_tui.cleanup.interlocks import CleanupOptions
    from exlab_sync_tui.engine.breaker import Breaker
    from exlab_sync_tui.engine.lane import Lane
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.upkeep.reaper import Reaper
    from exlab_sync_tui.engine.upkeep.turn import Turn
    from exlab_sync_tui.model.job import SyncJobRow

_LOG = logging.getLogger(__name__)
_ROUND_SECONDS = 60.0
_AFTER_TROUBLE = 1_800.0
_PROMOTIONS_SECONDS = 600.0
"""While nothing is deleted, nobody waits for a run to become eligible: looking for those reads every verified row."""
_PAGE = 200
_CLOCK_STEP = timedelta(minutes=5)
"""So far the clock on the wall may go another way than the monotonic one before every planned look is made anew."""
_AUDITED = PUBLISHED | {SyncJobState.CLEANED}
_VERIFIED = frozenset({SyncJobState.VERIFIED})
_ELIGIBLE = frozenset({SyncJobState.CLEANUP_ELIGIBLE})


class Caretaker:
    """Rounds over one instrument until cancelled. Stands still while its lane is paused or the destination is away."""

    def __init__(
        self,
        parts: Parts,
        instrument: Instrument,
        options: CleanupOptions,
        *,
        reaper: Reaper,
        turn: Turn,
        lane: Lane,
        breaker: Breaker,
        audit_every: timedelta | None,
    ) -> None:
        self._parts = parts
        self._instrument = instrument
        self._options = options
        self.reaper = reaper
        self.turn = turn
        self._lane = lane
        self._breaker = breaker
        self._audit_every = audit_every
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._not_before: dict[str, float] = {}
        self._drift = self._clock_difference()
        self._next_promotions = 0.0

    def wake(self) -> None:
        """A run may have become due."""
        self._idle.clear()
        self._wake.set()

    def forget(self, job_id: str) -> None:
        """Somebody decided something about this run: look at it at the next round, whatever was planned."""
        self._not_before.pop(job_id, None)
        self.wake()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due now."""
        return self._idle.is_set()

    async def settled(self) -> None:
        """Wait until nothing is due now."""
        await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled. Raises ``StoreError``: without the store nothing may be deleted."""
        while True:
            self._wake.clear()
            await self._round()
            if self._wake.is_set():
                continue
            self._idle.set()
            await until_woken(self._wake, self._parts.clock, self._seconds_to_rest())
            self._idle.clear()

    async def _round(self) -> None:
        self._heed_clock()
        async for job in self._due():
            if not self._may_work():
                return
            await self._attend(job)

    def _may_work(self) -> bool:
        """Not before the lane has taken up what an earlier engine left: a debt that it pays would seem to block."""
        return self._lane.has_looked_back and not self._lane.is_paused and not self._breaker.is_shut

    async def _due(self) -> AsyncIterator[SyncJobRow]:
        """Jobs for which something may be due, not those that were looked at too short a time ago."""
        seen: set[str] = set()
        async for job in self._wanted():
            if job.id not in seen and self._not_before.get(job.id, 0.0) <= self._parts.clock.monotonic():
                seen.add(job.id)
                yield job

    async def _wanted(self) -> AsyncIterator[SyncJobRow]:
        equipment_id, options, now = self._instrument.id, self._options, self._parts.now()
        filters = []
        if options.is_on or self._parts.clock.monotonic() >= self._next_promotions:
            self._next_promotions = self._parts.clock.monotonic() + _PROMOTIONS_SECONDS
            filters = [JobFilter(_VERIFIED, equipment_id, min_passes=options.min_passes)]
        if options.is_on:
            filters = [JobFilter(_ELIGIBLE, equipment_id, releasing=True), *filters, JobFilter(_ELIGIBLE, equipment_id)]
        for wanted in filters:
            after = 0
            while page := await self._parts.store.jobs(wanted, after_seq=after, limit=_PAGE):
                after = page[-1].seq
                for job in page:
                    yield job
        if options.configured:
            async for job in self._stale(_VERIFIED, now - options.interval):
                yield job
        if self._audit_every is not None:
            async for job in self._stale(_AUDITED, now - self._audit_every):
                yield job

    async def _stale(self, states: frozenset[SyncJobState], before: datetime) -> AsyncIterator[SyncJobRow]:
        skip = 0
        while page := await self._parts.store.stale(self._instrument.id, states, before, limit=_PAGE, skip=skip):
            for job in page:
                yield job
            skip += len(page)

    async def _attend(self, job: SyncJobRow) -> None:
        """One run; whatever goes wrong with it stays there (invariant S10)."""
        try:
            seconds = await self._seconds_after(job)
        except StoreError as error:
            if not isinstance(error, IllegalTransitionError):
                raise
            seconds = _ROUND_SECONDS  # something else was quicker; the next look sees it
        except (TransportError, OSError) as error:
            seconds = await self._trouble(job, error)
        except RefusedError as error:  # the proof was too weak, say; the far side is not read again at once
            _LOG.info("%s: %s", safe_text(job.run_path), safe_text(error))
            seconds = max(self._options.interval.total_seconds(), _AFTER_TROUBLE)
        except ExlabSyncError as error:
            _LOG.info("%s: %s", safe_text(job.run_path), safe_text(error))
            seconds = _AFTER_TROUBLE
        except Exception as error:  # noqa: BLE001  # upkeep outlives any mistake of ours; it is told
            _LOG.exception("unexpected error while looking after %s", safe_text(job.run_path))
            said = f"Unexpected {type(error).__name__} while {_name(job)} was looked after; the log has the details."
            self._parts.bus.say(EventKind.WARNING, said, job=job)
            seconds = _AFTER_TROUBLE
        if seconds is None:
            self._not_before.pop(job.id, None)
        else:
            self._not_before[job.id] = self._parts.clock.monotonic() + seconds

    async def _seconds_after(self, job: SyncJobRow) -> float | None:
        """Attend to the job; how long it then needs nothing."""
        if job.state is SyncJobState.CLEANED or self._is_due_for_audit(job):
            job = await self.reaper.audit(job)
            if job.state not in PUBLISHED:
                return _AFTER_TROUBLE
        attended = await self.reaper.attend(job)
        if attended.again is None:
            return None
        return max((attended.again - self._parts.now()).total_seconds(), _ROUND_SECONDS)

    def _is_due_for_audit(self, job: SyncJobRow) -> bool:
        last = job.passed_at
        return self._audit_every is not None and last is not None and last <= self._parts.now() - self._audit_every

    async def _trouble(self, job: SyncJobRow, error: Exception) -> float:
        """The far side did not answer: a probe decides whether its lanes have to wait, too."""
        trouble = await self._breaker.trouble()
        if trouble is not None:
            await self._breaker.open(trouble, self._instrument.id)
            return _ROUND_SECONDS
        said = f"{_name(job)} could not be verified again now: {safe_text(error)} It is tried again later."
        self._parts.bus.say(EventKind.WARNING, said, job=job)
        return _AFTER_TROUBLE

    def _seconds_to_rest(self) -> float:
        """Until the first planned look, at most a minute: a laptop may be suspended, and clocks may be set."""
        now = self._parts.clock.monotonic()
        first = min(self._not_before.values(), default=now + _ROUND_SECONDS)
        return min(max(first - now, 1.0), _ROUND_SECONDS)

    def _heed_clock(self) -> None:
        """When the clock on the wall was set, or the PC slept, whatever was planned by it is planned anew."""
        difference = self._clock_difference()
        if abs(difference - self._drift) > _CLOCK_STEP.total_seconds():
            self._not_before.clear()
        self._drift = difference

    def _clock_difference(self) -> float:
        return self._parts.now().timestamp() - self._parts.clock.monotonic()


def _name(job: SyncJobRow) -> str:
    return f"{job.equipment_id} {safe_text(Path(job.run_path).name)}"
