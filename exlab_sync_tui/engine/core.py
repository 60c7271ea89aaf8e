"""What runs between start and stop? The lock, the store, the lanes, and what holds them together."""

from __future__ import annotations

import asyncio
import logging
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.desk import Desk
from exlab_sync_tui.engine.cockpit.flights import Sampler
from exlab_sync_tui.engine.cockpit.steering import Steering
from exlab_sync_tui.engine.cockpit.view import CLEANUP_NOTE
from exlab_sync_tui.engine.heal import owe_lost_statuses
from exlab_sync_tui.engine.ownership import claim_folder, refuse_overlap
from exlab_sync_tui.engine.patrol import Patrol
from exlab_sync_tui.engine.rebuild import Rebuilder
from exlab_sync_tui.engine.statelock import take_state_folder
from exlab_sync_tui.engine.strangers import lift_strangers
from exlab_sync_tui.errors import FolderOwnedError, RefusedError, StoreDamagedError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.queue.salvage import PENDING_NOTE, begin_anew, read_salvage, take_up
from exlab_sync_tui.text import count
from exlab_sync_tui.watch.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from exlab_sync_tui.engine.assembly import Blueprint
    from exlab_sync_tui.engine.lane import Lane
    from exlab_sync_tui.engine.parts import Instrument
    from exlab_sync_tui.engine.upkeep.caretaker import Caretaker
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.run import EquipmentFolder
    from exlab_sync_tui.platform import FileLock

_LOG = logging.getLogger(__name__)


