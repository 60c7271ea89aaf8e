"""The looks of a running engine: by the clock, at the moment when stillness is long enough, and on hints."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import TransportErrorKind
from exlab_sync_tui.engine import scout as scout_module
from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.watch.completeness import look
from tests.unit.sim_lab import HOUR, INSTRUMENTS, MONDAY, SENTINEL, WeekLab, breathe, live, quiet, verified

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient
    from exlab_sync_tui.engine.patrol import Beat
    from exlab_sync_tui.engine.scout import Scout
    from exlab_sync_tui.model.hold import Hold

ONE, TWO, _ = INSTRUMENTS


@asynccontextmanager
async def watching(lab: WeekLab, rescan_seconds: float = 600) -> AsyncIterator[NASSyncClient]:
    client = lab.client(rescan_seconds=rescan_seconds)
    await client.init()
    listener = asyncio.create_task(lab.listen(client))
    await asyncio.sleep(0)
    client.watch(events=False)
    try:
        while not all(one.containers for one in client._engine.works.scouts.values()):
            await breathe()
        await quiet(client)
        yield client
    finally:
        await client.close()
        await listener


@contextmanager
def counted_writes(client: NASSyncClient) -> Iterator[list[object]]:
    """What is written to the store meanwhile."""
    writes: list[object] = []
    store = client.store
    assert isinstance(store, SQLiteStore)
    real = store._write

    async def counted(step: Callable[[sqlite3.Connection], object]) -> object:
        writes.append(step)
        return await real(step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_write", counted)
        yield writes


@pytest.fixture
def lab(tmp_path: Path) -> WeekLab:
    return WeekLab(tmp_path, step=5)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that were looked at, in order."""
    names: list[str] = []

    def noted(run: object, *args: object, **more: object) -> object:
        names.append(run.path.name)  # type: ignore[attr-defined]
        return look(run, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(scout_module, "look", noted)
    return names


def scout(client: NASSyncClient, equipment: str = ONE) -> Scout:
    return client._engine.works.scouts[equipment]


def beat(client: NASSyncClient, equipment: str = ONE) -> Beat:
    patrol = client._engine._patrol
    assert patrol is not None
    return patrol.get_coro().cr_frame.f_locals["self"]._beats[equipment]  # type: ignore[union-attr,no-any-return]


async def hold_on(client: NASSyncClient, run: Path) -> Hold | None:
    return await client.store.hold(HoldScope.RUN, str(run))


async def test_a_run_is_taken_when_its_settle_time_is_over_and_not_at_the_next_rescan(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=600) as client:
        hold = await hold_on(client, run)
        assert hold is not None
        assert (hold.kind, hold.until) == (HoldKind.ACQUIRING, MONDAY + timedelta(seconds=30))
        await live(lab, client, 31)
        assert await verified(client) == {str(run)}
        job = await client.job_of(run)
        assert job is not None
        assert job.started_at is not None
        assert (job.started_at - MONDAY).total_seconds() < 32


async def test_a_hint_makes_stillness_count_from_the_last_change_on(lab: WeekLab) -> None:
    async with watching(lab, rescan_seconds=600) as client:
        run = lab.write_run(ONE, "Run_1")
        written = lab.clock.now()
        beat(client).hint(str(run))
        await live(lab, client, 0.5)
        assert await hold_on(client, run) is not None
        await live(lab, client, 30.1)
        job = await client.job_of(run)
        assert job is not None
        assert job.started_at is not None
        assert (job.started_at - written).total_seconds() <= 32


async def test_without_any_hint_the_rescan_finds_everything(lab: WeekLab) -> None:
    async with watching(lab, rescan_seconds=60) as client:
        runs = {str(lab.write_run(name, "Run_1")) for name in INSTRUMENTS}
        await live(lab, client, 60 + 30 + 60)
        assert await verified(client) == runs


async def test_an_idle_lab_is_not_walked_and_not_written_about(lab: WeekLab, looked_at: list[str]) -> None:
    for number in range(5):
        lab.write_run(ONE, f"Run_{number}")
    async with watching(lab, rescan_seconds=60) as client:
        await live(lab, client, 120)
        assert len(await verified(client)) == 5
        assert scout(client).settled_count == 5
        looked_at.clear()
        with counted_writes(client) as writes:
            await live(lab, client, 600)
        assert (looked_at, writes) == ([], [])


async def test_a_change_in_a_finished_run_that_no_event_told_is_found_within_an_hour(lab: WeekLab) -> None:
    runs = [lab.write_run(ONE, f"Run_{number}") for number in range(7)]
    async with watching(lab, rescan_seconds=60) as client:
        await live(lab, client, 120)
        (runs[3] / "late.raw").write_text("late")
        await live(lab, client, HOUR + 120)
        job = await client.job_of(runs[3])
        assert job is not None
        assert (job.state, job.round.value) == (SyncJobState.VERIFIED, "additions")
        assert "late.raw" in {path.rpartition("/")[2] for path in lab.transports[ONE].files}


async def test_what_is_known_is_believed_for_an_hour_at_most(lab: WeekLab, looked_at: list[str]) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=60) as client:
        await live(lab, client, 120)
        scout(client)._roster.reopen(str(run))
        scout(client)._roster.settle(str(run))
        before = await client.store.observation(str(run))
        assert before is not None
        await client.store.forget_observation(str(run))
        looked_at.clear()
        await live(lab, client, HOUR - 300)
        assert looked_at == []
        await live(lab, client, 600)
        assert set(looked_at) == {"Run_1"}
        after = await client.store.observation(str(run))
        assert after is not None
        assert (after.fingerprint, after.taken) == (before.fingerprint, True)


