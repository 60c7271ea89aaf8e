"""What may an operator ask of a run that has a job? Each order says what it did, or why it could not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.audit import Audit
from exlab_sync_tui.errors import IllegalTransitionError, RefusedError, TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import PUBLISHED, Round, SyncJobState
from exlab_sync_tui.model.verdict import VerifyResult
from exlab_sync_tui.queue.store import Debt, DebtKind
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.upkeep.verdicts import Verdicts
    from exlab_sync_tui.model.job import SyncJobRow


_COMPARED = PUBLISHED | {SyncJobState.CLEANED}


class Orders:
    """Retry and verification on demand."""

    def __init__(
        self,
        parts: Parts,
        instruments: Mapping[str, Instrument],
        verdicts: Verdicts,
        remote_stat: Callable[[SyncJobRow], bool] | None,
    ) -> None:
        self._parts = parts
        self._instruments = instruments
        self._verdicts = verdicts
        self._remote_stat = remote_stat

    async def retry(self, job: SyncJobRow, *, who: str) -> None:
        """Queue a failed run afresh; give a verified one a verification pass. Raises ``RefusedError`` for any other."""
        if job.state in _COMPARED:
            await self._add_pass(job, who)
        elif job.state is SyncJobState.FAILED:
            with suppress(IllegalTransitionError):  # somebody else has done it in this moment
                await self._queue_again(job, who)
        else:
            raise RefusedError(
                f"{safe_text(job.run_path)} is {job.state.value.replace('_', ' ')}, so there is nothing to retry;"
                " `exlab-sync why RUN` says what it is waiting for."
            )

    async def compare(self, job: SyncJobRow) -> VerifyResult:
        """Local files, manifest and destination, now; nothing is written and the job does not move."""
        return await self._audit(job, with_local=job.state is not SyncJobState.CLEANED)

    async def _audit(self, job: SyncJobRow, *, with_local: bool) -> VerifyResult:
        instrument = self._instruments.get(job.equipment_id)
        if instrument is None:
            raise RefusedError(f"{job.equipment_id} is no longer in the configuration, so its destination is unknown.")
        if self._remote_stat is not None and not await asyncio.to_thread(self._remote_stat, job):
            return VerifyResult(ok=False, error_kind=TransportErrorKind.NETWORK)
        return await Audit(self._parts, instrument).compare(job, with_local=with_local)

    async def _queue_again(self, job: SyncJobRow, who: str) -> None:
        now = self._parts.now()
        job = await self._parts.store.move(
            job.id,
            SyncJobState.QUEUED,
            at=now,
            who=who,
            what="retry asked for",
            only_from=SyncJobState.FAILED,
            debts=[Debt(job.run_path, DebtKind.SYNC_STATUS, "pending", now)],
            attempts=0,
            round=Round.FIRST if job.round is Round.ADOPTION else job.round,
            resent=False,
            last_error=None,
            next_attempt_at=None,
            held=False,
        )
        await self._parts.holds.lift(HoldScope.RUN, job.run_path, "Retried by an operator.", who=who)
        sentence = f"{job.equipment_id} {safe_text(Path(job.run_path).name)}: queued again by {safe_text(who)}."
        self._parts.bus.say(EventKind.RUN_QUEUED, sentence, job=job)

    async def _add_pass(self, job: SyncJobRow, who: str) -> None:
        """The far files against the recorded digests: what has changed here since is a new round, not a mismatch."""
        result = await self._audit(job, with_local=False)
        self._refuse_no_pass(job, result)
        if result.mismatched or result.missing:
            title = self._instruments[job.equipment_id].destination.title
            await self._verdicts.differed(job, [*result.mismatched, *result.missing], title, who)
            return
        await self._verdicts.agreed(job, result, who)

    def _refuse_no_pass(self, job: SyncJobRow, result: VerifyResult) -> None:
        why = (result.error_kind.value if result.error_kind else "").replace("_", " ")
        if not why and result.evidence is not None and not result.evidence.satisfies(self._parts.minimum):
            why = f"only by {result.evidence.value}, and verify.minimum asks for {self._parts.minimum.value}"
        if why:
            raise RefusedError(
                f"{safe_text(job.run_path)} could not be verified now ({why}); it stays verified as it was. Try again"
                " later."
            )
