"""How does a verb reach the engine? The one that runs carries the order out; where none runs, this process does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.errors import say
from exlab_sync_tui.cli.output import look, marked, put
from exlab_sync_tui.cli.place import place_of
from exlab_sync_tui.engine.cockpit.opening import open_cockpit
from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.errors import EngineNeededError, ExlabSyncError, StoreError
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.words import BAD, GOOD, NOTE, WAIT
from exlab_sync_tui.operate.glance import BLOCKED, DONE, MISMATCH, WAITING, most_serious
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.engine.cockpit.view import Cockpit
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings

_ANSWERS = frozenset({DONE, WAITING, MISMATCH, BLOCKED})
"""What the verb found out, and no failure of the verb: it goes to stdout."""
_DEAF = (
    "Another exlab-sync process holds this store and takes no orders: a verb that is still busy, or an engine that"
    " starts, ends or hangs. Nothing was done; try again in a moment."
)


@dataclass(frozen=True, slots=True)
class Helm:
    """A started cockpit and who steers. ``alone``: no engine runs, so orders are carried out here and nothing moves."""

    cockpit: Cockpit
    settings: Settings
    who: str
    alone: bool

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        return self.cockpit.store

    async def order(self, verb: Verb, target: str) -> Outcome:
        """Give an order and print what became of it."""
        outcome = await self.cockpit.order(Order(verb, target, self.who))
        if outcome.exit_code in _ANSWERS:
            put(f"{marked(_mood(verb, outcome), '', look())}{safe_text(outcome.sentence)}")
        else:
            click.echo(f"exlab-sync: {safe_text(outcome.sentence)}", err=True)
        return outcome


def steer(context: click.Context, work: Callable[[Helm], Awaitable[Sequence[int]]]) -> None:
    """Do *work* at the helm; the most serious of its exit codes ends the verb.

    Raises ``EngineNeededError`` where another process holds the store and takes no orders.
    """
    place = place_of(context)
    settings = place.load().settings

    async def working() -> Sequence[int]:
        async with _at_helm(place, settings) as helm:
            return await work(helm)

    with logging_to(place.state_folder, settings.logging):
        codes = asyncio.run(working())
    context.exit(most_serious(codes))


async def each(names: Sequence[str], step: Callable[[str], Awaitable[int]]) -> list[int]:
    """*step* for every name; one that fails says so and does not keep the others from their turn."""
    codes = []
    for name in names:
        try:
            codes.append(await step(name))
        except StoreError:
            raise
        except ExlabSyncError as error:
            say(error)
            codes.append(error.exit_code)
    return codes


@asynccontextmanager
async def _at_helm(place: Place, settings: Settings) -> AsyncIterator[Helm]:
    client = make_client(settings, place.store_path, operator=place.operator, start_lanes=False)
    cockpit = await open_cockpit(client)
    try:
        pulse = await cockpit.pulse()
        if not (pulse.hosted or pulse.alive):
            raise EngineNeededError(_DEAF)
        yield Helm(cockpit, settings, place.who, alone=pulse.hosted)
    finally:
        await cockpit.stop()


def _mood(verb: Verb, outcome: Outcome) -> str:
    if outcome.ok:
        return GOOD if verb is Verb.VERIFY else NOTE
    return WAIT if outcome.exit_code == WAITING else BAD