async def test_a_blocked_run_is_asked_again_at_each_rescan_and_costs_no_write(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    broken = run / "aux.raw"
    broken.touch()
    async with watching(lab, rescan_seconds=60) as client:
        await live(lab, client, 120)
        hold = await hold_on(client, run)
        assert hold is not None
        assert hold.kind is HoldKind.BLOCKED
        with counted_writes(client) as writes:
            await live(lab, client, 300)
        assert writes == []
        broken.unlink()
        await live(lab, client, 240)
        assert await verified(client) == {str(run)}
        assert await hold_on(client, run) is None


async def test_a_run_that_changed_while_it_was_sent_is_looked_at_right_away(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=600) as client:
        lab.transports[ONE].fail("push", TransportErrorKind.CHANGED, "data.raw changed")
        await live(lab, client, 31)
        await live(lab, client, 1)
        hold = await hold_on(client, run)
        assert hold is not None
        assert hold.kind is HoldKind.ACQUIRING
        await live(lab, client, 31)
        assert await verified(client) == {str(run)}


async def test_a_run_that_was_removed_before_it_was_taken_leaves_no_hold(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=60) as client:
        assert await hold_on(client, run) is not None
        for file in run.iterdir():
            file.unlink()
        run.rmdir()
        await live(lab, client, 120)
        assert await hold_on(client, run) is None
        assert await client.status(run) == "none"
        assert await client.store.observation(str(run)) is None


async def test_a_disk_that_is_unplugged_ends_no_hold(lab: WeekLab, tmp_path: Path) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=60) as client:
        (tmp_path / ONE).rename(tmp_path / "unplugged")
        await live(lab, client, 300)
        assert await hold_on(client, run) is not None
        warnings = [event.sentence for event in lab.events if event.kind is EventKind.WARNING]
        assert len([sentence for sentence in warnings if "does not exist" in sentence]) == 1
        (tmp_path / "unplugged").rename(tmp_path / ONE)
        await live(lab, client, 120)
        assert await verified(client) == {str(run)}


async def test_a_run_that_vanishes_while_it_waits_for_its_folder_fails_with_a_sentence(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=60) as client:
        lab.transports[ONE].fail("push", TransportErrorKind.LOCKED, "data.raw is locked", times=50)
        await live(lab, client, 31)
        for file in run.iterdir():
            file.unlink()
        run.rmdir()
        await live(lab, client, 180)
        job = await client.store.job_of(str(run))
        assert job is not None
        assert job.state is SyncJobState.FAILED
        assert "gone from this PC" in (job.last_error or "")


