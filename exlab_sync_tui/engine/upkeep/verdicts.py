"""What follows from a later comparison of both sides? A pass that counts, one that does not, or a damage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.cleanup.interlocks import counts_as_pass, passes_after
from exlab_sync_tui.engine.travel.mismatch import mismatch
from exlab_sync_tui.errors import RefusedError, TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import Round, SyncJobState
from exlab_sync_tui.queue.store import Debt, DebtKind, HistoryEntry
from exlab_sync_tui.text import count, safe_text, utc
from exlab_sync_tui.tree.paths import FIRST_REVISION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from exlab_sync_tui.engine.parts import Parts
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.verdict import VerifyResult


_MOST_TOLD = 100
"""So many files of one run are told one by one; all of them are counted."""


class Verdicts:
    """Writes down what comparisons after VERIFIED found (``FORMATS.md`` §8); ``verified_at`` never moves."""

    def __init__(self, parts: Parts, interval: timedelta) -> None:
        self._parts = parts
        self._interval = interval

    async def agreed(self, job: SyncJobRow, result: VerifyResult, who: str) -> SyncJobRow:
        """Both sides agree: another pass, if it is late enough and strong enough. Raises ``RefusedError`` if the job
        has gone on meanwhile, or if the proof is weaker than ``verify.minimum``."""
        store, now = self._parts.store, self._parts.now()
        if result.evidence is not None and not result.evidence.satisfies(self._parts.minimum):
            raise RefusedError(
                f"{safe_text(job.run_path)} could not be verified now (only by {result.evidence.value}, and"
                f" verify.minimum asks for {self._parts.minimum.value}); it stays as it was."
            )
        await self._refuse_gone_on(job)
        counted = counts_as_pass(job, result.evidence, now, self._interval)
        if counted:
            passes, evidence = passes_after(job, result.evidence)
            job = await store.amend(job.id, verify_passes=passes, evidence=evidence, passed_at=now, last_error=None)
        last = job.passed_at or job.verified_at or now
        rest = "" if counted else f"; another pass counts from {utc(last + self._interval)} on"
        what = f"verified again, {count(result.files, 'file')} agree{rest}"
        await store.record(HistoryEntry(now, job.run_path, job.id, who, what))
        hold = await store.hold(HoldScope.RUN, job.run_path)
        if hold is not None and hold.kind is HoldKind.DAMAGED:
            await self._parts.holds.lift(HoldScope.RUN, job.run_path, "Both sides agree again.", who=who)
        return job

    async def differed(self, job: SyncJobRow, differing: Sequence[str], title: str, who: str) -> SyncJobRow:
        """A mismatch found later: no pass counts any more, and the operator chooses.

        What lies there proves nothing any more, so whatever is sent next is the whole run. Where the local copy is
        gone, or going, the job stays what it is, under a ``damaged`` hold.
        """
        sentence = str(mismatch(title, differing))
        await self._refuse_gone_on(job)
        job = await (self._damaged(job, sentence, who) if job.is_released else self._failed(job, sentence, who))
        for rel in differing[:_MOST_TOLD]:
            said = f"{job.equipment_id} {safe_text(Path(job.run_path).name)}: {safe_text(rel)} differs on {title}."
            self._parts.bus.say(EventKind.FILE_MISMATCH, said, job=job)
        return job

    async def _failed(self, job: SyncJobRow, sentence: str, who: str) -> SyncJobRow:
        now = self._parts.now()
        job = await self._parts.store.move(
            job.id,
            SyncJobState.FAILED,
            at=now,
            who=who,
            what=sentence,
            only_from=job.state,
            round=Round.FIRST if job.revision == FIRST_REVISION else Round.REVISION,
            frozen=False,
            debts=[Debt(job.run_path, DebtKind.SYNC_STATUS, "failed", now)],
            verify_passes=0,
            last_error=f"{TransportErrorKind.HASH_MISMATCH.value}: {sentence}",
        )
        self._parts.bus.say(EventKind.RUN_FAILED, sentence, job=job)
        return job

    async def _damaged(self, job: SyncJobRow, sentence: str, who: str) -> SyncJobRow:
        now, store = self._parts.now(), self._parts.store
        error = f"{TransportErrorKind.HASH_MISMATCH.value}: {sentence}"
        job = await store.amend(job.id, verify_passes=0, passed_at=now, last_error=error)
        await store.record(HistoryEntry(now, job.run_path, job.id, who, sentence))
        await self._parts.holds.lay(
            HoldScope.RUN,
            job.run_path,
            HoldKind.DAMAGED,
            sentence,
            equipment_id=job.equipment_id,
            next_step="the local copy is not whole any more: restore these files on the NAS from its snapshots or a"
            " backup, then `exlab-sync retry RUN` verifies it again",
            who=who,
        )
        return job

    async def _refuse_gone_on(self, job: SyncJobRow) -> None:
        if await self._parts.store.job(job.id) != job:
            raise RefusedError(f"{safe_text(job.run_path)} has gone on while it was compared; look at it again.")
