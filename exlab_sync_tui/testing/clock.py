"""What time is it in a test? A clock that moves only when it is told to, and wakes its sleepers in order."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_START = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
_TURNS = 50


class ManualClock:
    """A ``Clock`` whose weekend passes in a millisecond.

    ``advance`` wakes each sleeper at its own moment, and gives what it woke some turns of the loop before the next
    one, so that a task that sleeps again inside the same stretch is woken again inside it. Work on other threads is not
    waited for: use ``until`` with the outcome that is expected.
    """

    def __init__(self, start: datetime = _START) -> None:
        self._wall = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The present instant."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by *seconds*; of 0 or less only one turn of the loop."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many tasks sleep."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def jump(self, seconds: float) -> None:
        """Move the clock on the wall alone, as a correction or daylight saving does; nobody wakes."""
        self._wall += timedelta(seconds=seconds)

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass, waking everybody whose moment lies within."""
        end = self._elapsed + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, woken = heapq.heappop(self._sleepers)
            if woken.done():  # its task was cancelled
                continue
            self._pass_to(moment)
            woken.set_result(None)
            await self._settle()
        self._pass_to(end)

    async def until(self, condition: Callable[[], bool], *, step: float = 1.0, limit: float = 7 * 86_400.0) -> None:
        """Let time pass in steps of seconds until *condition* holds. Raises ``TimeoutError`` after *limit* seconds."""
        end = self._elapsed + limit
        while not condition():
            if self._elapsed >= end:
                raise TimeoutError(f"what was expected did not happen within {limit:g} s of the manual clock")
            await self.advance(step)

    def _pass_to(self, moment: float) -> None:
        passed = max(moment - self._elapsed, 0.0)
        self._elapsed += passed
        self._wall += timedelta(seconds=passed)

    @staticmethod
    async def _settle() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
