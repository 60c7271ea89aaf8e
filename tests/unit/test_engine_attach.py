"""Two processes share a store: orders, news, progress and signs of life pass through it, in simulated time."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.board import Board, Phase, Progress
from exlab_sync_tui.engine.cockpit.attached import Attached
from exlab_sync_tui.engine.cockpit.desk import Desk
from exlab_sync_tui.engine.cockpit.flights import FLIGHTS_NOTE, Sampler, as_note, parse_flights
from exlab_sync_tui.engine.cockpit.heartbeat import BEAT_NOTE, Beat, Stethoscope, parse_beat
from exlab_sync_tui.engine.cockpit.view import Flight, Order, Outcome, Pulse, Verb
from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.queue.store import Command, HistoryEntry, NewJob
from exlab_sync_tui.testing import ManualClock, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.model.event import Event

START = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
RETRY = Order(Verb.RETRY, "job-1", "otto")


@dataclass
class Helm:
    """Does what it is told to: answers, hangs, or breaks."""

    done: list[tuple[Order, bool]] = field(default_factory=list)
    hangs: bool = False
    ended: int = 0

    async def carry_out(self, order: Order, *, again: bool = False) -> Outcome:
        self.done.append((order, again))
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended += 1
        return Outcome(f"{order.verb.value} {order.target} done.", 0)


@dataclass
class Pair:
    """An engine's desk and whoever attaches, with one store and one clock."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    board: Board = field(default_factory=Board)
    helm: Helm = field(default_factory=Helm)

    def attached(self, roots: dict[str, Path] | None = None) -> Attached:
        return Attached(self.store, self.clock, roots)

    def start_desk(self) -> asyncio.Task[None]:
        sampler = Sampler(self.board, self.clock)
        return asyncio.create_task(Desk(self.store, self.clock, "labpc", steering=self.helm, sampler=sampler).run())

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[asyncio.Task[None]]:
        task = self.start_desk()
        await self.clock.advance(0)
        yield task
        await stop(task)

    async def outcome_of(self, order: Order, attached: Attached | None = None) -> Outcome:
        asking = asyncio.create_task((attached or self.attached()).order(order))
        await self.clock.until(asking.done, step=0.1, limit=60)
        return asking.result()


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def kill(task: asyncio.Task[None], store: MemoryStore) -> None:
    """What SIGKILL does: nothing more is written."""
    kept = await store.noted(BEAT_NOTE)
    flights = await store.noted(FLIGHTS_NOTE)
    await store.close()
    await stop(task)
    await store.open()
    assert (await store.noted(BEAT_NOTE), await store.noted(FLIGHTS_NOTE)) == (kept, flights)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    await pair.store.open()
    yield pair
    await pair.store.close()


