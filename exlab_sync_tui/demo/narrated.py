"""How does whoever watches the demo hear what happens around the engine? In one stream with the engine's own news."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from exlab_sync_tui.engine.cockpit.view import Cockpit, Flight, Order, Outcome, Pulse
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.queue.store import JobStore


class Narrated:
    """A started ``Cockpit`` with a voice beside it; everything else is the cockpit's own."""

    def __init__(self, cockpit: Cockpit) -> None:
        self._cockpit = cockpit
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    def tell(self, event: Event) -> None:
        """Let everybody hear this."""
        for listener in self._listeners:
            listener.put_nowait(event)

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        return self._cockpit.store

    async def start(self) -> None:
        """It is started already."""

    async def stop(self) -> None:
        """Stop the engine."""
        await self._cockpit.stop()

    async def events(self) -> AsyncGenerator[Event, None]:
        """The engine's news and what is told, until the engine is stopped."""
        heard: asyncio.Queue[Event | None] = asyncio.Queue()

        async def listen() -> None:
            async for event in self._cockpit.events():
                heard.put_nowait(event)
            heard.put_nowait(None)

        self._listeners.add(heard)
        listening = asyncio.create_task(listen(), name="engine's news")
        try:
            while (event := await heard.get()) is not None:
                yield event
        finally:
            self._listeners.discard(heard)
            listening.cancel()

    async def flights(self) -> list[Flight]:
        """The transfers in flight."""
        return await self._cockpit.flights()

    async def pulse(self) -> Pulse:
        """Is the engine at work?"""
        return await self._cockpit.pulse()

    async def broken(self) -> None:
        """Wait until the engine has ended by itself, and raise why."""
        await self._cockpit.broken()

    async def order(self, order: Order) -> Outcome:
        """Carry an order out."""
        return await self._cockpit.order(order)
