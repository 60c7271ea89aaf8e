"""Who drives one instrument's runs? A lane: one run at a time, oldest first, never in another lane's way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.board import Phase
from exlab_sync_tui.engine.patience import until_woken
from exlab_sync_tui.engine.travel.journey import RunBlocked
from exlab_sync_tui.errors import ExlabSyncError, StoreError, TransportError, TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.retry import DELAYS
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tree.hashing import source_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from exlab_sync_tui.engine.breaker import Breaker
    from exlab_sync_tui.engine.debts import Bookkeeper
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.setback import Setback
    from exlab_sync_tui.engine.travel.journey import Journey
    from exlab_sync_tui.engine.upkeep.turn import Turn
    from exlab_sync_tui.model.job import SyncJobRow

_LOG = logging.getLogger(__name__)
_LONGEST_REST = 60.0
_LONGEST_WAIT = timedelta(seconds=max(DELAYS))


class Lane:
    """Takes the instrument's jobs one after the other; ``slots`` bounds how many lanes move at once."""

    def __init__(
        self,
        parts: Parts,
        instrument: Instrument,
        *,
        journey: Journey,
        breaker: Breaker,
        setback: Setback,
        bookkeeper: Bookkeeper,
        slots: asyncio.Semaphore,
        turn: Turn,
        shortest_rest: float,
        sends: bool = True,
    ) -> None:
        self._parts = parts
        self._instrument = instrument
        self._journey = journey
        self._breaker = breaker
        self._setback = setback
        self._bookkeeper = bookkeeper
        self._slots = slots
        self._destination_turn = turn
        self._on_walked: Callable[[], None] = lambda: None
        self._shortest_rest = shortest_rest
        self._sends = sends
        self._queued = JobFilter(frozenset({SyncJobState.QUEUED}), instrument.id)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._is_paused = False
        self._stopped_by = "engine"
        self._has_looked_back = False
        self._step: asyncio.Task[SyncJobRow] | None = None

    def pause(self, who: str) -> None:
        """Start nothing more, and stop the run in flight where it is: it keeps its place, and no attempt is counted.

        A run that is just being made visible is let through: that is a rename, and it is never torn.
        """
        self._is_paused, self._stopped_by = True, who
        if self._step is not None and not self._is_publishing():
            self._step.cancel()

    def resume(self) -> None:
        """Go on where ``pause`` stopped."""
        self._is_paused = False
        self._has_looked_back = False
        self.wake()

    def after_each(self, call: Callable[[], None]) -> None:
        """Let *call* know whenever a run has had a turn."""
        self._on_walked = call

    @property
    def is_paused(self) -> bool:
        """Whether the lane stands still because somebody wants it to, or the configuration does."""
        return self._is_paused or not self._sends

    @property
    def has_looked_back(self) -> bool:
        """Whether what an earlier engine left has been taken up: jobs that were sent, and assemblies to remove."""
        return self._has_looked_back

    def wake(self) -> None:
        """There may be something to do."""
        self._idle.clear()
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether the lane has nothing that it can move now."""
        return self._idle.is_set()

    async def settled(self) -> None:
        """Wait until the lane has nothing that it can move now."""
        await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled. Raises ``StoreError``: without the store nothing may move."""
        await self._breaker.take_up()
        while True:
            self._wake.clear()
            if await self._turn():
                continue
            await self._rest()

    async def _take_up_unverified(self) -> None:
        """Jobs sent before a stop or a pause: verification alone is repeated (``FORMATS.md`` §6)."""
        async with self._destination_turn.sending():
            await self._journey.sweep()
        unverified = JobFilter(frozenset({SyncJobState.AWAITING_VERIFY}), self._instrument.id)
        after = 0
        while page := await self._parts.store.jobs(unverified, after_seq=after):
            after = page[-1].seq
            for job in page:
                async with self._slots:
                    if self.is_paused or self._breaker.is_shut:
                        return
                    await self._walk(job)
        self._has_looked_back = True
        self._on_walked()

    async def _turn(self) -> bool:
        """Move one run, if there is one that can move."""
        if self.is_paused:
            return False
        if not await self._breaker.admits():
            return False
        if not self._has_looked_back:
            await self._take_up_unverified()
        if not await self._is_due():
            return False
        async with self._slots:
            job = await self._claim()
            if job is None:
                return False
            await self._parts.holds.lift(HoldScope.RUN, job.run_path, "Tried again now.")
            await self._walk(job)
        return True

    async def _claim(self) -> SyncJobRow | None:
        if self.is_paused or self._breaker.is_shut:  # while the lane waited for its slot
            return None
        return await self._parts.store.claim(self._instrument.id, at=self._parts.now())

    async def _is_due(self) -> bool:
        due = await self._parts.store.next_due(self._instrument.id)
        if due is not None and due - self._parts.now() > _LONGEST_WAIT:
            return await self._shorten_waits()
        return due is not None and due <= self._parts.now()

    async def _shorten_waits(self) -> bool:
        """The clock was set back: nothing waits longer than the longest step of the ladder (``SAFETY.md``)."""
        now, after = self._parts.now(), 0
        while page := await self._parts.store.jobs(self._queued, after_seq=after):
            after = page[-1].seq
            for job in page:
                if job.next_attempt_at is not None and job.next_attempt_at - now > _LONGEST_WAIT:
                    await self._parts.store.amend(job.id, next_attempt_at=now)
        return True

    async def _rest(self) -> None:
        """Sleep until woken, or until something may be due."""
        seconds = await self._longest_rest()
        if self._wake.is_set():
            return
        self._idle.set()  # only now, when nothing is left to be asked
        if seconds is None:
            await self._wake.wait()
        else:
            await until_woken(self._wake, self._parts.clock, max(min(seconds, _LONGEST_REST), self._shortest_rest))
        self._idle.clear()

    async def _longest_rest(self) -> float | None:
        if self.is_paused:
            return None
        if (seconds := self._breaker.seconds_left) is not None:
            return seconds
        due = await self._parts.store.next_due(self._instrument.id)
        return _LONGEST_REST if due is None else (due - self._parts.now()).total_seconds()

    async def _walk(self, job: SyncJobRow) -> None:
        """One turn of one job, which nothing that only looks after runs holds up."""
        async with self._destination_turn.sending():
            await self._take_turn(job)
        self._on_walked()

    async def _take_turn(self, job: SyncJobRow) -> None:
        """Whatever goes wrong stays in this run (invariant S10)."""
        try:
            await self._journey_of(job)
        except RunBlocked as blocked:
            await self._setback.blocked(job, blocked)
        except StoreError:
            raise
        except TransportError as error:
            await self._react(job, error)
        except OSError as error:
            await self._react(job, source_error(error, error.filename or job.run_path))
        except ExlabSyncError as error:
            await self._react(job, TransportError(str(error), TransportErrorKind.UNKNOWN))
        except Exception as error:  # noqa: BLE001  # a lane outlives any mistake of ours; the run says what happened
            _LOG.exception("unexpected error in the lane of %s", self._instrument.id)
            sentence = f"Unexpected {type(error).__name__}: {safe_text(error)}; the log has the details."
            await self._react(job, TransportError(sentence, TransportErrorKind.UNKNOWN))
        with contextlib.suppress(OSError):
            await self._bookkeeper.pay(job.run_path)

    async def _journey_of(self, job: SyncJobRow) -> None:
        """The walk as a task of its own, so that a pause can end it and leave the lane alive."""
        if self.is_paused:  # since it was claimed
            await self._put_back(job)
            return
        step = self._step = asyncio.create_task(self._journey.walk(job), name=f"run of {self._instrument.id}")
        try:
            await asyncio.wait({step})
        finally:
            self._step = None
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)
        if step.cancelled():
            await self._put_back(job)
        else:
            step.result()

    async def _put_back(self, job: SyncJobRow) -> None:
        """A run that a pause has stopped: sent files stay where they are, and it is the first to go on."""
        kept = await self._parts.store.job(job.id)
        if kept is not None and kept.state is SyncJobState.RUNNING:
            what = f"stopped where it was: {self._instrument.id} was paused"
            now = self._parts.now()
            kept = await self._parts.store.move(job.id, SyncJobState.QUEUED, at=now, who=self._stopped_by, what=what)
            sentence = f"{job.equipment_id} {safe_text(Path(job.run_path).name)}: {what}; it goes on from there."
            self._parts.bus.say(EventKind.RUN_QUEUED, sentence, job=kept)

    def _is_publishing(self) -> bool:
        progress = self._parts.board.of(self._instrument.id)
        return progress is not None and progress.phase is Phase.PUBLISHING

    async def _react(self, job: SyncJobRow, error: TransportError) -> None:
        if error.error_kind is TransportErrorKind.HASH_MISMATCH:
            self._journey.forget(job.id)
        await self._setback.react(job.id, error, moved_forward=self._journey.sent_bytes > 0)
