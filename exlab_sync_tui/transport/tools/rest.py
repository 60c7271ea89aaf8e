"""When is a tool, or an open connection, let go of? Once nothing has been asked of it for a while."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

REST_SECONDS = 30.0
"""Long enough that the next step of a run finds what the last one used."""


class Rest:
    """Calls *let_go* after *seconds* without work."""

    def __init__(self, let_go: Callable[[], Awaitable[None]], seconds: float = REST_SECONDS) -> None:
        self._let_go = let_go
        self._seconds = seconds
        self._busy = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Something is asked for."""
        self._busy += 1
        self._stop()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._alarm = asyncio.get_running_loop().call_later(self._seconds, self._rest)

    async def end(self) -> None:
        """No more alarms; wait for what is being let go of. Idempotent."""
        self._stop()
        await asyncio.gather(*self._ending)

    def _stop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _rest(self) -> None:
        ending = asyncio.get_running_loop().create_task(self._end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self) -> None:
        if not self._busy:
            await self._let_go()