class TestOrders:
    async def test_an_order_is_carried_out_by_the_engine_and_answered(self, pair: Pair) -> None:
        async with pair.desk():
            assert await pair.outcome_of(RETRY) == Outcome("retry job-1 done.", 0)
        assert pair.helm.done == [(RETRY, False)]

    async def test_many_orders_at_once_are_each_done_once(self, pair: Pair) -> None:
        orders = [Order(verb, f"t{n}", "otto") for n in range(10) for verb in Verb]
        async with pair.desk():
            asking = [asyncio.create_task(pair.attached().order(order)) for order in orders]
            await pair.clock.until(lambda: all(task.done() for task in asking), step=0.1)
            assert [task.result().sentence for task in asking] == [f"{o.verb.value} {o.target} done." for o in orders]
        assert sorted(map(str, pair.helm.done)) == sorted(str((order, False)) for order in orders)
        assert await pair.store.unanswered() == []

    async def test_one_that_takes_long_does_not_keep_the_others(self, pair: Pair) -> None:
        async with pair.desk():
            pair.helm.hangs = True
            slow = asyncio.create_task(pair.attached().order(Order(Verb.VERIFY, "large", "otto")))
            await pair.clock.until(lambda: bool(pair.helm.done), step=0.1)
            pair.helm.hangs = False
            assert (await pair.outcome_of(RETRY)).ok
            assert not slow.done()
            await pair.clock.advance(60)
            assert not slow.done(), "an order waits for as long as its engine lives"
            await stop(slow)  # type: ignore[arg-type]

    async def test_an_engine_that_stops_answers_what_it_has_begun(self, pair: Pair) -> None:
        pair.helm.hangs = True
        async with pair.desk():
            asking = asyncio.create_task(pair.attached().order(RETRY))
            await pair.clock.until(lambda: bool(pair.helm.done), step=0.1)
        await pair.clock.until(asking.done, step=0.1)
        assert asking.result().exit_code == 12
        assert "was stopped while it did this" in asking.result().sentence
        assert pair.helm.ended == 1
        assert await pair.store.unanswered() == []

    async def test_what_a_killed_engine_had_begun_is_taken_up_as_such(self, pair: Pair) -> None:
        pair.helm.hangs = True
        task = pair.start_desk()
        asking = asyncio.create_task(pair.attached().order(RETRY))
        await pair.clock.until(lambda: bool(pair.helm.done), step=0.1)
        await kill(task, pair.store)
        await pair.clock.until(asking.done, step=0.1, limit=60)
        assert asking.result().exit_code == 12
        assert "It had begun with this; the next engine sees it through." in asking.result().sentence
        pair.helm.hangs = False
        async with pair.desk():
            await pair.clock.advance(1)
        assert pair.helm.done == [(RETRY, False), (RETRY, True)]
        assert await pair.store.unanswered() == []

    async def test_without_an_engine_an_order_is_taken_back(self, pair: Pair) -> None:
        outcome = await pair.outcome_of(RETRY)
        assert outcome.exit_code == 12
        assert outcome.sentence == (
            "No engine has been heard of yet; runs wait, nothing is lost. Start it with `exlab-sync run`."
            " This was not done."
        )
        async with pair.desk():
            await pair.clock.advance(1)
        assert pair.helm.done == []

    async def test_an_engine_that_is_just_starting_is_waited_for(self, pair: Pair) -> None:
        asking = asyncio.create_task(pair.attached().order(RETRY))
        await pair.clock.advance(1.5)
        async with pair.desk():
            await pair.clock.until(asking.done, step=0.1, limit=60)
        assert asking.result().ok

    async def test_whoever_stops_waiting_takes_the_order_back(self, pair: Pair) -> None:
        asking = asyncio.create_task(pair.attached().order(RETRY))
        await pair.clock.advance(0.1)
        assert len(await pair.store.unanswered()) == 1
        await stop(asking)  # type: ignore[arg-type]
        assert await pair.store.unanswered() == []

    async def test_an_order_whose_asker_died_long_ago_is_not_done(self, pair: Pair) -> None:
        await pair.store.ask(Command("1", "resume", "SPEC_01", "otto", START))
        await pair.clock.advance(3 * 86_400)
        async with pair.desk():
            await pair.clock.advance(1)
        answer = await pair.store.answered("1")
        assert answer is not None
        assert answer.outcome == "This was asked 3 d ago, when no engine ran, and was not done; ask again."
        assert answer.exit_code == 12
        assert pair.helm.done == []

    async def test_an_order_that_the_engine_does_not_know_is_answered(self, pair: Pair) -> None:
        await pair.store.ask(Command("1", "bake[/b]\x1b", "cake", "otto", START))
        async with pair.desk():
            await pair.clock.advance(1)
        answer = await pair.store.answered("1")
        assert answer is not None
        assert answer.outcome.startswith("The engine does not know the order bake[/b]\\x1b: it is older")

    async def test_an_order_withdrawn_in_the_last_moment_is_not_done(self, pair: Pair) -> None:
        take = pair.store.take

        async def late(command_id: str, *, at: datetime) -> bool:
            assert await pair.store.withdraw(command_id)
            return await take(command_id, at=at)

        pair.store.take = late  # type: ignore[method-assign]
        await pair.store.ask(Command("1", "retry", "job-1", "otto", START))
        async with pair.desk():
            await pair.clock.advance(1)
        assert pair.helm.done == []

    async def test_a_store_that_cannot_be_written_is_told_to_whoever_asks(self, pair: Pair) -> None:
        async def full(command: Command) -> None:
            raise StoreError("The job store cannot grow: the disk is full.")

        pair.store.ask = full  # type: ignore[method-assign]
        assert await pair.attached().order(RETRY) == Outcome("The job store cannot grow: the disk is full.", 1)

    async def test_an_answer_that_cannot_be_written_ends_the_desk(self, pair: Pair) -> None:
        async def full(*_: object, **__: object) -> None:
            raise StoreError("The job store cannot grow: the disk is full.")

        pair.store.answer = full  # type: ignore[method-assign]
        await pair.store.ask(Command("1", "retry", "job-1", "otto", START))
        task = pair.start_desk()
        await pair.clock.until(task.done, step=0.1, limit=10)
        with pytest.raises(StoreError, match="disk is full"):
            task.result()


