"""What can somebody do with exlab-sync? The one object behind the console, the service, the verbs and scripts (§10)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.engine.assembly import blueprint_of
from exlab_sync_tui.engine.core import Engine
from exlab_sync_tui.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    from exlab_sync_tui.engine.assembly import Blueprint
    from exlab_sync_tui.engine.board import Board, Progress
    from exlab_sync_tui.engine.cockpit.view import Order, Outcome
    from exlab_sync_tui.engine.parts import HashsumCallable, PushCallable
    from exlab_sync_tui.engine.scout import Sighting
    from exlab_sync_tui.gate.validator import Validator
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.job import SyncJobHandle, SyncJobRow
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.provenance.creation import CreationWriter
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Equipment, Settings
    from exlab_sync_tui.transport.base import Transport
    from exlab_sync_tui.verify.verifier import Verifier


class NASSyncClient:
    """Owns the store and the lanes between ``init()`` and ``close()``.

    Raises ``EngineRunningError`` from ``init()`` when another engine drives the same state folder.
    """

    def __init__(
        self,
        *,
        config: Settings | Mapping[str, object],
        queue_db: Path,
        validator: Validator,
        cache_creation: CreationWriter,
        verifier: Verifier | None = None,
        worker_poll_interval_s: float = 0.05,
        push_callable_factory: Callable[[Equipment], PushCallable] | None = None,
        hashsum_callable_factory: Callable[[Equipment], HashsumCallable] | None = None,
        remote_stat_callable: Callable[[SyncJobRow], bool] | None = None,
        start_lanes: bool = True,
        clock: Clock | None = None,
        operator: str | None = None,
        attachable: bool | None = None,
        transport_factory: Callable[[Equipment], Transport] | None = None,
    ) -> None:
        """*attachable*: other processes may watch and order; by default so unless a *clock* is injected."""
        self._start_lanes = start_lanes
        self._attachable = clock is None if attachable is None else attachable
        blueprint = blueprint_of(
            config=config,
            queue_db=queue_db,
            validator=validator,
            creation=cache_creation,
            verifier=verifier,
            poll_interval=worker_poll_interval_s,
            push_factory=push_callable_factory,
            hashsum_factory=hashsum_callable_factory,
            remote_stat=remote_stat_callable,
            clock=clock,
            operator=operator,
            transport_factory=transport_factory,
        )
        self._engine = Engine(blueprint)

    async def __aenter__(self) -> Self:
        await self.init()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def init(self) -> None:
        """Take the lock, open the store, take up what an earlier engine left, and start the lanes."""
        await self._engine.start(lanes=self._start_lanes, attachable=self._attachable)

    async def close(self) -> None:
        """Stop the lanes and their children and leave every job resumable; a second call does nothing."""
        await self._engine.stop()

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        return self._engine.works.parts.store

    @property
    def user(self) -> str:
        """Who acts: the operator that was named, or the user of this login."""
        return self._engine.works.parts.identities.user

    @property
    def blueprint(self) -> Blueprint:
        """What the engine is built from: settings, store and clock."""
        return self._engine.blueprint

    @property
    def board(self) -> Board:
        """How far each transfer is, to be sampled."""
        return self._engine.works.parts.board

    @property
    def is_at_work(self) -> bool:
        """Whether the lanes move."""
        return self._engine.is_at_work

    async def order(self, order: Order) -> Outcome:
        """Carry out what an operator wants, and say what became of it; never raises for what can be mended."""
        return await self._engine.steering.carry_out(order)

    def progress(self) -> list[Progress]:
        """The transfers in flight, to be sampled."""
        return self._engine.works.parts.board.all()

    def events(self, *, early: bool = True) -> AsyncIterator[Event]:
        """Everything that happens from now on, until the client is closed; the first *early* one hears the start."""
        return self._engine.works.parts.bus.events(early=early)

    async def enqueue(self, run_path: Path) -> SyncJobHandle:
        """Queue one run now, whatever its finished-signal says; idempotent.

        Raises ``UnknownEquipmentError``, ``NotFoundError``, ``OrphanRunError``, ``CreationError``, ``RefusedError``;
        nothing is queued then.
        """
        handle = await self._engine.steering.enqueue(run_path, who=self.user)
        return replace(handle, run_path=str(run_path))

    async def retry(self, job_id: str) -> None:
        """Queue a failed run afresh; give a verified one a verification pass; refuse any other with a sentence."""
        await self._engine.steering.retry(job_id, who=self.user)

    async def status(self, run_path: Path) -> str:
        """The state of the run's job, or ``"none"``."""
        job = await self.job_of(run_path)
        return job.state.value if job else "none"

    async def job_of(self, run_path: Path) -> SyncJobRow | None:
        """The job of a run, whatever alias of its folder is given."""
        real = await asyncio.to_thread(Path(run_path).resolve)
        return await self.store.job_of(str(real))

    async def force_verify(self, run_path: Path) -> VerifyResult:
        """Compare local files, manifest and destination now; nothing is written and the job does not move."""
        job = await self.job_of(run_path)
        if job is None:
            raise NotFoundError
        return await self._engine.steering.compare(job)

    def watch(self, *, events: bool = True) -> None:
        """Look at the instruments' folders by itself from now on, until ``close()``.

        Runs are queued once they are finished. *events*: the system's events make that faster; nothing depends on them.
        """
        self._engine.watch(events=events)

    async def broken(self) -> None:
        """Wait until something that must never end has ended, and raise why; for whoever keeps an engine running."""
        await self._engine.broken()

    async def scan(self) -> dict[str, Sighting]:
        """Look once at every instrument's folders and queue what is finished; by equipment id."""
        return await self._engine.steering.rescan()

    async def drain(self) -> None:
        """Wait until no lane has anything that it can move now. Raises what ended a lane."""
        await self._engine.settled()
