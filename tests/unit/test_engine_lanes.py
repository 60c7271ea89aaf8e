"""Lanes and the destinations that hold them, through the public client in simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.testing import FakeTransport
from tests.unit.sim_lab import INSTRUMENTS, WeekLab, breathe, live, quiet, verified

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient

ONE, TWO, _ = INSTRUMENTS


@pytest.fixture
def lab(tmp_path: Path) -> WeekLab:
    return WeekLab(tmp_path, step=5)


def apart(name: str) -> FakeTransport:
    """A destination of its own for each instrument."""
    return FakeTransport(title=f"nas of {name}")


async def states(client: NASSyncClient, *runs: Path) -> list[tuple[str, int]]:
    jobs = [await client.job_of(run) for run in runs]
    return [(job.state.value, job.attempts) for job in jobs if job is not None]


async def holds(client: NASSyncClient) -> set[tuple[HoldKind, str]]:
    return {(hold.kind, hold.equipment_id) for hold in await client.store.holds()}


async def test_runs_that_were_refused_queue_by_themselves_and_only_those_of_the_destination_that_works_again(
    lab: WeekLab,
) -> None:
    async with lab.client(make=apart) as client:
        here, there = lab.write_run(ONE, "Run_1"), lab.write_run(TWO, "Run_1")
        for name in (ONE, TWO):
            lab.transports[name].fail("push", TransportErrorKind.AUTH, "the key was refused")
            lab.transports[name].fail("probe", TransportErrorKind.AUTH, "the key was refused", after=1, times=1_000)
        await client.enqueue(here)
        await client.enqueue(there)
        await quiet(client)
        assert await states(client, here, there) == [("failed", 0), ("failed", 0)]
        assert await holds(client) == {(HoldKind.AUTH, ONE), (HoldKind.AUTH, TWO)}
        lab.transports[ONE]._faults.clear()
        await live(lab, client, 120)
        assert await states(client, here, there) == [("verified", 0), ("failed", 0)]
        assert await holds(client) == {(HoldKind.AUTH, TWO)}


async def test_a_refusal_is_looked_at_again_after_a_restart_though_no_run_waits(lab: WeekLab) -> None:
    client = lab.client()
    async with client:
        run = lab.write_run(ONE, "Run_1")
        lab.transports[ONE].fail("push", TransportErrorKind.AUTH, "the key was refused")
        await client.enqueue(run)
        await quiet(client)
        assert await states(client, run) == [("failed", 0)]
    async with lab.client() as client:
        await quiet(client)
        await quiet(client)
        assert await verified(client) == {str(run)}
        assert await holds(client) == set()


async def test_a_wait_that_a_clock_set_back_has_made_long_is_cut_short(lab: WeekLab) -> None:
    async with lab.client() as client:
        run = lab.write_run(ONE, "Run_1")
        lab.transports[ONE].fail("push", TransportErrorKind.NETWORK, "reset by peer")
        await client.enqueue(run)
        await quiet(client)
        assert await states(client, run) == [("queued", 1)]
        lab.clock.jump(-7 * 86_400)
        await live(lab, client, 70)
        assert await verified(client) == {str(run)}


async def test_a_share_that_is_not_mounted_while_a_run_is_proved_burns_nothing(lab: WeekLab) -> None:
    async with lab.client() as client:
        run = lab.write_run(ONE, "Run_1")
        far = lab.transports[ONE]
        marker, files = far.identity, far.files

        def unmount() -> None:
            far.identity, far.files = None, {}

        far.before["list"] = unmount
        await client.enqueue(run)
        while far.identity is not None:
            await breathe()
        await quiet(client)
        job = await client.job_of(run)
        assert job is not None
        assert (job.state, job.attempts, job.resent) == (SyncJobState.QUEUED, 0, False)
        assert await holds(client) == {(HoldKind.WRONG_DESTINATION, ONE)}
        assert far.files == {}
        far.before["list"] = lab.weather
        far.identity, far.files = marker, files
        await live(lab, client, 60)
        assert await verified(client) == {str(run)}


async def test_a_lane_whose_destination_is_away_asks_no_more_often_than_the_breaker(lab: WeekLab) -> None:
    async with lab.client() as client:
        run = lab.write_run(ONE, "Run_1")
        lab.outages.append((lab.clock.now(), lab.clock.now().replace(hour=20)))
        await client.enqueue(run)
        await quiet(client)
        before = sum(far.calls["probe"] for far in lab.transports.values())
        await live(lab, client, 3_000)
        probes = sum(far.calls["probe"] for far in lab.transports.values()) - before
        assert 9 <= probes <= 14
        assert await states(client, run) == [("queued", 0)]


async def test_of_a_verified_run_the_lane_keeps_nothing_in_mind(lab: WeekLab) -> None:
    async with lab.client() as client:
        fails = lab.write_run(ONE, "Run_1")
        lab.transports[ONE].fail("push", TransportErrorKind.NETWORK, "reset by peer")
        await client.enqueue(fails)
        await quiet(client)
        journey = client._engine.works.lanes[ONE]._journey
        assert len(journey._proven_here) == 1, "what has arrived of it is not compared again"
        await live(lab, client, 60)
        runs = [lab.write_run(ONE, f"Run_{number}") for number in range(2, 8)]
        for run in runs:
            await client.enqueue(run)
        await quiet(client)
        assert await verified(client) == {str(run) for run in (fails, *runs)}
        assert journey._proven_here == set()