class TestSignsOfLife:
    async def test_a_living_engine_is_seen(self, pair: Pair) -> None:
        attached = pair.attached()
        assert await attached.pulse() == Pulse(alive=False, hosted=False)
        async with pair.desk():
            await pair.clock.advance(3)
            pulse = await attached.pulse()
        assert pulse == Pulse(True, False, os.getpid(), "labpc", START + timedelta(seconds=2))

    async def test_an_engine_is_lost_six_seconds_after_its_last_beat(self, pair: Pair) -> None:
        attached = pair.attached()
        task = pair.start_desk()
        await pair.clock.advance(4)
        assert (await attached.pulse()).alive
        await kill(task, pair.store)
        await pair.clock.advance(6)
        assert (await attached.pulse()).alive
        await pair.clock.advance(0.5)
        assert not (await attached.pulse()).alive

    async def test_an_engine_that_stops_is_gone_at_once(self, pair: Pair) -> None:
        attached = pair.attached()
        async with pair.desk():
            await pair.clock.advance(1)
        assert not (await attached.pulse()).alive
        assert attached.lost_sentence().startswith("The engine was stopped at ")

    async def test_an_old_note_is_no_sign_of_life(self, pair: Pair) -> None:
        await pair.store.note(BEAT_NOTE, Beat(1, "labpc", START - timedelta(seconds=7)).as_note())
        assert not await Stethoscope(pair.store, pair.clock).is_alive()

    async def test_a_jump_of_the_clock_on_the_wall_loses_no_engine(self, pair: Pair) -> None:
        heart = Stethoscope(pair.store, pair.clock)
        async with pair.desk():
            assert await heart.is_alive()
            for jump in (3_600, -7_200):
                pair.clock.jump(jump)
                assert await heart.is_alive()
                await pair.clock.advance(3)
                assert await heart.is_alive()

    async def test_a_beat_from_the_future_that_never_changes_is_lost_too(self, pair: Pair) -> None:
        await pair.store.note(BEAT_NOTE, Beat(1, "labpc", START + timedelta(hours=1)).as_note())
        heart = Stethoscope(pair.store, pair.clock)
        assert await heart.is_alive()
        await pair.clock.advance(7)
        assert not await heart.is_alive()

    @pytest.mark.parametrize(
        "note", [None, "", "{", "[]", "3", '{"at": "2025-03-09T08:00:00Z"}', '{"process":1,"host":"x","at":"no"}']
    )
    def test_a_note_that_cannot_be_read_is_no_beat(self, note: str | None) -> None:
        assert parse_beat(note) is None


