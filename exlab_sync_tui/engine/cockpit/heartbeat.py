"""Is the engine of another process alive? A note that it renews every two seconds, and who reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.text import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.queue.store import JobStore

BEAT_NOTE = "engine.heartbeat"
BEAT_SECONDS = 2.0
LOST_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One sign of life; ``stopped`` if it was the last one, left on purpose."""

    process: int
    host: str
    at: datetime
    stopped: bool = False

    def as_note(self) -> str:
        """The text that the store keeps."""
        return json.dumps(
            {"process": self.process, "host": self.host, "at": self.at.isoformat(), "stopped": self.stopped}
        )


def parse_beat(note: str | None) -> Beat | None:
    """The beat in a note; ``None`` if there is none that can be read."""
    try:
        told = json.loads(note or "")
        at = parse_instant(told["at"])
        return Beat(int(told["process"]), str(told["host"]), at, bool(told["stopped"])) if at else None
    except (ValueError, KeyError, TypeError):
        return None


class Stethoscope:
    """Listens to the engine of a store. What counts is that the note changes: clocks on walls may jump."""

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._heard: Beat | None = None
        self._heard_at = 0.0

    @property
    def last(self) -> Beat | None:
        """The newest beat that was heard."""
        return self._heard

    async def is_alive(self) -> bool:
        """Listen now: whether there was a beat within the last six seconds."""
        beat = parse_beat(await self._store.noted(BEAT_NOTE))
        now = self._clock.monotonic()
        if beat is None:
            return False
        if self._heard is None:
            age = (self._clock.now() - beat.at).total_seconds()
            self._heard, self._heard_at = beat, now - max(age, 0.0)
        elif beat != self._heard:
            self._heard, self._heard_at = beat, now
        return not beat.stopped and now - self._heard_at <= LOST_SECONDS
