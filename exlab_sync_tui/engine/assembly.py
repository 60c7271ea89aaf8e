"""Which implementation goes where? Chooses by the configuration, translates ``Settings`` for the stages, and wires."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from exlab_sync_tui.cleanup.interlocks import CleanupOptions
from exlab_sync_tui.engine.board import Board
from exlab_sync_tui.engine.breaker import Breaker
from exlab_sync_tui.engine.bus import Bus
from exlab_sync_tui.engine.chronicle import Chronicle
from exlab_sync_tui.engine.debts import Bookkeeper
from exlab_sync_tui.engine.holds import HoldKeeper
from exlab_sync_tui.engine.intake import Intake
from exlab_sync_tui.engine.lane import Lane
from exlab_sync_tui.engine.orders import Orders
from exlab_sync_tui.engine.parts import Destination, Identities, Injected, Instrument, Parts
from exlab_sync_tui.engine.reach import destination_key, transport_for
from exlab_sync_tui.engine.scout import Scout
from exlab_sync_tui.engine.setback import Setback, requeue_refused
from exlab_sync_tui.engine.travel.assembled import AssembledWay
from exlab_sync_tui.engine.travel.blackbox import BlackBoxWay
from exlab_sync_tui.engine.travel.journey import Journey
from exlab_sync_tui.engine.upkeep.caretaker import Caretaker
from exlab_sync_tui.engine.upkeep.facts import Facts
from exlab_sync_tui.engine.upkeep.reaper import Reaper
from exlab_sync_tui.engine.upkeep.turn import Turn
from exlab_sync_tui.engine.upkeep.verdicts import Verdicts
from exlab_sync_tui.engine.works import Works
from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.run import EquipmentFolder, Layout
from exlab_sync_tui.platform import user_name
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.settings import Settings, limit_kibps
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.verify.verifier import Verifier
from exlab_sync_tui.watch.completeness import CompletenessOptions, SignalKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from exlab_sync_tui.engine.parts import HashsumCallable, PushCallable, RateSource
    from exlab_sync_tui.engine.travel.way import Way
    from exlab_sync_tui.gate.validator import Validator
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.provenance.creation import CreationWriter
    from exlab_sync_tui.settings import Equipment, TransportBlock
    from exlab_sync_tui.transport.base import Transport

_MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What the engine is to be built from, before it holds anything open."""

    settings: Settings
    queue_db: Path
    validator: Validator
    creation: CreationWriter
    verifier: Verifier
    poll_interval: float
    push_factory: Callable[[Equipment], PushCallable] | None
    hashsum_factory: Callable[[Equipment], HashsumCallable] | None
    remote_stat: Callable[[SyncJobRow], bool] | None
    clock: Clock = field(default_factory=SystemClock)
    operator: str = ""
    transport_factory: Callable[[Equipment], Transport] | None = None

    @property
    def enabled(self) -> bool:
        """``sync.enabled``: false watches and shows, and sends nothing."""
        return self.settings.sync.enabled

    def wire(self, lease_fd: int) -> Works:
        """Build everything; children of transports inherit *lease_fd*, so that the lock outlives them."""
        return _Wiring(self, lease_fd).works()


