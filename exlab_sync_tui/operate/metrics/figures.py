"""How is everything, in figures? One look at the store, and what was counted since the engine has started."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.room import far_room
from exlab_sync_tui.engine.reach import destination_key
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import SAFE_STATES
from exlab_sync_tui.operate.runs import all_holds
from exlab_sync_tui.operate.wiring import equipment_folders
from exlab_sync_tui.queue.store import JobFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings

_ON_THE_DISK_TOO = frozenset({SyncJobState.VERIFIED, SyncJobState.CLEANUP_ELIGIBLE, SyncJobState.CLEANED})
_OPEN = frozenset(SyncJobState) - SAFE_STATES


@dataclass(frozen=True, slots=True)
class Figures:
    """One look. Keys are equipment ids, with a state, a kind of hold or a place; ages in seconds, room in bytes."""

    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    holds: dict[tuple[str, str, str], int] = field(default_factory=dict)
    oldest_unsynced: dict[str, float] = field(default_factory=dict)
    verification_age: dict[str, float] = field(default_factory=dict)
    free: dict[tuple[str, str], int] = field(default_factory=dict)
    shut: dict[str, str] = field(default_factory=dict)
    looked_at: float = 0.0


@dataclass(slots=True)
class Counts:
    """What only grows while this engine runs. Keys are equipment ids, with a class of failure or a phase."""

    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)
    phase_seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    phase_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def hear(self, event: Event) -> None:
        """Count an event."""
        if event.kind in {EventKind.RUN_FAILED, EventKind.RUN_RETRY}:
            self.failures[event.equipment_id, str(event.data.get("error_kind") or "hash_mismatch")] += 1
        elif event.kind is EventKind.RUN_VERIFIED:
            self.verified[event.equipment_id] += 1


class Meter:
    """Adds up seconds and bytes of each phase from samples of the board."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._before: dict[tuple[str, float], tuple[int, int]] = {}

    def sample(self, transfers: Sequence[Progress], seconds: float) -> None:
        """*seconds* have passed since the last sample."""
        now = {}
        for one in transfers:
            key = (one.job.equipment_id, one.phase.value)
            self._counts.phase_seconds[key] = self._counts.phase_seconds.get(key, 0.0) + seconds
            transfer = (one.job.id, one.started)
            now[transfer] = (one.pulse.sent_bytes, one.pulse.checked_bytes)
            sent, checked = self._before.get(transfer, (0, 0))
            for phase, grown in (("sending", now[transfer][0] - sent), ("checking", now[transfer][1] - checked)):
                if grown > 0:
                    self._counts.phase_bytes[one.job.equipment_id, phase] += grown
        self._before = now


async def take_figures(
    store: JobStore,
    settings: Settings,
    now: datetime,
    *,
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> Figures:
    """Look at the store and at the instruments' disks; costs the same however many runs are finished."""
    names = [item.id for item in settings.equipment]
    holds = [hold async for hold in all_holds(store)]
    counts = await store.counts()
    oldest, ages = {}, {}
    for name in names:
        oldest[name] = await _oldest_open(store, name, holds, now)
        proven = await store.stale(name, _ON_THE_DISK_TOO, now, limit=1)
        moment = (proven[0].passed_at or proven[0].verified_at) if proven else None
        if moment is not None:
            ages[name] = max((now - moment).total_seconds(), 0.0)
    return Figures(
        runs={(name, state.value): counts.get((name, state), 0) for name in names for state in SyncJobState},
        holds=_numbers(holds),
        oldest_unsynced=oldest,
        verification_age=ages,
        free=await asyncio.to_thread(_local_room, settings, free) | await _far_room(store, settings),
        shut={hold.equipment_id: hold.kind.value for hold in holds if hold.scope is HoldScope.DESTINATION},
        looked_at=now.timestamp(),
    )


def _numbers(holds: Sequence[Hold]) -> dict[tuple[str, str, str], int]:
    return dict(Counter((hold.equipment_id, hold.scope.value, hold.kind.value) for hold in holds))


async def _oldest_open(store: JobStore, name: str, holds: Sequence[Hold], now: datetime) -> float:
    """Seconds since the oldest run that is not safe yet was queued, or was first seen; 0 if all are safe."""
    since = [hold.since for hold in holds if hold.scope is HoldScope.RUN and hold.equipment_id == name]
    first = await store.jobs(JobFilter(_OPEN, name), limit=1)
    since += [job.enqueued_at for job in first if job.enqueued_at is not None]
    return max((now - min(since)).total_seconds(), 0.0) if since else 0.0


async def _far_room(store: JobStore, settings: Settings) -> dict[tuple[str, str], int]:
    """As the engine saw it last; nobody asks the NAS for this."""
    found = {}
    for item in settings.equipment:
        room = await far_room(store, destination_key(item.transport)) if item.transport is not None else None
        if room is not None:
            found[item.id, "destination"] = room.free
    return found


def _local_room(settings: Settings, free: Callable[[Path], int]) -> dict[tuple[str, str], int]:
    found = {}
    for folder in equipment_folders(settings):
        try:
            found[folder.equipment_id, "local"] = free(folder.root)
        except OSError:
            continue  # a folder that is gone is a hold, and counted there
    return found
