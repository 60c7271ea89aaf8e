"""What happens after a failure? Applies the decision of the class table (§6) to the job and its holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.breaker import Trouble
from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.retry import Phase, decide
from exlab_sync_tui.queue.store import Debt, DebtKind, JobFilter
from exlab_sync_tui.text import duration, safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.engine.breaker import Breaker
    from exlab_sync_tui.engine.intake import Intake
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.travel.journey import RunBlocked
    from exlab_sync_tui.errors import TransportError
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.retry import Decision


class Setback:
    """Puts a job that could not go on where it belongs: back into the queue, behind a hold, or to ``failed``."""

    def __init__(self, parts: Parts, instrument: Instrument, breaker: Breaker, intake: Intake) -> None:
        self._parts = parts
        self._instrument = instrument
        self._breaker = breaker
        self._intake = intake

    async def react(self, job_id: str, error: TransportError, *, moved_forward: bool) -> None:
        """One failure of one job. A probe decides whether a network failure is the destination's absence."""
        job = await self._parts.store.job(job_id)
        if job is None or job.state not in _ON_ITS_WAY:  # what has been published stays so, whatever comes after
            return
        trouble = await self._breaker.trouble() if error.error_kind in _MAY_BE_AWAY else None
        decision = decide(
            error.error_kind if trouble is None else TransportErrorKind.NETWORK,
            attempts=job.attempts,
            resent=job.resent,
            moved_forward=moved_forward,
            away=trouble is not None,
            phase=Phase.VERIFY if job.state is SyncJobState.AWAITING_VERIFY else Phase.PUSH,
        )
        job = await self._move(job, decision, error)
        if decision.scope is HoldScope.DESTINATION and decision.hold is not None:
            await self._breaker.open(
                trouble or Trouble(decision.hold, str(error)),
                self._instrument.id,
                needed_bytes=error.needed_bytes,
                moved_forward=moved_forward,
            )
        elif decision.hold is not None:
            await self._hold_run(job, decision, error)
        self._announce(job, decision, error)

    async def blocked(self, job: SyncJobRow, blocked: RunBlocked) -> None:
        """The gate objects to a job that was queued already: it waits with a hold, and is asked again by itself."""
        await self._parts.store.move(
            job.id,
            SyncJobState.QUEUED,
            at=self._parts.now(),
            who="gate",
            what=f"blocked before it could leave: {blocked.verdict.blocking[0].rule.value}",
            held=True,
        )
        await self._intake.block(blocked.run, blocked.verdict)

    async def _move(self, job: SyncJobRow, decision: Decision, error: TransportError) -> SyncJobRow:
        now = self._parts.now()
        failed = decision.state is SyncJobState.FAILED
        wait = decision.delay_seconds
        return await self._parts.store.move(
            job.id,
            decision.state,
            at=now,
            who="engine",
            what=str(error),
            debts=[Debt(job.run_path, DebtKind.SYNC_STATUS, "failed", now)] if failed else [],
            attempts=decision.attempts,
            resent=decision.resent,
            last_error=f"{error.error_kind.value}: {error}",
            next_attempt_at=now + timedelta(seconds=wait) if wait else None,
            held=decision.held,
        )

    async def _hold_run(self, job: SyncJobRow, decision: Decision, error: TransportError) -> None:
        kind = decision.hold or HoldKind.WAITING
        if kind in _WAITS_FOR_THE_FOLDER:  # before the hold is heard of: whoever looks then counts stillness anew
            await self._parts.store.forget_observation(job.run_path)
        await self._parts.holds.lay(
            HoldScope.RUN,
            job.run_path,
            kind,
            str(error),
            equipment_id=job.equipment_id,
            until=job.next_attempt_at,
            next_step=decision.sentence,
        )

    def _announce(self, job: SyncJobRow, decision: Decision, error: TransportError) -> None:
        name = f"{job.equipment_id} {Path(job.run_path).name}"
        if decision.state is SyncJobState.FAILED:
            self._parts.bus.say(EventKind.RUN_FAILED, f"{name}: {error}", job=job, error_kind=error.error_kind.value)
            return
        when = f" Tried again in {duration(decision.delay_seconds)}." if decision.delay_seconds else ""
        self._parts.bus.say(EventKind.RUN_RETRY, f"{name}: {error}{when}", job=job, error_kind=error.error_kind.value)


_ON_ITS_WAY = frozenset({SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY})
_MAY_BE_AWAY = frozenset({TransportErrorKind.NETWORK, TransportErrorKind.UNKNOWN, TransportErrorKind.HASH_MISMATCH})
"""What a destination that is gone looks like; files are missing on a share that is no longer mounted, too."""
_WAITS_FOR_THE_FOLDER = frozenset({HoldKind.ACQUIRING, HoldKind.LOCKED})


async def requeue_refused(parts: Parts, equipment_id: str) -> None:
    """The destination works again: runs that failed because it refused us queue by themselves (class ``auth``)."""
    wanted, after = JobFilter(frozenset({SyncJobState.FAILED}), equipment_id), 0
    while failed := await parts.store.jobs(wanted, after_seq=after):
        after = failed[-1].seq
        for job in failed:
            if (job.last_error or "").startswith(f"{TransportErrorKind.AUTH.value}:"):
                await _queue_refused(parts, job)


async def _queue_refused(parts: Parts, job: SyncJobRow) -> None:
    now, what = parts.now(), "the destination accepts us again"
    job = await parts.store.move(
        job.id,
        SyncJobState.QUEUED,
        at=now,
        who="engine",
        what=what,
        debts=[Debt(job.run_path, DebtKind.SYNC_STATUS, "pending", now)],
        last_error=None,
        next_attempt_at=None,
        held=False,
    )
    name = safe_text(Path(job.run_path).name)
    parts.bus.say(EventKind.RUN_QUEUED, f"{job.equipment_id} {name}: queued again, {what}.", job=job)
