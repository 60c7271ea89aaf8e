"""How fast is each transfer, and when is it there? Samples the board; the same picture for here and for elsewhere."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Flight

if TYPE_CHECKING:
    from exlab_sync_tui.engine.board import Board, Progress
    from exlab_sync_tui.model.clock import Clock

FLIGHTS_NOTE = "engine.flights"
_WINDOW_SECONDS = 10.0
_STEP_SECONDS = 0.2


@dataclass(slots=True)
class _Track:
    """Where one transfer was at which moment of the monotonic clock, over the last seconds."""

    started: float
    points: deque[tuple[float, int]] = field(default_factory=deque)

    def rate(self, now: float, moved: int) -> float:
        """Bytes per second over the window."""
        if not self.points or now - self.points[-1][0] >= _STEP_SECONDS:
            self.points.append((now, moved))
        while len(self.points) > 1 and now - self.points[1][0] >= _WINDOW_SECONDS:
            self.points.popleft()
        first, before = self.points[0]
        return max(moved - before, 0) / (now - first) if now > first else 0.0


class Sampler:
    """Turns the board into flights; asked as often as somebody likes."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._tracks: dict[str, _Track] = {}

    def flights(self) -> list[Flight]:
        """The transfers in flight, ordered by equipment."""
        now = self._clock.monotonic()
        flying = self._board.all()
        self._tracks = {one.job.id: self._track(one) for one in flying}
        return [self._flight(one, now) for one in flying]

    def _track(self, one: Progress) -> _Track:
        known = self._tracks.get(one.job.id)
        return known if known is not None and known.started == one.started else _Track(one.started)

    def _flight(self, one: Progress, now: float) -> Flight:
        rate = self._tracks[one.job.id].rate(now, one.moved)
        left = one.size - one.moved
        return Flight(
            job_id=one.job.id,
            run_path=one.job.run_path,
            equipment_id=one.job.equipment_id,
            phase=one.phase.value,
            size=one.size,
            moved=one.moved,
            files=one.files,
            files_done=one.pulse.files_done,
            current=one.pulse.current,
            rate=rate,
            eta=left / rate if rate > 0 and left > 0 else None,
        )


def as_note(flights: list[Flight]) -> str | None:
    """The text that the store keeps of them; none for none."""
    return json.dumps([asdict(flight) for flight in flights]) if flights else None


def parse_flights(note: str | None) -> list[Flight]:
    """The flights in a note; none if it cannot be read, because progress is not the truth."""
    try:
        return [Flight(**told) for told in json.loads(note or "[]")]
    except (ValueError, TypeError):
        return []