class TestFlights:
    async def test_progress_is_seen_from_elsewhere_with_rate_and_eta(self, pair: Pair) -> None:
        progress = a_flight(pair.clock)
        pair.board.put(progress)
        attached = pair.attached()
        async with pair.desk():
            for _ in range(5):
                progress.pulse.sent_bytes += 100
                await pair.clock.advance(1)
            (flight,) = await attached.flights()
            assert replace(flight, rate=0, eta=None) == Flight(
                "job-1", "/lab/Run_\udcff", "SPEC_01", "sending", 1_000, 500, 3, 0, "a[/b].raw"
            )
            assert (flight.rate, flight.eta) == (100.0, 5.0)
            pair.board.take("SPEC_01")
            await pair.clock.advance(1)
            assert await attached.flights() == []
            assert await pair.store.noted(FLIGHTS_NOTE) is None

    async def test_a_lost_engine_flies_nothing(self, pair: Pair) -> None:
        pair.board.put(a_flight(pair.clock))
        task = pair.start_desk()
        await pair.clock.advance(2)
        attached = pair.attached()
        assert await attached.flights() != []
        await kill(task, pair.store)
        await pair.clock.advance(7)
        assert await attached.flights() == []
        pair.board.take("SPEC_01")
        async with pair.desk():
            assert await attached.flights() == []
            assert await pair.store.noted(FLIGHTS_NOTE) is None

    async def test_the_rate_is_that_of_the_last_seconds(self, pair: Pair) -> None:
        sampler, progress = Sampler(pair.board, pair.clock), a_flight(pair.clock, size=10**9)
        pair.board.put(progress)
        for speed in (100, 10):
            for _ in range(120):
                sampler.flights()
                await pair.clock.advance(0.25)
                progress.pulse.sent_bytes += speed
        (flight,) = sampler.flights()
        assert flight.rate == pytest.approx(40, rel=0.01)
        assert flight.eta == pytest.approx((10**9 - flight.moved) / flight.rate)

    async def test_another_turn_of_the_same_job_starts_its_rate_anew(self, pair: Pair) -> None:
        sampler, first = Sampler(pair.board, pair.clock), a_flight(pair.clock)
        pair.board.put(first)
        sampler.flights()
        await pair.clock.advance(1)
        first.pulse.sent_bytes = 900
        assert sampler.flights()[0].rate == 900
        pair.board.put(a_flight(pair.clock))
        assert (sampler.flights()[0].rate, sampler.flights()[0].eta) == (0.0, None)

    @pytest.mark.parametrize("note", [None, "[]", "{", "3", '[{"job_id": "x"}]', '[{"new_field": 1}]', "[1]"])
    def test_a_note_that_cannot_be_read_has_no_flights(self, note: str | None) -> None:
        assert parse_flights(note) == []

    def test_what_is_written_is_read_again(self) -> None:
        flights = [Flight("1", "/lab/\udcff", "A", "sending", 2, 1, 1, 0, "x\n", 1.5, None)]
        assert parse_flights(as_note(flights)) == flights
        assert as_note([]) is None


def a_flight(clock: ManualClock, size: int = 1_000) -> Progress:
    job = SyncJobRow("job-1", "/lab/Run_\udcff", "SPEC_01", SyncJobState.RUNNING)
    progress = Progress(job, clock.monotonic(), Phase.SENDING, size=size, files=3)
    progress.pulse.current = "a[/b].raw"
    return progress


class Listening:
    """Collects the news of an attached view."""

    def __init__(self, attached: Attached) -> None:
        self.heard: list[Event] = []
        self.attached = attached
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self.attached.events():
            self.heard.append(event)

    @property
    def told(self) -> list[tuple[EventKind, str]]:
        return [(event.kind, event.sentence) for event in self.heard]


@asynccontextmanager
async def listening(pair: Pair, roots: dict[str, Path] | None = None) -> AsyncIterator[Listening]:
    attached = pair.attached(roots)
    await attached.start()
    listener = Listening(attached)
    await pair.clock.advance(0)
    yield listener
    await stop(listener.task)