async def test_a_mishap_at_one_instrument_is_told_and_stops_no_other(
    lab: WeekLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in INSTRUMENTS:
        lab.write_run(name, f"Run_of_{name}")

    def stumbles(run: object, *args: object, **more: object) -> object:
        if run.path.name.endswith(ONE):  # type: ignore[attr-defined]
            raise ZeroDivisionError("a mistake of ours")
        return look(run, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(scout_module, "look", stumbles)
    async with watching(lab, rescan_seconds=60) as client:
        await live(lab, client, 120)
        assert len(await verified(client)) == 2
        told = [event for event in lab.events if "ZeroDivisionError" in event.sentence]
        assert len(told) == 1
        monkeypatch.setattr(scout_module, "look", look)
        await live(lab, client, 240)
        assert len(await verified(client)) == 3


async def test_a_store_that_fails_ends_the_patrol(lab: WeekLab, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(lab, rescan_seconds=60) as client:

        async def full(*_: object, **__: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(client.store, "jobs_of", full)
        lab.write_run(ONE, "Run_1")
        ended = asyncio.ensure_future(client.broken())
        while not ended.done():
            await lab.clock.advance(30)
            await breathe()
        with pytest.raises(StoreError, match="the disk is full"):
            await ended


async def test_hints_of_a_busy_run_make_no_looks_until_it_is_quiet(lab: WeekLab, looked_at: list[str]) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=600) as client:
        looked_at.clear()
        for _ in range(20):
            beat(client).hint(str(run))
            await live(lab, client, 0.4)
        assert looked_at == []
        await live(lab, client, 0.2)
        assert looked_at == ["Run_1"]


async def test_a_hint_beside_the_runs_finds_new_ones_only(lab: WeekLab, looked_at: list[str]) -> None:
    lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=600) as client:
        looked_at.clear()
        new = lab.write_run(ONE, "Run_2")
        beat(client).hint(str(new))
        await live(lab, client, 0.6)
        assert looked_at == ["Run_2"]
        looked_at.clear()
        beat(client).hint("")
        await live(lab, client, 3)
        assert sorted(looked_at) == ["Run_1", "Run_2"]


async def test_a_run_that_is_dear_to_look_at_rests_fifty_times_as_long(
    lab: WeekLab, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lab.write_run(ONE, "Run_1")
    (run / SENTINEL).unlink()
    async with watching(lab, rescan_seconds=60) as client:
        scout(client)._rests_until[str(run)] = lab.clock.monotonic() + 200
        looked_at.clear()
        await live(lab, client, 190)
        assert looked_at == []
        await live(lab, client, 60)
        assert looked_at == ["Run_1"]


async def test_a_scan_that_is_asked_for_looks_at_everything_beside_the_patrol(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=600) as client:
        await live(lab, client, 31)
        (run / "late.raw").write_text("late")
        await client.scan()
        await live(lab, client, 31)
        await client.scan()
        await quiet(client)
        job = await client.job_of(run)
        assert job is not None
        assert job.round.value == "additions"


async def test_finished_runs_that_cannot_be_read_now_are_left_for_the_next_time(lab: WeekLab) -> None:
    run = lab.write_run(ONE, "Run_1")
    async with watching(lab, rescan_seconds=600) as client:
        await live(lab, client, 31)
        run.rename(run.with_name("away"))
        sighting = await scout(client).check_settled(10)
        assert sighting.asked == []
        assert await hold_on(client, run) is None


async def test_a_second_call_to_watch_changes_nothing_and_close_stops_it(lab: WeekLab) -> None:
    client = lab.client()
    await client.init()
    client.watch(events=False)
    patrol = client._engine._patrol
    client.watch(events=False)
    assert client._engine._patrol is patrol
    await client.close()
    assert patrol is not None
    assert patrol.done()


async def test_events_of_the_real_system_reach_the_looks(lab: WeekLab) -> None:
    client = lab.client(rescan_seconds=86_400)
    async with client:
        client.watch()
        await quiet(client)
        run = lab.write_run(TWO, "Run_1")
        for _ in range(2_000):
            await lab.clock.advance(0.1)
            await breathe()
            if await hold_on(client, run) is not None:
                break
            os.utime(run)
        hold = await hold_on(client, run)
        assert hold is not None
        assert hold.kind is HoldKind.ACQUIRING
