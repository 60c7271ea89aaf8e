"""What does the engine do for whoever asks? One place for orders of this process and of others."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from exlab_sync_tui.engine.cockpit import phrases
from exlab_sync_tui.engine.cockpit.pause import Pauses
from exlab_sync_tui.engine.cockpit.permits import Permits
from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.engine.cockpit.wishes import Wishes
from exlab_sync_tui.errors import ExlabSyncError, NotFoundError
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import PUBLISHED, SyncHandleState, SyncJobState
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from exlab_sync_tui.engine.scout import Sighting
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.job import SyncJobHandle, SyncJobRow
    from exlab_sync_tui.model.verdict import VerifyResult

_LOG = logging.getLogger(__name__)
_COMPARING_AT_ONCE = 2
_UNDER_WAY = frozenset({SyncJobState.QUEUED, SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY})


class Steering:
    """Carries orders out. Every one may be given twice: the second finds it done, and says so."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._parts = works.parts
        self.pauses = Pauses(works.parts, works.lanes)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._comparing = asyncio.Semaphore(_COMPARING_AT_ONCE)
        permits, wishes = Permits(works), Wishes(works, self._job)
        self._verbs: dict[Verb, Callable[[Order, bool], Awaitable[Outcome]]] = {
            Verb.ENQUEUE: self._enqueue,
            Verb.RETRY: self._retry,
            Verb.VERIFY: self._verify,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.RESCAN: self._rescan,
            Verb.OVERRIDE: permits.add,
            Verb.REVOKE: permits.revoke,
            Verb.KEEP_LOCAL: wishes.keep_local,
            Verb.FORGET: wishes.forget,
            Verb.RESOLVE: wishes.resolve,
            Verb.CLEANUP: wishes.cleanup,
            Verb.CLEANUP_PREVIEW: wishes.cleanup_preview,
        }

    async def enqueue(self, run_path: Path, *, who: str) -> SyncJobHandle:
        """Queue one run now, whatever its finished-signal says; idempotent.

        Raises ``UnknownEquipmentError``, ``NotFoundError``, ``OrphanRunError``, ``CreationError``, ``RefusedError``;
        nothing is queued then.
        """
        works = self._works
        folders = [instrument.folder for instrument in works.instruments.values()]
        run = await asyncio.to_thread(locate, Path(run_path), folders)
        instrument = works.instruments[run.equipment_id]
        await works.refuse_unready(instrument)
        handle = await works.intake.enqueue(run, instrument, origin="operator", who=who)
        await works.bookkeeper.pay(str(run.path))
        works.wake(run.equipment_id)
        return handle

    async def retry(self, job_id: str, *, who: str) -> SyncJobRow:
        """Queue a failed run afresh; give a verified one a verification pass; refuse any other with a sentence."""
        works = self._works
        job = await works.parts.store.job(job_id)
        if job is None:
            raise NotFoundError
        await works.orders.retry(job, who=who)
        await works.bookkeeper.pay(job.run_path)
        works.wake(job.equipment_id)
        return await works.parts.store.job(job_id) or job

    async def compare(self, job: SyncJobRow) -> VerifyResult:
        """Compare local files, manifest and destination now; nothing is written and the job does not move."""
        return await self._works.orders.compare(job)

    async def rescan(self, equipment_id: str = "") -> dict[str, Sighting]:
        """Look once at the folders of one instrument, or of all, and queue what is finished; by equipment id."""
        found = {}
        for each in [equipment_id] if equipment_id else list(self._works.lanes):
            found[each] = await self._works.scouts[each].round()
            self._works.wake(each)
        await self._works.bookkeeper.pay()
        return found

    async def carry_out(self, order: Order, *, again: bool = False) -> Outcome:
        """Do what was asked, and say what became of it; orders with one target wait for each other.

        *again*: an engine that has ended may have begun with this very order.
        """
        try:
            async with self._turn_of(order.target):
                return await self._verbs[order.verb](order, again)
        except ExlabSyncError as error:
            return Outcome(str(error), error.exit_code)
        except OSError as error:
            return Outcome(f"{safe_text(error.filename or order.target)}: {safe_text(error.strerror or error)}.", 1)
        except Exception as error:  # noqa: BLE001  # an order outlives any mistake of ours, and is answered
            _LOG.exception("unexpected error while carrying out %s", order.verb.value)
            return Outcome(f"Unexpected {type(error).__name__}: {safe_text(error)}; the log has the details.", 1)

    @asynccontextmanager
    async def _turn_of(self, target: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(target, asyncio.Lock())
        async with turn:
            yield

    async def _enqueue(self, order: Order, _again: bool) -> Outcome:
        path = await asyncio.to_thread(Path(order.target).resolve)
        before = await self._parts.store.job_of(str(path))
        handle = await self.enqueue(path, who=order.who)
        if handle.state is SyncHandleState.BLOCKED:
            hold = await self._parts.store.hold(HoldScope.RUN, handle.run_path)
            return phrases.blocked(handle, hold)
        after = await self._parts.store.job(handle.job_id)
        if after is None:
            raise NotFoundError
        return phrases.enqueued(before, after, await self._waits_for(after))

    async def _retry(self, order: Order, again: bool) -> Outcome:
        job = await self._job(order.target)
        if again and job.state in _UNDER_WAY:
            return phrases.queued_again(job, await self._waits_for(job))
        if job.state in PUBLISHED | {SyncJobState.CLEANED}:
            async with self._comparing:
                return phrases.passed(job, await self.retry(job.id, who=order.who))
        job = await self.retry(job.id, who=order.who)
        return phrases.queued_again(job, await self._waits_for(job))

    async def _verify(self, order: Order, _again: bool) -> Outcome:
        job = await self._job(order.target)
        async with self._comparing:
            return phrases.compared(job, await self.compare(job))

    async def _pause(self, order: Order, _again: bool) -> Outcome:
        equipment_id = self._instrument(order.target)
        flying = self._parts.board.of(equipment_id)
        known = await self.pauses.of(equipment_id)
        pause = await self.pauses.begin(equipment_id, order.who)
        return phrases.paused(equipment_id, pause, flying.job if flying else None, is_new=known is None)

    async def _resume(self, order: Order, _again: bool) -> Outcome:
        equipment_id = self._instrument(order.target)
        pause = await self.pauses.end(equipment_id, order.who)
        other = await self._parts.store.hold(HoldScope.EQUIPMENT, equipment_id)
        return phrases.resumed(equipment_id, other, was_paused=pause is not None)

    async def _rescan(self, order: Order, _again: bool) -> Outcome:
        wanted = self._instrument(order.target) if order.target else ""
        if wanted:
            await self._works.refuse_unready(self._works.instruments[wanted])
        return phrases.rescanned(await self.rescan(wanted))

    async def _job(self, target: str) -> SyncJobRow:
        """The job that an order names by its id or by its run's path."""
        job = await self._parts.store.job(target)
        if job is None:
            job = await self._parts.store.job_of(str(await asyncio.to_thread(Path(target).resolve)))
        if job is None:
            raise NotFoundError(f"No run is known as {safe_text(target)}; `exlab-sync list` shows the ones that are.")
        return job

    def _instrument(self, target: str) -> str:
        if target not in self._works.instruments:
            known = ", ".join(self._works.instruments) or "none"
            raise NotFoundError(f"There is no instrument {safe_text(target)} in the configuration; it has: {known}.")
        return target

    async def _waits_for(self, job: SyncJobRow) -> str:
        """Why a queued job does not go at once, if its instrument stands still."""
        pause = await self.pauses.of(job.equipment_id)
        return f"; it waits while {job.equipment_id} is paused" if pause is not None else ""
