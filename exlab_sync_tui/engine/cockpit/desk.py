"""Who serves other processes? Carries out the orders they leave in the store, and leaves signs of life there."""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.engine.cockpit.flights import FLIGHTS_NOTE, as_note
from exlab_sync_tui.engine.cockpit.heartbeat import BEAT_NOTE, BEAT_SECONDS, Beat
from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.errors import EngineNeededError, StoreError
from exlab_sync_tui.text import ago, safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.engine.cockpit.flights import Sampler
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.queue.store import Command, JobStore

_LOOK_SECONDS = 0.2
_SHOW_SECONDS = 1.0
_STALE = timedelta(seconds=60)
_VERBS = {verb.value: verb for verb in Verb}


class Helm(Protocol):
    """What carries orders out: ``Steering``."""

    async def carry_out(self, order: Order, *, again: bool = False) -> Outcome:
        """Do what was asked; *again* if an engine that has ended may have begun with it."""
        ...


class Desk:
    """Looks for orders every 200 ms, beats every 2 s, shows progress every second (``ARCHITECTURE.md`` decision 2)."""

    def __init__(self, store: JobStore, clock: Clock, host: str, *, steering: Helm, sampler: Sampler) -> None:
        self._store = store
        self._clock = clock
        self._host = host
        self._steering = steering
        self._sampler = sampler
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until cancelled; then every order that was begun gets its answer. Raises ``StoreError``."""
        loops = [asyncio.create_task(loop) for loop in (self._serve(), self._beat(), self._show())]
        try:
            await asyncio.gather(*loops)
        finally:
            tasks = [*loops, *self._under_way.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(StoreError):  # a store that is out of order has been told by whoever met it
                await self._store.note(FLIGHTS_NOTE, None)
                await self._store.note(BEAT_NOTE, self._sign_of_life(stopped=True))

    async def _beat(self) -> None:
        while True:
            await self._store.note(BEAT_NOTE, self._sign_of_life())
            await self._clock.sleep(BEAT_SECONDS)

    def _sign_of_life(self, *, stopped: bool = False) -> str:
        return Beat(os.getpid(), self._host, self._clock.now(), stopped=stopped).as_note()

    async def _show(self) -> None:
        shown = await self._store.noted(FLIGHTS_NOTE)  # of an engine that was killed
        while True:
            now = as_note(self._sampler.flights())
            if now != shown:
                await self._store.note(FLIGHTS_NOTE, now)
                shown = now
            await self._clock.sleep(_SHOW_SECONDS)

    async def _serve(self) -> None:
        while True:
            self._reap()
            for command in await self._store.unanswered():
                if command.id not in self._under_way:
                    task = asyncio.create_task(self._see_through(command), name=f"order {command.verb}")
                    self._under_way[command.id] = task
            await self._clock.sleep(_LOOK_SECONDS)

    def _reap(self) -> None:
        """Forget what is answered; raises what kept an answer from being written."""
        for command_id in [key for key, task in self._under_way.items() if task.done()]:
            self._under_way.pop(command_id).result()

    async def _see_through(self, command: Command) -> None:
        if not await self._store.take(command.id, at=self._clock.now()):
            return
        try:
            await self._answer(command, await self._outcome(command))
        except asyncio.CancelledError:
            sentence = "The engine was stopped while it did this; ask again once it runs, nothing is done twice."
            await self._answer(command, Outcome(sentence, EngineNeededError.exit_code))
            raise

    async def _outcome(self, command: Command) -> Outcome:
        now = self._clock.now()
        verb = _VERBS.get(command.verb)
        if verb is None:
            return Outcome(
                f"The engine does not know the order {safe_text(command.verb)}: it is older than the program that gave"
                " it. Stop it, then start `exlab-sync run` again.",
                EngineNeededError.exit_code,
            )
        if command.taken_at is None and now - command.at > _STALE:
            return Outcome(
                f"This was asked {ago(command.at, now)}, when no engine ran, and was not done; ask again.",
                EngineNeededError.exit_code,
            )
        again = command.taken_at is not None
        return await self._steering.carry_out(Order(verb, command.target, command.who), again=again)

    async def _answer(self, command: Command, outcome: Outcome) -> None:
        await self._store.answer(command.id, outcome.sentence, outcome.exit_code, at=self._clock.now())
