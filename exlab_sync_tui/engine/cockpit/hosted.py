"""How does a console see the engine of its own process? Directly."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.flights import Sampler
from exlab_sync_tui.engine.cockpit.view import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.engine.client import NASSyncClient
    from exlab_sync_tui.engine.cockpit.view import Flight, Order, Outcome
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.queue.store import JobStore


class Hosted:
    """The ``Cockpit`` around an engine that lives and ends with this process."""

    def __init__(self, client: NASSyncClient, *, watch: bool = False) -> None:
        """*watch*: the engine looks at the instruments' folders by itself."""
        self._client = client
        self._watch = watch
        self._sampler: Sampler | None = None

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        return self._client.store

    async def start(self) -> None:
        """Start the engine. Raises ``EngineRunningError``, ``StateFolderError``, ``StoreError``."""
        await self._client.init()
        if self._watch:
            self._client.watch()

    async def stop(self) -> None:
        """Stop the engine; jobs stay resumable. Idempotent."""
        self._sampler = None
        await self._client.close()

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens from now on, until the engine is stopped."""
        return self._client.events()

    async def flights(self) -> list[Flight]:
        """The transfers in flight, ordered by equipment."""
        if self._sampler is None:
            self._sampler = Sampler(self._client.board, self._client.blueprint.clock)
        return self._sampler.flights()

    async def pulse(self) -> Pulse:
        """Whether the lanes move."""
        now = self._client.blueprint.clock.now()
        return Pulse(self._client.is_at_work, True, os.getpid(), socket.gethostname(), now)

    async def broken(self) -> None:
        """Wait until something of the engine has ended, and raise why."""
        await self._client.broken()

    async def order(self, order: Order) -> Outcome:
        """Carry an order out here."""
        return await self._client.order(order)