class _Wiring:
    """One pass over the configuration."""

    def __init__(self, blueprint: Blueprint, lease_fd: int) -> None:
        self._plan = blueprint
        self._lease_fd = lease_fd
        self._transports: dict[str, Transport] = {}
        self._breakers: dict[str, Breaker] = {}
        self._lanes: dict[str, Lane] = {}
        self._caretakers: dict[str, Caretaker] = {}
        self._facts: dict[str, Facts] = {}
        self._cleanup = cleanup_options(blueprint.settings)
        self._instruments: dict[str, Instrument] = {}
        store = SQLiteStore(blueprint.queue_db)
        bus = Bus(blueprint.clock)
        self._parts = Parts(
            store=store,
            clock=blueprint.clock,
            bus=bus,
            board=Board(),
            holds=HoldKeeper(store, bus, blueprint.clock),
            validator=blueprint.validator,
            creation=blueprint.creation,
            verifier=blueprint.verifier,
            minimum=blueprint.settings.verify.minimum,
            records_folder=blueprint.queue_db.parent / "records",
            identities=Identities(socket.gethostname(), blueprint.operator or user_name(), tool_version()),
        )

    def works(self) -> Works:
        settings, parts = self._plan.settings, self._parts
        instruments = self._instruments = {item.id: self._instrument(item) for item in settings.equipment}
        plain = tuple(one.folder.root for one in instruments.values() if one.folder.layout is Layout.PLAIN)
        intake = Intake(parts)
        verdicts = Verdicts(parts, self._cleanup.interval)
        bookkeeper = Bookkeeper(parts, plain)
        slots = asyncio.Semaphore(settings.sync.max_parallel_runs or _MANY)
        for one in instruments.values():
            if not one.destination.unready:
                turn = Turn()
                self._lanes[one.id] = self._lane(one, intake, bookkeeper, slots, turn)
                self._caretakers[one.id] = self._caretaker(one, bookkeeper, turn, verdicts)
        return Works(
            parts=parts,
            instruments=instruments,
            lanes=self._lanes,
            scouts={one.id: Scout(parts, one, intake) for one in instruments.values()},
            intake=intake,
            bookkeeper=bookkeeper,
            chronicle=Chronicle(parts.bus, parts.identities.host, [one.folder for one in instruments.values()]),
            orders=Orders(parts, instruments, verdicts, self._plan.remote_stat),
            transports=tuple(self._transports.values()),
            caretakers=self._caretakers,
            facts=self._facts,
            cleanup=self._cleanup,
            allowlist=settings.operators.allowlist,
        )

    def _caretaker(self, one: Instrument, bookkeeper: Bookkeeper, turn: Turn, verdicts: Verdicts) -> Caretaker:
        parts, options, lane = self._parts, self._cleanup, self._lanes[one.id]
        facts = self._facts[one.id] = Facts(parts, one, options, turn, self._plan.remote_stat)
        days = self._plan.settings.verify.audit_days
        reaper = Reaper(parts, one, options, facts=facts, turn=turn, verdicts=verdicts, bookkeeper=bookkeeper)
        caretaker = Caretaker(
            parts,
            one,
            options,
            reaper=reaper,
            turn=turn,
            lane=lane,
            breaker=self._breaker(one.destination),
            audit_every=timedelta(days=days) if days else None,
        )
        lane.after_each(caretaker.wake)
        return caretaker

    def _lane(
        self, one: Instrument, intake: Intake, bookkeeper: Bookkeeper, slots: asyncio.Semaphore, turn: Turn
    ) -> Lane:
        breaker = self._breaker(one.destination)
        direct = self._plan.settings.sync.publish == "direct"
        journey = Journey(self._parts, one, _way_of(one.destination, direct=direct), breaker)
        setback = Setback(self._parts, one, breaker, intake)
        return Lane(
            self._parts,
            one,
            journey=journey,
            breaker=breaker,
            setback=setback,
            bookkeeper=bookkeeper,
            slots=slots,
            turn=turn,
            shortest_rest=self._plan.poll_interval,
            sends=self._plan.enabled,
        )

    def _breaker(self, destination: Destination) -> Breaker:
        if destination.key not in self._breakers:
            key = destination.key
            self._breakers[key] = Breaker(
                destination, self._parts, on_close=lambda: self._go_on(key), on_try=lambda: self._wake_lanes(key)
            )
        return self._breakers[destination.key]

    def _instrument(self, item: Equipment) -> Instrument:
        sync = self._plan.settings.sync
        folder = EquipmentFolder(item.id, item.folder, item.layout, item.run_pattern)
        completeness = CompletenessOptions(
            signal=SignalKind(item.completeness_signal.value),
            sentinel_filename=item.sentinel_filename,
            manifest_filename=item.manifest_filename,
            settle_seconds=item.settle_seconds,
            busy_patterns=sync.busy_patterns,
            litter_patterns=sync.litter_patterns,
        )
        return Instrument(
            folder, item.label, self._destination(item), completeness, sync.litter_patterns, sync.stall_seconds
        )

    def _destination(self, item: Equipment) -> Destination:
        block = item.transport
        injected = Injected(
            self._plan.push_factory(item) if self._plan.push_factory else None,
            self._plan.hashsum_factory(item) if self._plan.hashsum_factory else None,
        )
        if block is None:
            staged = f"{item.id} has sync_mode stage: ExLab-Wizard moves its runs, they are not queued here."
            return Destination("", item.nas_root, item.nas_root, item.id, injected, lambda: None, staged)
        clock = self._plan.clock

        def rate() -> int | None:
            return limit_kibps(block.bandwidth, clock.now().astimezone().replace(tzinfo=None))

        key, title, root = destination_key(block), block.place, block.root
        try:
            transport = self._transport(item, block, rate)
        except RefusedError as error:
            unready = "" if injected.push else f"{item.id}: {error}"
            return Destination(key, title, root, item.id, injected, rate, unready)
        self._transports[item.id] = transport
        if self._plan.transport_factory is not None:
            key = f"given:{transport.title}"
        return Destination(key, transport.title, root, item.id, injected, rate, transport=transport)

    def _transport(self, item: Equipment, block: TransportBlock, rate: RateSource) -> Transport:
        if self._plan.transport_factory is not None:
            return self._plan.transport_factory(item)
        capped = block.bandwidth.upload_mbps is not None
        return transport_for(
            block,
            Limiter(rate if capped else None, self._plan.clock),
            lease_fd=self._lease_fd,
            max_stream_bytes=self._plan.settings.verify.max_stream_bytes,
        )

    async def _go_on(self, destination: str) -> None:
        """A destination works again: runs that it had refused queue by themselves (``FORMATS.md`` §6, ``auth``)."""
        for equipment_id in self._lanes_to(destination):
            await requeue_refused(self._parts, equipment_id)
        self._wake_lanes(destination)

    def _wake_lanes(self, destination: str) -> None:
        for equipment_id in self._lanes_to(destination):
            self._lanes[equipment_id].wake()

    def _lanes_to(self, destination: str) -> list[str]:
        return [
            one.id for one in self._instruments.values() if one.destination.key == destination and one.id in self._lanes
        ]


