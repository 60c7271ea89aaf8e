"""A pause stops an instrument at once, keeps the run's place, and outlives the engine."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import (
    CreationWriter,
    NASSyncClient,
    TransportError,
    TransportErrorKind,
    TransportResult,
    Validator,
)
from exlab_sync_tui.engine import statelock
from exlab_sync_tui.engine.cockpit.attached import Attached
from exlab_sync_tui.engine.cockpit.heartbeat import BEAT_NOTE
from exlab_sync_tui.engine.cockpit.hosted import Hosted
from exlab_sync_tui.engine.cockpit.opening import open_cockpit
from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.engine.statelock import is_taken, take_state_folder
from exlab_sync_tui.errors import EngineRunningError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.store import Waiting
from exlab_sync_tui.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow


@dataclass
class Bench:
    """Two instruments; a transfer waits until ``gate`` is open, and the comparison until ``far`` is."""

    root: Path
    clock: ManualClock = field(default_factory=ManualClock)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    far: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fails: bool = False
    there: bytes = b"01"
    is_away: bool = False
    heard: list[Event] = field(default_factory=list)

    def run(self, equipment: str = "SPEC_01", name: str = "Run_A") -> Path:
        run = self.root / "lab" / equipment / name
        run.mkdir(parents=True, exist_ok=True)
        (run / "data.raw").write_text("01")
        return run

    def client(
        self, *, enabled: bool = True, start_lanes: bool = True, attachable: bool | None = None
    ) -> NASSyncClient:
        async def push(local: Path, *, bwlimit_kibps: int | None) -> TransportResult:
            self.started.append(local.name)
            await self.gate.wait()
            if self.fails:
                return TransportResult(ok=False, error_kind=TransportErrorKind.LOCAL_FILE_VANISHED, stderr="gone")
            return TransportResult(ok=True)

        async def hashsum(run_dir: Path) -> dict[str, str]:
            self.asked.append(run_dir.name)
            await self.far.wait()
            if self.is_away:
                raise TransportError("nobody answers", TransportErrorKind.NETWORK)
            return {"data.raw": hashlib.sha256(self.there).hexdigest()}

        def instrument(name: str) -> dict[str, object]:
            (self.root / "lab" / name).mkdir(parents=True, exist_ok=True)
            transport = {"type": "rclone", "rclone_remote": "vault", "rclone_remote_path": "lab"}
            return {
                "id": name,
                "label": name,
                "local_root": str(self.root / "lab" / name),
                "nas_root": "//vault/lab",
                "layout": "plain",
                "completeness_signal": "sentinel_file",
                "sentinel_filename": "done.flag",
                "transport": transport,
            }

        return NASSyncClient(
            config={"equipment": [instrument("SPEC_01"), instrument("SPEC_02")], "sync": {"enabled": enabled}},
            queue_db=self.root / "state" / "queue.db",
            validator=Validator(),
            cache_creation=CreationWriter(),
            push_callable_factory=lambda _: push,
            hashsum_callable_factory=lambda _: hashsum,
            clock=self.clock,
            operator="mira",
            start_lanes=start_lanes,
            attachable=attachable,
        )

    async def listen(self, client: NASSyncClient | Hosted) -> asyncio.Task[None]:
        async def hear() -> None:
            async for event in client.events():
                self.heard.append(event)

        listener = asyncio.create_task(hear())
        await asyncio.sleep(0)
        return listener


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.far.set()
    return bench


async def until(condition: Callable[[], object]) -> None:
    """Give the loop turns until *condition* holds; other threads are waited for."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # what is waited for is a list that grows
            await asyncio.sleep(0)


async def give(client: NASSyncClient, verb: Verb, target: str, who: str = "otto") -> Outcome:
    return await client.order(Order(verb, target, who))


async def job_of(client: NASSyncClient, run: Path) -> SyncJobRow:
    job = await client.job_of(run)
    assert job is not None
    return job


