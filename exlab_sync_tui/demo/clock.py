"""What time is it in a demo that is in a hurry? Everything in the sample lab happens *speed* times as fast."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.model.clock import SystemClock

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.model.clock import Clock


class QuickClock:
    """A ``Clock`` that begins at the present instant of *clock* and then goes *speed* times as fast."""

    def __init__(self, speed: float, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._speed = speed
        self._begun, self._wall = self._clock.monotonic(), self._clock.now()

    def now(self) -> datetime:
        """The present instant of the sample lab."""
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds of the sample lab since it began."""
        return (self._clock.monotonic() - self._begun) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait for *seconds* of the sample lab."""
        await self._clock.sleep(seconds / self._speed)
