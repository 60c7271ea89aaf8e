"""How far is it? One line at the bottom of a terminal, sampled from the board and rewritten in place."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.table import cut, display_width
from exlab_sync_tui.headless.words import Look
from exlab_sync_tui.text import count, duration, safe_text, size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.model.clock import Clock

_PERIOD = 0.25
_CELLS = 20
_SMOOTHING = 0.2


class Rate:
    """Bytes per second over the last few samples."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self.now = 0.0

    def sample(self, at: float, moved: int) -> None:
        """*moved* bytes in all at the moment *at* (seconds); less than before means that something ended."""
        if self._last is not None and moved >= self._last[1] and at > self._last[0]:
            speed = (moved - self._last[1]) / (at - self._last[0])
            self.now = speed if not self.now else self.now + _SMOOTHING * (speed - self.now)
        self._last = (at, moved)


class Bar:
    """A progress line on a terminal. On anything else it writes nothing."""

    def __init__(self, out: TextIO, clock: Clock, *, wanted: bool = True) -> None:
        self._out = out
        self._clock = clock
        self._wanted = wanted and out.isatty()
        self._look = Look.of(out)
        self._rate = Rate()
        self._shown = 0

    async def watch(self, progress: Callable[[], Sequence[Progress]]) -> None:
        """Draw four times a second until cancelled."""
        if not self._wanted:
            return
        try:
            while True:
                self.draw(progress())
                await asyncio.sleep(_PERIOD)
        finally:
            self.clear()

    def draw(self, transfers: Sequence[Progress]) -> None:
        """Rewrite the line; with nothing in flight it goes away."""
        if not transfers:
            self.clear()
            return
        self._rate.sample(self._clock.monotonic(), sum(one.moved for one in transfers))
        width = shutil.get_terminal_size().columns - 1
        line = cut(bar_line(transfers, self._rate.now, self._look), width, self._look.ellipsis)
        self._out.write("\r" + line + " " * max(self._shown - display_width(line), 0))
        self._out.flush()
        self._shown = display_width(line)

    def clear(self) -> None:
        """Blank the line."""
        if self._shown:
            self._out.write("\r" + " " * self._shown + "\r")
            self._out.flush()
            self._shown = 0


def bar_line(transfers: Sequence[Progress], rate: float, look: Look) -> str:
    """The text of the line: share, bytes, rate in bytes per second, time left, and what is moving."""
    total, moved = sum(one.size for one in transfers), sum(one.moved for one in transfers)
    if not total:
        return _moving(transfers)
    share = moved / total
    full = round(share * _CELLS)
    blocks = ("█", "░") if look.unicode else ("#", ".")
    parts = [
        f"{blocks[0] * full}{blocks[1] * (_CELLS - full)} {share:4.0%}",
        f"{size(moved)} of {size(total)}",
    ]
    if rate and moved < total:
        parts.append(f"{size(round(rate))}/s")
        parts.append(f"{duration((total - moved) / rate)} left")
    return "  ".join([*parts, _moving(transfers)])


def _moving(transfers: Sequence[Progress]) -> str:
    if len(transfers) > 1:
        return count(len(transfers), "run")
    one = transfers[0]
    return f"{one.phase.value} {safe_text(one.job.equipment_id)} {safe_text(one.job.run_path.rpartition('/')[2])}"
