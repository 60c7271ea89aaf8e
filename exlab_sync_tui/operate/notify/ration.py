"""May this message go now? The same trouble is told once in a while, and nobody gets more than so many in an hour."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exlab_sync_tui.operate.notify.notice import Notice

_HOUR = 3600.0
_AGAIN_SECONDS = 12 * _HOUR
_MOST_KEYS = 10_000


class Ration:
    """For one target. ``held_back`` counts what was not sent because there were too many."""

    def __init__(self, at_most_per_hour: int) -> None:
        self._most = at_most_per_hour
        self._sent: deque[float] = deque()
        self._told: dict[tuple[str, str], tuple[float, str]] = {}
        self.held_back = 0

    def admits(self, notice: Notice, at: float) -> bool:
        """Whether to send it at the moment *at* (seconds); then it counts as sent.

        What was told in the same words is told again after twelve hours, in new words at once.
        """
        key = (notice.occasion.value, notice.key)
        when, words = self._told.get(key, (-_AGAIN_SECONDS, ""))
        if words == notice.wording and at - when < _AGAIN_SECONDS:
            return False
        while self._sent and self._sent[0] <= at - _HOUR:
            self._sent.popleft()
        if len(self._sent) >= self._most:
            self.held_back += 1
            return False
        self._sent.append(at)
        self._told.pop(key, None)
        self._told[key] = (at, notice.wording)
        if len(self._told) > _MOST_KEYS:
            del self._told[next(iter(self._told))]
        return True

    def take_held_back(self) -> int:
        """How many were held back since the last time this was asked."""
        number, self.held_back = self.held_back, 0
        return number