async def hold_on(client: NASSyncClient, equipment: str = "SPEC_01") -> Hold | None:
    return await client.store.hold(HoldScope.EQUIPMENT, equipment)


async def test_a_run_in_flight_stops_at_once_keeps_its_place_and_goes_on(bench: Bench) -> None:
    run = bench.run()
    async with bench.client() as client:
        await bench.listen(client)
        await give(client, Verb.ENQUEUE, str(run))
        await until(lambda: bench.started)
        outcome = await give(client, Verb.PAUSE, "SPEC_01")
        assert outcome.ok
        assert "Run_A keeps its place" in outcome.sentence
        await client.drain()
        job = await job_of(client, run)
        assert (job.state.value, job.attempts, job.held, job.last_error) == ("queued", 0, False, None)
        hold = await hold_on(client)
        assert hold is not None
        assert (hold.kind, hold.sentence) == (HoldKind.PAUSED, "Paused by otto since 2025-03-09T08:00:00Z.")
        bench.gate.set()
        assert (await give(client, Verb.RESUME, "SPEC_01", "mira")).sentence == "SPEC_01 was resumed; its runs go on."
        await client.drain()
        assert await client.status(run) == "verified"
        assert await hold_on(client) is None
        assert bench.started == ["Run_A", "Run_A"]
        told = [(line.who, line.what) for line in await client.store.news(0) if line.data.get("hold") == "paused"]
        assert told == [
            ("otto", "Paused by otto since 2025-03-09T08:00:00Z."),
            ("mira", "SPEC_01 was resumed by mira; its runs go on."),
        ]
        steps = [(line.who, line.after) for line in await client.store.history(str(run)) if line.after]
        assert ("otto", "queued") in steps
    kinds = [event.kind for event in bench.heard]
    assert kinds.index(EventKind.HOLD_SET) < kinds.index(EventKind.HOLD_CLEARED) < kinds.index(EventKind.RUN_VERIFIED)
    assert EventKind.RUN_FAILED not in kinds


async def test_other_instruments_go_on(bench: Bench) -> None:
    first, other = bench.run(), bench.run("SPEC_02", "Run_B")
    async with bench.client() as client:
        await give(client, Verb.PAUSE, "SPEC_01")
        bench.gate.set()
        for run in (first, other):
            await client.enqueue(run)
        await client.drain()
        assert [await client.status(run) for run in (first, other)] == ["queued", "verified"]
        assert bench.started == ["Run_B"]


async def test_runs_queue_and_wait_while_their_instrument_is_paused(bench: Bench) -> None:
    run = bench.run()
    (run / "done.flag").touch()
    async with bench.client() as client:
        await give(client, Verb.PAUSE, "SPEC_01")
        outcome = await give(client, Verb.ENQUEUE, str(run))
        assert outcome.sentence == "Run_A is queued; it waits while SPEC_01 is paused."
        assert (await client.scan())["SPEC_01"].runs == 1
        await client.drain()
        assert await client.status(run) == "queued"


async def test_a_run_that_the_monitor_queues_is_as_large_as_it_was_seen(bench: Bench) -> None:
    run = bench.run()
    (run / "done.flag").write_text("yes")
    async with bench.client() as client:
        await give(client, Verb.PAUSE, "SPEC_01")
        await client.scan()
        await bench.clock.advance(60)
        await client.scan()
        job = await job_of(client, run)
        assert (job.state, job.files_total, job.bytes_total) == (SyncJobState.QUEUED, 2, 5)
        assert await client.store.waiting() == {"SPEC_01": Waiting(5, 0)}


