"""How does the engine work once, without a console? Driven with a clock that moves only when it is told to."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.scout import Sighting
from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.headless.bar import Bar
from exlab_sync_tui.headless.once import attended, look_and_drain
from exlab_sync_tui.headless.reporter import Reporter
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.queue.store import JobStore


class Client:
    """An engine that sees what it is told to; ``did`` is what it was asked for."""

    def __init__(self, clock: ManualClock, waits: list[float | None], *, problem: str = "") -> None:
        self._clock = clock
        self._waits = waits
        self._problem = problem
        self._said: asyncio.Queue[Event | None] = asyncio.Queue()
        self.did: list[str] = []
        self.broken: Exception | None = None

    async def init(self) -> None:
        self.did.append("init")

    async def close(self) -> None:
        self.did.append("close")
        await self._said.put(None)

    async def scan(self) -> dict[str, Sighting]:
        """The next of the waits: seconds until the next look, or ``None``; the last one stays."""
        self.did.append("scan")
        wait = self._waits.pop(0) if len(self._waits) > 1 else self._waits[0]
        due = self._clock.now() + timedelta(seconds=wait) if wait is not None else None
        return {"READER_01": Sighting(next_look=due, problems=[self._problem] if self._problem else [])}

    @property
    def store(self) -> JobStore:
        return MemoryStore()

    async def drain(self) -> None:
        self.did.append("drain")
        if self.broken:
            raise self.broken

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._said.get()) is not None:
            yield event

    def progress(self) -> list[Progress]:
        return []

    async def say(self, sentence: str) -> None:
        await self._said.put(Event(self._clock.now(), EventKind.WARNING, sentence))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reporter(out: io.StringIO) -> Reporter:
    return Reporter(out)


async def once(client: Client, reporter: Reporter, clock: ManualClock, *, settle: float) -> None:
    task = asyncio.create_task(look_and_drain(client, reporter, clock, settle_seconds=settle))
    await clock.until(task.done, step=0.5, limit=3_600)
    await task


async def test_what_is_finished_already_needs_one_look(clock: ManualClock, reporter: Reporter) -> None:
    client = Client(clock, [None])
    await once(client, reporter, clock, settle=600)
    assert client.did == ["scan", "drain"]
    assert clock.monotonic() == pytest.approx(0, abs=1)


async def test_a_run_that_only_has_to_stay_still_is_waited_for(clock: ManualClock, reporter: Reporter) -> None:
    client = Client(clock, [30, None])
    await once(client, reporter, clock, settle=30)
    assert client.did == ["scan", "scan", "drain"]
    assert clock.monotonic() == pytest.approx(30, abs=1)


async def test_a_run_that_is_written_for_ever_gets_its_chance_only_once(clock: ManualClock, reporter: Reporter) -> None:
    client = Client(clock, [30])
    await once(client, reporter, clock, settle=30)
    assert client.did == ["scan", "scan", "drain"]
    assert clock.monotonic() < 33


async def test_the_engine_is_stopped_and_every_event_is_shown_whatever_happens(
    clock: ManualClock, reporter: Reporter, out: io.StringIO
) -> None:
    client = Client(clock, [None])

    async def work() -> None:
        await client.say("The last words.")
        raise StoreError

    with pytest.raises(StoreError):
        await attended(client, reporter, Bar(out, clock), work)
    assert client.did == ["init", "close"]
    assert "The last words." in out.getvalue()


async def test_a_problem_of_a_look_is_said_once_while_it_lasts(
    clock: ManualClock, reporter: Reporter, out: io.StringIO
) -> None:
    client = Client(clock, [1, 1, None], problem="The folder /x cannot be listed.")
    await once(client, reporter, clock, settle=30)
    assert client.did.count("scan") == 3
    assert out.getvalue().count("READER_01: The folder /x cannot be listed.") == 1


async def test_a_problem_is_a_json_line_too(clock: ManualClock, out: io.StringIO) -> None:
    await once(Client(clock, [None], problem="broken"), Reporter(out, as_json=True), clock, settle=0)
    assert json.loads(out.getvalue()) == {"event": "problem", "equipment_id": "READER_01", "sentence": "broken"}
