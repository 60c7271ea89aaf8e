"""When will this disk be full, if it goes on filling as it does now?"""

from __future__ import annotations

from collections import deque

_WINDOW = 6 * 3600.0
_SHORTEST = 600.0
_HOUR = 3600.0


class Forecast:
    """Free bytes of one disk over the last six hours."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def sample(self, at: float, free: int) -> None:
        """*free* bytes at the moment *at* (seconds of a clock that never goes back)."""
        self._seen.append((at, free))
        while self._seen[0][0] < at - _WINDOW:
            self._seen.popleft()

    def hours_left(self) -> float | None:
        """Hours until nothing is left; ``None`` while it does not fill, or has been watched for under ten minutes."""
        if not self._seen:
            return None
        (began, most), (now, free) = self._seen[0], self._seen[-1]
        if now - began < _SHORTEST or free >= most:
            return None
        return free / ((most - free) / (now - began)) / _HOUR
