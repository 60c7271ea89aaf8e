"""How does the engine work once, without a console? It looks, sends what is finished, and ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from exlab_sync_tui.operate.companions import end, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.engine.scout import Sighting
    from exlab_sync_tui.headless.bar import Bar
    from exlab_sync_tui.headless.reporter import Reporter
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.operate.companions import Companion
    from exlab_sync_tui.queue.store import JobStore

_Result = TypeVar("_Result")
_GRACE = timedelta(seconds=2)
_SHORTEST_WAIT = 0.05


class Client(Protocol):
    """What of ``NASSyncClient`` is used here."""

    async def init(self) -> None:
        """Start."""
        ...

    async def close(self) -> None:
        """Stop; every job stays resumable."""
        ...

    async def scan(self) -> dict[str, Sighting]:
        """Look once at every folder."""
        ...

    async def drain(self) -> None:
        """Wait until nothing can move now."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens."""
        ...

    @property
    def store(self) -> JobStore:
        """The store of a started engine, for reading."""
        ...

    def progress(self) -> list[Progress]:
        """The transfers in flight."""
        ...


async def attended(
    client: Client,
    reporter: Reporter,
    bar: Bar,
    work: Callable[[], Awaitable[_Result]],
    *,
    beside: Sequence[Companion] = (),
) -> _Result:
    """Start the engine, do *work*, stop the engine; events and progress are shown meanwhile, companions do theirs."""
    await client.init()
    listener = asyncio.create_task(reporter.follow(client.events()), name="reporter")
    sampler = asyncio.create_task(bar.watch(client.progress), name="progress bar")
    await asyncio.sleep(0)  # lets the listener subscribe before anything more is said
    companions = start(beside, client)
    try:
        return await work()
    finally:
        sampler.cancel()
        await client.close()
        with suppress(asyncio.CancelledError):
            await sampler
        await listener
        await end(companions)


async def look_and_drain(client: Client, reporter: Reporter, clock: Clock, *, settle_seconds: float) -> None:
    """Look at every folder, and send what is finished.

    A run that only has to stay still gets its chance once: the looking ends when *settle_seconds*, the longest of all
    instruments, have passed since the first look ended. Lanes work meanwhile.
    """
    problems = Problems(reporter)
    sightings = await client.scan()
    problems.tell(sightings)
    deadline = clock.now() + timedelta(seconds=settle_seconds) + _GRACE
    while (moment := _next_look(sightings)) is not None and moment <= deadline:
        await clock.sleep(max((moment - clock.now()).total_seconds(), _SHORTEST_WAIT))
        if clock.now() > deadline:
            break
        sightings = await client.scan()
        problems.tell(sightings)
    await client.drain()


class Problems:
    """Says each problem of a look once, for as long as it lasts."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._told: set[str] = set()

    def tell(self, sightings: Mapping[str, Sighting]) -> None:
        """Write what is new in these."""
        now = {(equipment_id, sentence) for equipment_id, seen in sightings.items() for sentence in seen.problems}
        for equipment_id, sentence in sorted(now):
            if sentence not in self._told:
                self._reporter.problem(equipment_id, sentence)
        self._told = {sentence for _, sentence in now}


def _next_look(sightings: Mapping[str, Sighting]) -> datetime | None:
    return min((seen.next_look for seen in sightings.values() if seen.next_look is not None), default=None)
