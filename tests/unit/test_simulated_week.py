"""A week beside three instruments in simulated time: a NAS that reboots every night, a weekend away, a clock change."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.testing import FakeTransport
from tests.unit.sim_lab import HOUR, INSTRUMENTS, MONDAY, WeekLab, all_jobs, breathe, live, verified

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import PushPlan

BERLIN = ZoneInfo("Europe/Berlin")


class Hanging(FakeTransport):
    """A destination that takes a file and never says anything again."""

    let_go = 0

    async def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:  # noqa: ARG002  # never reads it
        self.calls["push"] += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.let_go += 1
        yield []


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
    hanging = Hanging(title="nas01")
    client = lab.client(make=lambda _: hanging)
    async with client:
        handle = await client.enqueue(lab.write_run(INSTRUMENTS[0], "Run_hangs"))
        while hanging.calls["push"] == 0:
            await breathe()
        while not hanging.let_go:
            await lab.clock.advance(10)
            await breathe()
        while (job := await client.store.job(handle.job_id)) is None or job.state is SyncJobState.RUNNING:
            await breathe()
        assert (job.state, job.attempts) == (SyncJobState.QUEUED, 1)
        assert "has not moved a byte for 2 min" in (job.last_error or "")
