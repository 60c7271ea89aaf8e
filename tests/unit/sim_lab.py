"""Instruments, a NAS and time, all made up: the lab of the tests that live through days in seconds."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exlab_sync_tui import CreationWriter, NASSyncClient, Validator
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.testing import FakeTransport, ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.settings import Equipment

MONDAY = datetime(2025, 3, 24, 7, 0, tzinfo=UTC)  # the clocks go forward on the Sunday of this week
INSTRUMENTS = ("CONFOCAL_01", "SEQUENCER_01", "READER_01")
SENTINEL = "done.flag"
HOUR = 3_600


@dataclass
class WeekLab:
    """Three plain instruments that share one NAS, which is away whenever ``outages`` say so.

    Time passes ``step`` seconds at once: work on threads then seems to take up to so long.
    """

    root: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(MONDAY))
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    transports: dict[str, FakeTransport] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)
    step: float = 100

    def client(
        self, *, make: Callable[[str], FakeTransport] | None = None, rescan_seconds: float = 600
    ) -> NASSyncClient:
        def transport(item: Equipment) -> FakeTransport:
            known = self.transports.setdefault(item.id, make(item.id) if make else FakeTransport(title="nas01"))
            for method in ("probe", "find", "open_incoming", "push", "digests", "publish", "list"):
                known.before[method] = self.weather
            return known

        instruments = [
            {
                "id": name,
                "label": name.title(),
                "local_root": str(self.root / name),
                "nas_root": "//nas01/lab",
                "layout": "plain",
                "completeness_signal": "sentinel_file",
                "sentinel_filename": SENTINEL,
                "settle_seconds": 30,
                "transport": {"type": "mount", "path": "/mnt/nas01/lab"},
            }
            for name in INSTRUMENTS
        ]
        for name in INSTRUMENTS:
            (self.root / name).mkdir(exist_ok=True, parents=True)
        return NASSyncClient(
            config={"equipment": instruments, "sync": {"rescan_seconds": rescan_seconds}},
            queue_db=self.root / "state" / "queue.db",
            validator=Validator(),
            cache_creation=CreationWriter(),
            clock=self.clock,
            operator="mira",
            transport_factory=transport,
        )

    def weather(self) -> None:
        away = any(begin <= self.clock.now() < end for begin, end in self.outages)
        for transport in self.transports.values():
            transport.away = away

    def write_run(self, equipment: str, name: str) -> Path:
        run = self.root / equipment / name
        run.mkdir(parents=True)
        (run / "data.raw").write_text(f"{equipment} {name}")
        (run / SENTINEL).touch()
        self.runs.append(run)
        return run

    async def listen(self, client: NASSyncClient) -> None:
        async for event in client.events():
            self.events.append(event)


async def live(lab: WeekLab, client: NASSyncClient, seconds: float) -> None:
    """Let time pass, in steps shorter than a stall, and let what runs on threads keep up with it."""
    passed = 0.0
    while passed < seconds:
        step = min(lab.step, seconds - passed)
        await lab.clock.advance(step)
        passed += step
        await quiet(client)


async def quiet(client: NASSyncClient) -> None:
    """Wait until every lane rests and nobody looks at a folder."""
    works = client._engine.works
    while True:
        await breathe()
        looks = any(scout._turn.locked() for scout in works.scouts.values())
        if not looks and all(lane.is_idle for lane in works.lanes.values()):
            return


async def breathe() -> None:
    """One real moment, for threads."""
    await asyncio.to_thread(time.sleep, 0.0)


async def verified(client: NASSyncClient) -> set[str]:
    jobs = await client.store.jobs(JobFilter(frozenset({SyncJobState.VERIFIED})))
    return {job.run_path for job in jobs}


async def all_jobs(client: NASSyncClient) -> list[SyncJobRow]:
    return await client.store.jobs(JobFilter())