def blueprint_of(
    *,
    config: Settings | Mapping[str, object],
    queue_db: Path,
    validator: Validator,
    creation: CreationWriter,
    verifier: Verifier | None,
    poll_interval: float,
    push_factory: Callable[[Equipment], PushCallable] | None,
    hashsum_factory: Callable[[Equipment], HashsumCallable] | None,
    remote_stat: Callable[[SyncJobRow], bool] | None,
    clock: Clock | None,
    operator: str | None,
    transport_factory: Callable[[Equipment], Transport] | None = None,
) -> Blueprint:
    """What an engine for a configuration is built from. Raises ``pydantic.ValidationError`` if *config* is not one."""
    settings = config if isinstance(config, Settings) else Settings.model_validate(config)
    return Blueprint(
        settings=settings,
        queue_db=queue_db,
        validator=validator,
        creation=creation,
        verifier=verifier or Verifier(settings.verify.minimum),
        poll_interval=poll_interval,
        push_factory=push_factory,
        hashsum_factory=hashsum_factory,
        remote_stat=remote_stat,
        clock=clock or SystemClock(),
        operator=operator or "",
        transport_factory=transport_factory,
    )


def cleanup_options(settings: Settings) -> CleanupOptions:
    """What the configuration says of cleanup; without a ``nas_cleanup`` block it is off."""
    block = settings.nas_cleanup
    interval = timedelta(hours=settings.verify.audit_interval_hours)
    if block is None:
        return CleanupOptions(interval=interval)
    return CleanupOptions(
        configured=True,
        enabled=block.enabled,
        min_passes=block.min_verify_passes,
        min_age=timedelta(hours=block.min_age_hours),
        retain_cache=block.retain_cache,
        interval=interval,
    )


def tool_version() -> str:
    """Our own version, as receipts name it."""
    try:
        return f"exlab-sync {version('exlab-sync')}"
    except PackageNotFoundError:
        return "exlab-sync"


def _way_of(destination: Destination, *, direct: bool) -> Way:
    """Injected callables win; else the configured transport."""
    injected = destination.injected
    if injected.push is not None:
        return BlackBoxWay(injected.push, injected.hashsum, destination.transport, destination.rate, destination.title)
    if destination.transport is None:
        raise RefusedError(destination.unready)
    return AssembledWay(destination.transport, direct=direct)