async def test_a_pause_outlives_the_engine(bench: Bench) -> None:
    run = bench.run()
    bench.gate.set()
    async with bench.client(start_lanes=False) as client:
        await give(client, Verb.PAUSE, "SPEC_01")
        await client.enqueue(run)
    async with bench.client() as client:
        await client.drain()
        assert await client.status(run) == "queued"
        hold = await hold_on(client)
        assert hold is not None
        assert hold.kind is HoldKind.PAUSED
        told = [line.what for line in await client.store.news(0) if line.data.get("hold") == "paused"]
        assert told == ["Paused by otto since 2025-03-09T08:00:00Z."], "the restart is no news of the pause"
        await give(client, Verb.RESUME, "SPEC_01")
        await client.drain()
        assert await client.status(run) == "verified"


async def test_a_pause_is_still_there_behind_another_hold(bench: Bench) -> None:
    async with bench.client() as client:
        await give(client, Verb.PAUSE, "SPEC_01")
    async with bench.client(enabled=False) as client:
        hold = await hold_on(client)
        assert hold is not None
        assert hold.kind is HoldKind.DISABLED
        assert (await give(client, Verb.PAUSE, "SPEC_01")).sentence.startswith("SPEC_01 is paused already. Paused by")
        assert (await give(client, Verb.RESCAN, "SPEC_01")).ok, "it watches all the same"
    async with bench.client() as client:
        hold = await hold_on(client)
        assert hold is not None
        assert hold.kind is HoldKind.PAUSED
    async with bench.client(enabled=False) as client:
        outcome = await give(client, Verb.RESUME, "SPEC_01")
        assert outcome.sentence.startswith("SPEC_01 was resumed. But: Sending is switched off")
    async with bench.client() as client:
        assert await hold_on(client) is None


async def test_a_pause_hold_whose_pause_has_ended_is_lifted_at_the_next_start(bench: Bench) -> None:
    async with bench.client() as client:
        await give(client, Verb.PAUSE, "SPEC_01")
        await client.store.note("paused:SPEC_01", None)
    async with bench.client() as client:
        assert await hold_on(client) is None


async def test_a_pause_that_cannot_be_read_still_holds(bench: Bench) -> None:
    run = bench.run()
    bench.gate.set()
    async with bench.client() as client:
        await client.store.note("paused:SPEC_01", "{torn")
    async with bench.client() as client:
        await client.enqueue(run)
        await client.drain()
        assert await client.status(run) == "queued"
        hold = await hold_on(client)
        assert hold is not None
        assert hold.sentence == "Paused by somebody."


async def test_pausing_and_resuming_twice_is_doing_it_once(bench: Bench) -> None:
    async with bench.client() as client:
        assert (await give(client, Verb.RESUME, "SPEC_01")).sentence == "SPEC_01 is not paused."
        first = await give(client, Verb.PAUSE, "SPEC_01", "otto")
        again = await give(client, Verb.PAUSE, "SPEC_01", "mira")
        assert first.ok
        assert again.ok
        assert again.sentence == "SPEC_01 is paused already. Paused by otto since 2025-03-09T08:00:00Z."
        assert (await give(client, Verb.RESUME, "SPEC_01")).ok
        assert (await give(client, Verb.RESUME, "SPEC_01")).sentence == "SPEC_01 is not paused."


async def test_a_pause_while_both_sides_are_compared_repeats_the_comparison_alone(bench: Bench) -> None:
    run = bench.run()
    bench.far.clear()
    bench.gate.set()
    async with bench.client() as client:
        await client.enqueue(run)
        await until(lambda: bench.asked)
        await give(client, Verb.PAUSE, "SPEC_01")
        await client.drain()
        assert await client.status(run) == "awaiting_verify"
        bench.far.set()
        await give(client, Verb.RESUME, "SPEC_01")
        await client.drain()
        assert await client.status(run) == "verified"
    assert (bench.started, bench.asked) == (["Run_A"], ["Run_A", "Run_A"])


