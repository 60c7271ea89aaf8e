"""What is going on right now? One frozen picture of the store, and one of what moves, for every part of the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Pulse
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import MOVING_STATES, SAFE_STATES
from exlab_sync_tui.operate.runs import KnownRun, all_holds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.engine.cockpit.view import Flight
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobStore, Waiting

NEEDS_SOMEBODY = frozenset(
    {HoldKind.BLOCKED, HoldKind.CONFLICT, HoldKind.NAMES, HoldKind.OVERSIZE, HoldKind.DAMAGED, HoldKind.SET_UP}
)
"""Holds that do not end by themselves: the run itself is what somebody has to look at."""


_NOT_SENT_YET = frozenset({"looking", "sending"})
"""Phases of a flight whose run is still among what waits."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs are where. ``held``: without a job yet, because they are still being written or were blocked."""

    safe: int = 0
    moving: int = 0
    queued: int = 0
    failed: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        """All runs that are known."""
        return self.safe + self.moving + self.queued + self.failed + self.held

    @property
    def backlog(self) -> int:
        """Runs that have still to go."""
        return self.moving + self.queued


@dataclass(frozen=True, slots=True)
class Scene:
    """The store at one moment. ``bare`` are the holds of runs that have no job.

    ``stuck`` are the runs that are held until somebody acts, with their job if they have one; failed ones are not
    among them.
    """

    at: datetime
    counts: Mapping[tuple[str, SyncJobState], int] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    run_holds: Mapping[str, Hold] = field(default_factory=dict)
    bare: tuple[Hold, ...] = ()
    stuck: tuple[KnownRun, ...] = ()
    instrument_holds: Mapping[str, Hold] = field(default_factory=dict)
    destination_holds: tuple[Hold, ...] = ()

    def tally(self, equipment_id: str = "") -> Tally:
        """Counts of one instrument, or of all."""
        found = {"safe": 0, "moving": 0, "queued": 0, "failed": 0}
        for (owner, state), number in self.counts.items():
            if equipment_id in {"", owner}:
                found[_place(state)] += number
        held = sum(1 for hold in self.bare if equipment_id in {"", hold.equipment_id})
        return Tally(**found, held=held)

    @property
    def needing(self) -> int:
        """How many runs wait for a person."""
        return self.tally().failed + len(self.stuck)

    def is_paused(self, equipment_id: str) -> bool:
        """Whether an operator has paused the instrument."""
        hold = self.instrument_holds.get(equipment_id)
        return hold is not None and hold.kind is HoldKind.PAUSED


@dataclass(frozen=True, slots=True)
class Live:
    """What moves at this moment, by job id, and whether an engine is at work.

    ``rates`` are the last seconds of each instrument that has sent something, in bytes/s, oldest first.
    """

    flights: Mapping[str, Flight] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=lambda: Pulse(alive=True, hosted=True))
    rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def differs_from(self, other: Live | None) -> bool:
        """Whether there is something else to see; a beat of the same engine is not."""
        return other is None or self.seen != other.seen

    @property
    def seen(self) -> tuple[object, ...]:
        """What can be seen of it."""
        pulse = self.pulse
        last = None if pulse.alive else pulse.last_beat
        return self.flights, self.rates, pulse.alive, pulse.hosted, pulse.process, pulse.host, last

    def of(self, job: SyncJobRow | None) -> Flight | None:
        """The transfer of a job."""
        return self.flights.get(job.id) if job is not None else None

    def at(self, equipment_id: str) -> Flight | None:
        """The transfer of an instrument; it has one at most."""
        return next((one for one in self.flights.values() if one.equipment_id == equipment_id), None)


def seconds_left(scene: Scene, live: Live, equipment_id: str) -> float | None:
    """When everything that waits at an instrument is sent at the present rate, the run in flight included.

    ``None`` where that cannot be known: nothing moves, or a run that waits has not been measured yet.
    """
    flight, waiting = live.at(equipment_id), scene.waiting.get(equipment_id)
    if flight is None or not flight.rate or waiting is None or waiting.unsized:
        return None
    moved = flight.moved if flight.phase in _NOT_SENT_YET else 0
    left = max(waiting.size - moved, 0)
    return left / flight.rate if left else None


class Lookout:
    """Takes pictures of the store. Remembers which held runs have a job: that never changes back."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._with_job: set[str] = set()

    async def look(self, at: datetime) -> Scene:
        """Read counts and holds. Raises ``StoreError``."""
        counts, waiting = await self._store.counts(), await self._store.waiting()
        held: dict[HoldScope, dict[str, Hold]] = {scope: {} for scope in HoldScope}
        async for hold in all_holds(self._store):
            held[hold.scope][hold.key] = hold
        runs = held[HoldScope.RUN]
        await self._learn_of([path for path in runs if path not in self._with_job])
        return Scene(
            at,
            counts,
            waiting,
            run_holds=runs,
            bare=tuple(hold for hold in runs.values() if hold.key not in self._with_job),
            stuck=tuple(await self._stuck([hold for hold in runs.values() if hold.kind in NEEDS_SOMEBODY])),
            instrument_holds=held[HoldScope.EQUIPMENT],
            destination_holds=tuple(held[HoldScope.DESTINATION].values()),
        )

    async def _learn_of(self, paths: list[str]) -> None:
        if paths:
            self._with_job |= (await self._store.jobs_of(paths)).keys()

    async def _stuck(self, holds: list[Hold]) -> list[KnownRun]:
        jobs = await self._store.jobs_of([hold.key for hold in holds if hold.key in self._with_job])
        runs = [KnownRun(hold.key, hold.equipment_id, jobs.get(hold.key), hold) for hold in holds]
        return [run for run in runs if run.job is None or run.job.state is not SyncJobState.FAILED]


def _place(state: SyncJobState) -> str:
    if state in SAFE_STATES:
        return "safe"
    if state in MOVING_STATES:
        return "moving"
    return state.value
