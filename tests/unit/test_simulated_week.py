"""A week beside three instruments in simulated time: a NAS that reboots every night, a weekend away, a clock change."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from exlab_sync_tui import CreationWriter, NASSyncClient, Validator
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.testing import FakeTransport, ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.settings import Equipment
    from exlab_sync_tui.transport.base import PushPlan

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2025, 3, 24, 7, 0, tzinfo=UTC)  # the clocks go forward on the Sunday of this week
INSTRUMENTS = ("CONFOCAL_01", "SEQUENCER_01", "READER_01")
SENTINEL = "done.flag"
HOUR = 3_600
STEP = 100


class Hanging(FakeTransport):
    """A destination that takes a file and never says anything again."""

    async def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:  # noqa: ARG002  # never reads it
        self.calls["push"] += 1
        await asyncio.Event().wait()
        yield []


@dataclass
class WeekLab:
    """Three plain instruments that share one NAS, which is away whenever ``outages`` say so."""

    root: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(MONDAY))
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    transports: dict[str, FakeTransport] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)

    def client(self, *, make: Callable[[str], FakeTransport] | None = None, **sync: object) -> NASSyncClient:
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
            (self.root / name).mkdir(exist_ok=True)
        return NASSyncClient(
            config={"equipment": instruments, "sync": {"rescan_seconds": 600, **sync}},
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
        run.mkdir()
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
        step = min(STEP, seconds - passed)
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


async def until_all_verified(lab: WeekLab, client: NASSyncClient, *, hours: float) -> None:
    for _ in range(int(hours * 60)):
        if await verified(client) == {str(run) for run in lab.runs}:
            return
        await live(lab, client, 60)
    raise AssertionError(f"not verified: {[job for job in await all_jobs(client) if job.state != 'verified']}")


@pytest.mark.slow
async def test_after_a_week_of_outages_every_run_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", str(BERLIN))
    time.tzset()
    lab = WeekLab(tmp_path)
    for day in range(7):
        night = MONDAY.replace(hour=3, minute=58) + timedelta(days=day + 1)  # a run is written at four
        lab.outages.append((night, night + timedelta(minutes=12)))
    friday = MONDAY.replace(hour=17) + timedelta(days=4)
    lab.outages.append((friday, friday + timedelta(hours=62)))
    client = lab.client()
    await client.init()
    listener = asyncio.create_task(lab.listen(client))
    await asyncio.sleep(0)
    client.watch(events=False)
    for hour in range(0, 7 * 24, 3):
        lab.write_run(INSTRUMENTS[hour // 3 % 3], f"Run_{hour:03d}")
        await live(lab, client, 3 * HOUR)
    assert lab.clock.now() - MONDAY == timedelta(days=7)
    assert lab.clock.now().astimezone(BERLIN).utcoffset() != MONDAY.astimezone(BERLIN).utcoffset()
    await until_all_verified(lab, client, hours=3)
    jobs = await all_jobs(client)
    assert {job.run_path for job in jobs} == {str(run) for run in lab.runs}
    assert {job.attempts for job in jobs} == {0}
    assert not await client.store.holds()
    await client.close()
    await listener
    counts = Counter((event.kind, event.run_path) for event in lab.events)
    for run in lab.runs:
        assert counts[EventKind.RUN_QUEUED, str(run)] == 1
        assert counts[EventKind.RUN_VERIFIED, str(run)] == 1
    assert not [event for event in lab.events if event.kind is EventKind.RUN_FAILED]
    laid = sum(event.kind is EventKind.HOLD_SET and event.data.get("hold") == "away" for event in lab.events)
    lifted = sum(event.kind is EventKind.HOLD_CLEARED and event.data.get("hold") == "away" for event in lab.events)
    assert laid >= lifted >= 1
    time.tzset()


async def test_a_lane_that_hangs_for_ever_keeps_no_other_lane_waiting(tmp_path: Path) -> None:
    lab = WeekLab(tmp_path)
    client = lab.client(
        make=lambda name: Hanging(title="nas01") if name == INSTRUMENTS[0] else FakeTransport(title="nas01")
    )
    async with client:
        hung = await client.enqueue(lab.write_run(INSTRUMENTS[0], "Run_hangs"))
        while lab.transports[INSTRUMENTS[0]].calls["push"] == 0:
            await breathe()
        others = [await client.enqueue(lab.write_run(name, "Run_goes")) for name in INSTRUMENTS[1:]]
        while await verified(client) != {other.run_path for other in others}:
            await breathe()
        job = await client.store.job(hung.job_id)
        assert job is not None
        assert job.state is SyncJobState.RUNNING


async def test_a_lane_that_hangs_is_ended_as_stalled_and_tried_again_later(tmp_path: Path) -> None:
    lab = WeekLab(tmp_path)
    client = lab.client(make=lambda _: Hanging(title="nas01"))
    async with client:
        handle = await client.enqueue(lab.write_run(INSTRUMENTS[0], "Run_hangs"))
        while lab.transports[INSTRUMENTS[0]].calls["push"] == 0:
            await breathe()
        await lab.clock.advance(150)
        while (job := await client.store.job(handle.job_id)) is None or job.state is SyncJobState.RUNNING:
            await breathe()
        assert (job.state, job.attempts) == (SyncJobState.QUEUED, 1)
        assert "has not moved a byte for 2 min" in (job.last_error or "")
