"""How many bytes may move now? One bucket for sending and reading back, following the clock on the wall as it goes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exlab_sync_tui.model.clock import Clock

_KIB = 1024
_BURST = 0.25
"""Seconds' worth of bytes that may gather while nothing moves; with what is on its way it stays under one second's."""

_PORTION = 0.125
"""Seconds' worth of bytes that are handed out at once."""

_SHORTEST = 0.001
"""Seconds that are waited at least: rounding must not turn waiting into spinning."""

_LOOK_AGAIN = 0.25
"""Seconds after which a waiting transfer asks for the rate again, since a schedule may have begun or ended."""


class Limiter:
    """A bandwidth limit in KiB/s, asked of *kibps* again and again: ``None`` is no limit, 0 lets nothing through.

    Without *kibps* there is never a limit, and children need not ask. Safe to use from several threads.
    """

    def __init__(self, kibps: Callable[[], int | None] | None, clock: Clock) -> None:
        self._kibps = kibps
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes = 0.0
        self._at: float | None = None

    @property
    def always_unlimited(self) -> bool:
        """Whether there can never be a limit."""
        return self._kibps is None

    @property
    def rate(self) -> int | None:
        """The limit of this moment in KiB/s, for a tool that keeps it by itself; ``None`` is no limit."""
        return None if self._kibps is None else self._kibps()

    async def acquire(self, wanted: int) -> int:
        """Wait until some of *wanted* bytes may move; how many, at least one (0 only if none are wanted)."""
        while True:
            granted, pause = self.take(wanted)
            if granted or not wanted:
                return granted
            await self._clock.sleep(min(pause, _LOOK_AGAIN))

    def take(self, wanted: int) -> tuple[int, float]:
        """How many of *wanted* bytes may move now; if none, the seconds until a portion may."""
        rate = self.rate
        with self._lock:
            if rate is None:
                self._at = None
                return wanted, 0.0
            per_second = rate * _KIB
            self._fill(per_second)
            portion = min(wanted, max(int(per_second * _PORTION), 1))
            if self._bytes >= portion:
                granted = min(wanted, int(self._bytes))
                self._bytes -= granted
                return granted, 0.0
            return 0, max((portion - self._bytes) / per_second, _SHORTEST) if per_second else _LOOK_AGAIN

    def _fill(self, per_second: float) -> None:
        now = self._clock.monotonic()
        if self._at is None:
            self._bytes = 0.0
        else:
            self._bytes = min(self._bytes + max(now - self._at, 0.0) * per_second, per_second * _BURST)
        self._at = now
