"""What does the console look at that the store does not know? Disks, limits, the gate, logs: all off the loop."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.engine.cockpit.room import Room, far_room
from exlab_sync_tui.engine.reach import destination_key
from exlab_sync_tui.operate.objections import Objections, objections
from exlab_sync_tui.operate.run_log import RunLog, run_log
from exlab_sync_tui.operate.wiring import equipment_folders, gate_options
from exlab_sync_tui.settings.bandwidth import limit_kibps, next_change

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings
    from exlab_sync_tui.settings.bandwidth import Bandwidth


@dataclass(frozen=True, slots=True)
class Limit:
    """How fast an instrument may send, in KiB/s (``None``: as fast as it goes), and when that changes to what."""

    now: int | None = None
    until: datetime | None = None
    then: int | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """By instrument: room on this PC's disk, room on the NAS as the engine saw it last, and the limit."""

    here: Mapping[str, Room] = field(default_factory=dict)
    there: Mapping[str, Room] = field(default_factory=dict)
    limits: Mapping[str, Limit] = field(default_factory=dict)


class Premises(Protocol):
    """What is around the store."""

    async def survey(self, store: JobStore, now: datetime) -> Survey:
        """Look at the disks and limits. Raises ``StoreError``."""
        ...

    async def objections(self, store: JobStore, run_path: str, now: datetime) -> Objections:
        """Ask the gate about one run. Raises ``StoreError``."""
        ...

    async def log(self, run_path: str) -> RunLog:
        """Read the run's own log."""
        ...


class Nothing:
    """Premises of which nothing is known: a console without a configuration shows what the store has."""

    async def survey(self, store: JobStore, now: datetime) -> Survey:  # noqa: ARG002  # the protocol's words  # the protocol's words
        """Nothing."""
        return Survey()

    async def objections(self, store: JobStore, run_path: str, now: datetime) -> Objections:  # noqa: ARG002  # the protocol's words  # the protocol's words
        """Nothing."""
        return Objections(problem="The gate cannot be asked here.")

    async def log(self, run_path: str) -> RunLog:  # noqa: ARG002  # the protocol's words  # the protocol's words
        """Nothing."""
        return RunLog(problem="There is no log here.")


class Configured:
    """The premises that a configuration describes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def survey(self, store: JobStore, now: datetime) -> Survey:
        """Look at each disk once, in a thread, and at what the engine noted."""
        ones = self._settings.equipment
        there = {
            one.id: await far_room(store, destination_key(one.transport)) for one in ones if one.transport is not None
        }
        local = now.astimezone()
        limits = {one.id: _limit(one.transport.bandwidth, local) for one in ones if one.transport is not None}
        here = await asyncio.to_thread(_rooms, {one.id: str(one.folder) for one in ones}, now)
        return Survey(here, {name: room for name, room in there.items() if room is not None}, limits)

    async def objections(self, store: JobStore, run_path: str, now: datetime) -> Objections:
        """Ask the gate in a thread."""
        folders, options = equipment_folders(self._settings), gate_options(self._settings)
        return await objections(store, run_path, folders, options, now=now)

    async def log(self, run_path: str) -> RunLog:
        """Read it in a thread."""
        return await asyncio.to_thread(run_log, run_path)


def _rooms(folders: Mapping[str, str], now: datetime) -> dict[str, Room]:
    found = {}
    for name, folder in folders.items():
        try:
            told = shutil.disk_usage(folder)
        except OSError:
            continue
        found[name] = Room(told.free, told.total, now)
    return found


def _limit(bandwidth: Bandwidth, local: datetime) -> Limit:
    now, change = limit_kibps(bandwidth, local), next_change(bandwidth, local)
    return Limit(now) if change is None else Limit(now, change[0], change[1])