class TestNews:
    async def test_every_step_of_a_run_is_an_event(self, pair: Pair) -> None:
        await pair.store.enqueue(NewJob("old", "/lab/Old", "SPEC_01", "old"), at=START, who="monitor")
        async with listening(pair, {"SPEC_01": Path("/lab")}) as listener:
            await pair.store.enqueue(NewJob("1", "/lab/P/Run_[/b]\x1b", "SPEC_01", "x"), at=START, who="monitor")
            for state, who in (
                (SyncJobState.RUNNING, "engine"),
                (SyncJobState.QUEUED, "engine"),
                (SyncJobState.RUNNING, "engine"),
                (SyncJobState.QUEUED, "otto"),
                (SyncJobState.RUNNING, "engine"),
                (SyncJobState.AWAITING_VERIFY, "engine"),
                (SyncJobState.VERIFIED, "engine"),
                (SyncJobState.FAILED, "otto"),
            ):
                await pair.store.move("1", state, at=START, who=who, what="went on")
            await pair.store.record(HistoryEntry(START, "/lab/P/Run_[/b]\x1b", "1", "otto", "verified again"))
            await pair.clock.advance(1)
        name = "SPEC_01 P/Run_[/b]\\x1b"
        assert listener.told == [
            (EventKind.RUN_QUEUED, f"{name}: queued"),
            (EventKind.RUN_STARTED, f"{name}: went on"),
            (EventKind.RUN_RETRY, f"{name}: went on"),
            (EventKind.RUN_STARTED, f"{name}: went on"),
            (EventKind.RUN_QUEUED, f"{name}: went on"),
            (EventKind.RUN_STARTED, f"{name}: went on"),
            (EventKind.RUN_SENT, f"{name}: went on"),
            (EventKind.RUN_VERIFIED, f"{name}: went on"),
            (EventKind.RUN_FAILED, f"{name}: went on"),
            (EventKind.OPERATOR, f"{name}: verified again"),
        ]
        assert {event.equipment_id for event in listener.heard} == {"SPEC_01"}
        assert {event.job_id for event in listener.heard} == {"1"}

    async def test_holds_are_events_of_the_kind_they_were(self, pair: Pair) -> None:
        hold = Hold(HoldScope.DESTINATION, "mount:/nas", HoldKind.AWAY, "It is away.", START, equipment_id="SPEC_01")
        data = {"event": "hold_set", "hold": "away", "scope": "destination", "equipment": "SPEC_01"}
        async with listening(pair) as listener:
            await pair.store.set_hold(hold, story=HistoryEntry(START, "", "", "engine", hold.sentence, data=data))
            await pair.clock.advance(1)
        (event,) = listener.heard
        assert (event.kind, event.sentence, event.equipment_id) == (EventKind.HOLD_SET, "It is away.", "SPEC_01")
        assert event.data == data

    async def test_more_news_than_a_page_are_all_told_in_order(self, pair: Pair) -> None:
        async with listening(pair) as listener:
            for number in range(1_234):
                await pair.store.record(HistoryEntry(START, f"/lab/{number}", "", "x", f"line {number}"))
            await pair.clock.advance(5)
        assert [event.sentence for event in listener.heard] == [f"{n}: line {n}" for n in range(1_234)]

    async def test_a_lost_engine_and_its_return_are_news(self, pair: Pair) -> None:
        task = pair.start_desk()
        await pair.clock.advance(0)
        async with listening(pair) as listener:
            await pair.clock.advance(4)
            assert listener.heard == []
            last = (START + timedelta(seconds=4)).astimezone().strftime("%H:%M:%S")
            await kill(task, pair.store)
            await pair.clock.advance(10)
            assert listener.told == [
                (
                    EventKind.ENGINE_STOPPED,
                    (
                        f"The engine has not been heard of since {last}; runs wait, nothing is lost."
                        " Start it with `exlab-sync run`."
                    ),
                )
            ]
            async with pair.desk():
                await pair.clock.advance(1)
                assert [event.kind for event in listener.heard[1:]] == [EventKind.ENGINE_STARTED]
                assert f"process {os.getpid()} on labpc" in listener.heard[1].sentence

    async def test_another_engine_that_takes_over_quickly_is_news(self, pair: Pair) -> None:
        await pair.store.note(BEAT_NOTE, Beat(1, "labpc", START).as_note())
        async with listening(pair) as listener:
            await pair.store.note(BEAT_NOTE, Beat(2, "labpc", START).as_note())
            await pair.clock.advance(1)
        assert listener.told == [(EventKind.ENGINE_STARTED, "An engine is at work: process 2 on labpc.")]

    async def test_news_end_when_the_view_is_let_go_of(self, pair: Pair) -> None:
        async with listening(pair) as listener:
            await listener.attached.stop()
            await listener.attached.stop()
            await pair.clock.advance(1)
            assert listener.task.done()
            assert listener.task.exception() is None

    async def test_a_store_that_breaks_while_it_is_watched_is_told(self, pair: Pair) -> None:
        async with listening(pair) as listener:
            await pair.store.close()
            await pair.clock.advance(1)
            with pytest.raises(StoreError):
                listener.task.result()
        await pair.store.open()


def test_a_beat_is_json_that_says_who_and_when() -> None:
    assert json.loads(Beat(7, "labpc", START).as_note()) == {
        "process": 7,
        "host": "labpc",
        "at": "2025-03-09T08:00:00+00:00",
        "stopped": False,
    }
