"""How does a console see the engine of another process? Through the store that both have open."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.flights import FLIGHTS_NOTE, parse_flights
from exlab_sync_tui.engine.cockpit.heartbeat import Stethoscope
from exlab_sync_tui.engine.cockpit.news import Newsroom
from exlab_sync_tui.engine.cockpit.view import Outcome, Pulse
from exlab_sync_tui.errors import EngineNeededError, StoreError
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.queue.store import Command
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from exlab_sync_tui.engine.cockpit.heartbeat import Beat
    from exlab_sync_tui.engine.cockpit.view import Flight, Order
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.queue.store import HistoryEntry, JobStore

_NEWS_SECONDS = 0.5
_ANSWER_SECONDS = 0.1
_PATIENCE_SECONDS = 2.0
"""How long an order waits for an engine that is not heard, because it may just be starting."""


class Attached:
    """The ``Cockpit`` onto an engine elsewhere. It never takes over: when the engine is lost, it says so and waits.

    *store* is opened and closed here; *roots* are the instruments' folders by equipment id, for the names of runs.
    """

    def __init__(self, store: JobStore, clock: Clock, roots: Mapping[str, Path] | None = None) -> None:
        self._store = store
        self._clock = clock
        self._heart = Stethoscope(store, clock)
        self._newsroom = Newsroom(store, roots or {})
        self._is_open = False

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        return self._store

    async def start(self) -> None:
        """Open the store beside the engine. Raises ``NotFoundError`` if there is none, ``StoreError``."""
        if not self._is_open:
            await self._store.open()
            self._is_open = True

    async def stop(self) -> None:
        """Let go of the store; the engine goes on. Idempotent."""
        self._is_open = False
        await self._store.close()

    async def events(self) -> AsyncIterator[Event]:
        """News of every run from now on, and whether the engine is lost or back; until ``stop()``."""
        after, beat = await self._store.newest(), await self._living()
        while self._is_open:
            page, told, now = await self._look_after(after)
            for event in told:
                yield event
            after = page[-1].seq if page else after
            if self._is_open and (change := self._change(beat, now)) is not None:
                yield change
            beat = now
            if not page:
                await self._clock.sleep(_NEWS_SECONDS)

    async def _look_after(self, seq: int) -> tuple[list[HistoryEntry], list[Event], Beat | None]:
        """A page of history, the same as events, and the engine's beat; nothing once the store was let go of."""
        try:
            page = await self._store.news(seq)
            return page, [await self._newsroom.event(line) for line in page], await self._living()
        except StoreError:
            if self._is_open:
                raise
            return [], [], None

    async def flights(self) -> list[Flight]:
        """The transfers in flight as the engine showed them last; none when it is lost."""
        if not await self._heart.is_alive():
            return []
        return parse_flights(await self._store.noted(FLIGHTS_NOTE))

    async def broken(self) -> None:
        """Nothing is hosted here."""
        await asyncio.Event().wait()

    async def pulse(self) -> Pulse:
        """Whether the engine was heard within the last six seconds."""
        alive, last = await self._heart.is_alive(), self._heart.last
        if last is None:
            return Pulse(alive, hosted=False)
        return Pulse(alive, hosted=False, process=last.process, host=last.host, last_beat=last.at)

    async def order(self, order: Order) -> Outcome:
        """Leave the order for the engine and wait for its answer; taken back if no engine is there to see it."""
        command = Command(str(uuid.uuid4()), order.verb.value, order.target, order.who, self._clock.now())
        try:
            await self._store.ask(command)
            return await self._answer_to(command)
        except StoreError as error:
            return Outcome(str(error), error.exit_code)
        except asyncio.CancelledError:
            await self._store.withdraw(command.id)
            raise

    async def _answer_to(self, command: Command) -> Outcome:
        deadline = self._clock.monotonic() + _PATIENCE_SECONDS
        while self._clock.monotonic() < deadline:
            if (answer := await self._answered(command)) is not None:
                return answer
            if await self._heart.is_alive():
                deadline = self._clock.monotonic() + _PATIENCE_SECONDS
            await self._clock.sleep(_ANSWER_SECONDS)
        withdrawn = await self._store.withdraw(command.id)
        if not withdrawn and (answer := await self._answered(command)) is not None:
            return answer
        rest = "This was not done." if withdrawn else "It had begun with this; the next engine sees it through."
        return Outcome(f"{self.lost_sentence()} {rest}", EngineNeededError.exit_code)

    async def _answered(self, command: Command) -> Outcome | None:
        done = await self._store.answered(command.id)
        return None if done is None else Outcome(done.outcome, done.exit_code or 0)

    async def _living(self) -> Beat | None:
        return self._heart.last if await self._heart.is_alive() else None

    def lost_sentence(self) -> str:
        """What to say while no engine is heard."""
        last = self._heart.last
        rest = "runs wait, nothing is lost. Start it with `exlab-sync run`."
        if last is None:
            return f"No engine has been heard of yet; {rest}"
        when = last.at.astimezone().strftime("%H:%M:%S")
        if last.stopped:
            return f"The engine was stopped at {when}; {rest}"
        return f"The engine has not been heard of since {when}; {rest}"

    def _change(self, before: Beat | None, now: Beat | None) -> Event | None:
        """The news that an engine was lost, is back, or is another one."""
        at = self._clock.now()
        if before is not None and now is None:
            return Event(at, EventKind.ENGINE_STOPPED, self.lost_sentence(), data={"lost": True})
        if now is not None and (before is None or before.process != now.process):
            sentence = f"An engine is at work: process {now.process} on {safe_text(now.host)}."
            return Event(at, EventKind.ENGINE_STARTED, sentence, data={"process": now.process})
        return None