async def test_a_pause_that_is_resumed_in_the_same_moment_loses_nothing(bench: Bench) -> None:
    run = bench.run()
    async with bench.client() as client:
        await client.enqueue(run)
        await until(lambda: bench.started)
        await give(client, Verb.PAUSE, "SPEC_01")
        await give(client, Verb.RESUME, "SPEC_01")
        bench.gate.set()
        await until(lambda: len(bench.started) > 1)
        await client.drain()
        job = await job_of(client, run)
        assert (job.state.value, job.attempts) == ("verified", 0)


async def test_the_engine_can_be_stopped_in_the_middle_of_a_run_and_of_a_pause(bench: Bench) -> None:
    run = bench.run()
    client = bench.client()
    await client.init()
    await client.enqueue(run)
    await until(lambda: bench.started)
    await give(client, Verb.PAUSE, "SPEC_01")
    await client.close()
    async with bench.client(start_lanes=False) as client:
        assert await client.status(run) == "queued"


async def test_a_paused_instruments_failed_run_can_be_retried_and_waits(bench: Bench) -> None:
    run = bench.run()
    bench.gate.set()
    bench.fails = True
    async with bench.client() as client:
        await client.enqueue(run)
        await client.drain()
        assert await client.status(run) == "failed"
        assert (await give(client, Verb.ENQUEUE, str(run))).exit_code == 1
        await give(client, Verb.PAUSE, "SPEC_01")
        bench.fails = False
        outcome = await give(client, Verb.RETRY, str(run))
        assert outcome.sentence == "Run_A was queued again; it waits while SPEC_01 is paused."
        assert (await give(client, Verb.RETRY, str(run))).exit_code == 1
        await client.drain()
        assert await client.status(run) == "queued"
        await give(client, Verb.RESUME, "SPEC_01")
        await client.drain()
        assert await client.status(run) == "verified"


async def test_orders_that_cannot_be_carried_out_say_why(bench: Bench) -> None:
    run = bench.run()
    async with bench.client() as client:
        unknown = await give(client, Verb.PAUSE, "SPEC_[/red]\x1b")
        assert unknown.exit_code == 3
        assert unknown.sentence == (
            "There is no instrument SPEC_[/red]\\x1b in the configuration; it has: SPEC_01, SPEC_02."
        )
        assert (await give(client, Verb.RETRY, str(run))).exit_code == 3
        assert (await give(client, Verb.VERIFY, "no such id")).exit_code == 3
        assert (await give(client, Verb.ENQUEUE, str(bench.root))).exit_code == 3


async def test_orders_of_every_kind_are_told_in_a_sentence(bench: Bench) -> None:
    run = bench.run()
    bench.gate.set()
    async with bench.client() as client:
        assert (await give(client, Verb.ENQUEUE, str(run))).sentence == "Run_A is queued."
        await client.drain()
        assert (await give(client, Verb.ENQUEUE, str(run))).sentence == "Run_A has a job already: it is verified."
        assert (await give(client, Verb.VERIFY, str(run))).sentence.startswith("Run_A: 1 file, 2 B agree")
        assert (await give(client, Verb.RETRY, (await job_of(client, run)).id)).sentence.startswith(
            "Run_A: both sides still agree, 1 pass; the last one is too recent"
        )
        looked = await give(client, Verb.RESCAN, "")
        assert looked.sentence == "Looked at 1 run of 2 instruments: 0 taken."
        bench.is_away = True
        away = await give(client, Verb.VERIFY, str(run))
        assert (away.sentence, away.exit_code) == (
            "Run_A could not be compared now (network); nothing was changed.",
            5,
        )
        assert (await give(client, Verb.RETRY, str(run))).exit_code == 1
        bench.is_away = False
        bench.there = b"02"
        differs = await give(client, Verb.VERIFY, str(run))
        assert (differs.sentence, differs.exit_code) == ("Run_A is not as recorded. Differs: data.raw.", 10)
        failed = await give(client, Verb.RETRY, str(run))
        assert failed.exit_code == 10
        assert "data.raw" in failed.sentence