class Engine:
    """One engine on one state folder. ``works`` exists between ``start()`` and ``stop()``."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self._works: Works | None = None
        self._steering: Steering | None = None
        self._lock: FileLock | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._healing: asyncio.Task[None] | None = None
        self._patrol: asyncio.Task[None] | None = None

    @property
    def works(self) -> Works:
        """Everything that is wired together. Raises ``RefusedError`` before ``start()``."""
        if self._works is None:
            raise RefusedError("The engine has not been started; await init() first.")
        return self._works

    @property
    def steering(self) -> Steering:
        """What carries orders out. Raises ``RefusedError`` before ``start()``."""
        if self._steering is None:
            self._steering = Steering(self.works)
        return self._steering

    @property
    def is_at_work(self) -> bool:
        """Whether the lanes move, and nothing that holds them together has ended."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def start(self, *, lanes: bool = True, attachable: bool = True) -> None:
        """Take the lock, open the store, take up what an earlier engine left, and, if wanted, start the lanes.

        An *attachable* engine with lanes leaves a heartbeat and carries out what other processes ask.
        Raises ``EngineRunningError``, ``StateFolderError``, ``StoreError``; nothing is left open then.
        """
        if self._works is not None:
            return
        self._lock = await asyncio.to_thread(take_state_folder, self.blueprint.queue_db.parent)
        try:
            self._works = self.blueprint.wire(self._lock.fd)
            await self._open_store(rebuilding=lanes)
            await self._take_up(lanes=lanes)
            if lanes and attachable:
                parts = self._works.parts
                sampler = Sampler(parts.board, parts.clock)
                desk = Desk(parts.store, parts.clock, parts.identities.host, steering=self.steering, sampler=sampler)
                self._begin(desk.run(), "desk")
        except BaseException:
            await self.stop()
            raise

    async def _open_store(self, *, rebuilding: bool) -> None:
        """A damaged store is set aside and begun anew; only an engine that is to work does that."""
        store, path = self.works.parts.store, self.blueprint.queue_db
        await asyncio.to_thread(take_up, path)
        try:
            await store.open()
        except StoreDamagedError:
            if not rebuilding:
                raise
            await asyncio.to_thread(begin_anew, path, self.works.parts.now())
            await store.open()

    async def stop(self) -> None:
        """Cancel the lanes, end their children, leave every job resumable, release the lock; idempotent."""
        tasks, self._tasks = [*self._tasks, *([self._healing] if self._healing else [])], []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._patrol = None
        works, self._works, self._steering = self._works, None, None
        lock, self._lock = self._lock, None
        try:
            if works is not None:
                works.parts.bus.say(EventKind.ENGINE_STOPPED, "Engine stopped; every run keeps its place.")
                await works.close()
        finally:
            if lock is not None:
                lock.release()

    def watch(self, *, events: bool) -> None:
        """Look at the instruments' folders from now on; *events*: with the system's events as hints. Idempotent."""
        if self._patrol is not None:
            return
        works, clock = self.works, self.works.parts.clock
        monitor = Monitor(clock, lambda sentence: works.parts.bus.say(EventKind.WARNING, sentence)) if events else None
        patrol = Patrol(works, rescan_seconds=self.blueprint.settings.sync.rescan_seconds, monitor=monitor)
        self._patrol = self._begin(patrol.run(), "patrol")

    def _begin(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """What must never end by itself; should it, the log says where."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_log_end)
        self._tasks.append(task)
        return task

    async def broken(self) -> None:
        """Wait until a lane, or what looks at the folders, has ended, and raise why; that does not happen in health."""
        ended, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()

    async def settled(self) -> None:
        """Wait until no lane has anything that it can move now. Raises what ended a lane."""
        if not self._tasks:
            return
        quiet = asyncio.ensure_future(self._quiet())
        try:
            await asyncio.wait({quiet, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task.done():
                    task.result()
            await quiet
        finally:
            quiet.cancel()

    async def _quiet(self) -> None:
        if self._healing is not None:
            await self._healing
        busy: list[Lane | Caretaker] = [*self.works.lanes.values(), *self.works.caretakers.values()]
        while not all(one.is_idle for one in busy):
            for one in busy:
                await one.settled()

    async def _take_up(self, *, lanes: bool) -> None:
        works, parts = self.works, self.works.parts
        now = parts.now()
        interrupted = await parts.store.running_to_queued(at=now, who="engine", what="taken up again after a stop")
        if interrupted:
            parts.bus.say(
                EventKind.WARNING, f"{count(interrupted, 'run')} interrupted by the last stop, taken up again."
            )
        if lanes and (aside := await parts.store.noted(PENDING_NOTE)) is not None:
            salvage = await asyncio.to_thread(read_salvage, Path(aside))
            await Rebuilder(works, salvage).rebuild()
            await parts.store.note(PENDING_NOTE, None)
        await lift_strangers(works)
        for instrument in works.instruments.values():
            if not await self._may_run(instrument):
                works.lanes.pop(instrument.id, None)
                works.caretakers.pop(instrument.id, None)
                continue
            if self.blueprint.enabled:  # else the hold that says so stands before any pause
                await self.steering.pauses.take_up(instrument.id)
            if lanes:
                lane = works.lanes[instrument.id]
                lane.wake()
                self._begin(lane.run(), f"lane {instrument.id}")
                self._begin(works.caretakers[instrument.id].run(), f"caretaker {instrument.id}")
        if lanes:
            self._healing = asyncio.create_task(self._heal(), name="heal")
        await parts.store.note(CLEANUP_NOTE, works.cleanup.sentence)
        cleanup = "Cleanup is on." if works.cleanup.is_on else "Cleanup is off."
        instruments = count(len(works.instruments), "instrument")
        parts.bus.say(EventKind.ENGINE_STARTED, f"Engine started: {instruments}. {cleanup}")

    async def _heal(self) -> None:
        await owe_lost_statuses(self.works)
        await self.works.bookkeeper.pay()

    async def _may_run(self, instrument: Instrument) -> bool:
        """Whether the instrument gets a lane; if not, a hold says why."""
        holds, store_id = self.works.parts.holds, self.works.parts.store.store_id
        try:
            await asyncio.to_thread(refuse_overlap, instrument.folder, self._folders_before(instrument))
            await asyncio.to_thread(claim_folder, instrument.folder, store_id, self.blueprint.queue_db)
        except FolderOwnedError as error:
            await holds.lay(
                HoldScope.EQUIPMENT, instrument.id, HoldKind.CONFLICT, str(error), equipment_id=instrument.id
            )
            return False
        if instrument.destination.unready:
            await holds.lay(
                HoldScope.EQUIPMENT,
                instrument.id,
                HoldKind.SET_UP,
                instrument.destination.unready,
                equipment_id=instrument.id,
            )
            return False
        if not self.blueprint.enabled:
            await holds.lay(
                HoldScope.EQUIPMENT,
                instrument.id,
                HoldKind.DISABLED,
                "Sending is switched off (sync.enabled: false); runs are watched, queued and wait.",
                equipment_id=instrument.id,
            )
            return True
        hold = await self.works.parts.store.hold(HoldScope.EQUIPMENT, instrument.id)
        if hold is not None and hold.kind is not HoldKind.PAUSED:
            await holds.lift(HoldScope.EQUIPMENT, instrument.id)
        return True

    def _folders_before(self, instrument: Instrument) -> list[EquipmentFolder]:
        """Those of the instruments that the configuration names first."""
        return [one.folder for one in takewhile(lambda one: one is not instrument, self.works.instruments.values())]


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.critical("the engine's %s has ended", task.get_name(), exc_info=error)