async def test_a_run_that_the_gate_objects_to_is_not_queued(bench: Bench) -> None:
    run = bench.run(name="Run_A")
    (run / "aux.raw").touch()
    async with bench.client() as client:
        outcome = await give(client, Verb.ENQUEUE, str(run))
        assert outcome.exit_code == 11
        assert outcome.sentence.startswith("Run_A was not queued. Blocked by the gate: ")


async def test_a_mistake_of_ours_is_answered_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.client() as client:

        async def break_down(_: str = "") -> None:
            raise ZeroDivisionError("by zero")

        monkeypatch.setattr(client._engine.steering, "rescan", break_down)
        outcome = await give(client, Verb.RESCAN, "")
        assert (outcome.exit_code, outcome.sentence) == (
            1,
            "Unexpected ZeroDivisionError: by zero; the log has the details.",
        )


async def test_a_retry_that_a_killed_engine_had_carried_out_is_told_as_done(bench: Bench) -> None:
    run = bench.run()
    async with bench.client() as client:
        await client.enqueue(run)
        order = Order(Verb.RETRY, str(run), "otto")
        steering = client._engine.steering
        assert (await steering.carry_out(order)).exit_code == 1
        assert (await steering.carry_out(order, again=True)) == Outcome("Run_A was queued again.", 0)


async def test_a_folder_that_cannot_be_read_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.client() as client:

        async def deny(_: str = "") -> None:
            raise PermissionError(errno.EACCES, "Permission denied", "/lab/x\x1b")

        monkeypatch.setattr(client._engine.steering, "rescan", deny)
        assert (await give(client, Verb.RESCAN, "")) == Outcome("/lab/x\\x1b: Permission denied.", 1)


class TestOpening:
    async def test_a_free_state_folder_is_hosted_and_a_driven_one_is_attached_to(self, bench: Bench) -> None:
        run = bench.run()
        bench.gate.set()
        hosted = await open_cockpit(bench.client(attachable=True))
        try:
            assert isinstance(hosted, Hosted)
            heard = await bench.listen(hosted)
            pulse = await hosted.pulse()
            assert (pulse.alive, pulse.hosted, pulse.process) == (True, True, os.getpid())
            async with asyncio.timeout(20):
                while await hosted.store.noted(BEAT_NOTE) is None:
                    await bench.clock.advance(0)
            attached = await open_cockpit(bench.client())
            assert isinstance(attached, Attached)
            assert (await attached.pulse()).alive
            bench.gate.clear()
            assert (await hosted.order(Order(Verb.ENQUEUE, str(run), "otto"))).ok
            await until(lambda: bench.started)
            assert [flight.run_path for flight in await hosted.flights()] == [str(run)]
            await attached.stop()
        finally:
            await hosted.stop()
            await hosted.stop()
        await heard
        assert EventKind.RUN_STARTED in [event.kind for event in bench.heard]

    async def test_an_engine_that_only_acts_is_waited_for(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(statelock, "_PATIENCE_SECONDS", 0.0)
        async with bench.client(start_lanes=False):
            attached = await open_cockpit(bench.client())
            assert isinstance(attached, Attached)
            assert not (await attached.pulse()).alive
            await attached.stop()

    async def test_a_lock_without_a_store_is_refused(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(statelock, "_PATIENCE_SECONDS", 0.0)
        lock = take_state_folder(bench.root / "state")
        try:
            with pytest.raises(EngineRunningError):
                await open_cockpit(bench.client())
        finally:
            lock.release()
        assert not is_taken(bench.root / "state")
        assert not is_taken(bench.root / "nowhere")

    async def test_a_hosted_engine_whose_lanes_do_not_run_is_not_alive(self, bench: Bench) -> None:
        hosted = await open_cockpit(bench.client(start_lanes=False))
        assert not (await hosted.pulse()).alive
        await hosted.stop()
