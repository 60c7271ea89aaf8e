"""Who hears what happened? One stream of events, any number of listeners."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.job import SyncJobRow

_LOG = logging.getLogger("exlab_sync_tui")
_BACKLOG = 10_000
_EARLY = 1_000


_LEVELS = {
    EventKind.RUN_DISCOVERED: logging.DEBUG,
    EventKind.RUN_SENT: logging.DEBUG,
    EventKind.RUN_RETRY: logging.WARNING,
    EventKind.RUN_FAILED: logging.ERROR,
    EventKind.FILE_MISMATCH: logging.ERROR,
    EventKind.HOLD_SET: logging.WARNING,
    EventKind.WARNING: logging.WARNING,
}
_HUMDRUM = frozenset({HoldKind.ACQUIRING.value, HoldKind.DISABLED.value})


def _level(event: Event) -> int:
    """What nobody has to read, such as a run that is still being written, is not told at ``INFO``."""
    if event.data.get("hold") in _HUMDRUM:
        return logging.DEBUG
    return _LEVELS.get(event.kind, logging.INFO)


class Bus:
    """Hands every event to every listener, in order; a listener that sleeps loses the oldest, never the newest."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._early: deque[Event] | None = deque(maxlen=_EARLY)
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    def say(
        self,
        kind: EventKind,
        sentence: str,
        *,
        job: SyncJobRow | None = None,
        equipment_id: str = "",
        run_path: str = "",
        **data: str | float | bool | None,
    ) -> None:
        """Announce; the sentence is made safe here, so that no listener has to."""
        event = Event(
            at=self._clock.now(),
            kind=kind,
            sentence=safe_text(sentence),
            equipment_id=job.equipment_id if job else equipment_id,
            run_path=job.run_path if job else run_path,
            job_id=job.id if job else "",
            data=data,
        )
        about = {"job_id": event.job_id, "equipment_id": event.equipment_id, "run_path": event.run_path}
        _LOG.log(_level(event), "%s", event.sentence, extra=about)
        if self._early is not None:
            self._early.append(event)
        for listener in self._listeners:
            if listener.full():
                listener.get_nowait()
            listener.put_nowait(event)

    async def events(self, *, early: bool = False) -> AsyncIterator[Event]:
        """Everything said from now on, until the bus is closed.

        *early*: the first listener that says so hears what was said before it came, too (the last 1,000 of that).
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_BACKLOG)
        if early:
            kept, self._early = self._early or (), None
            for said in kept:
                queue.put_nowait(said)
        if self._closed:
            queue.put_nowait(None)
        self._listeners.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End every listener after what it has not read yet."""
        self._closed = True
        for listener in self._listeners:
            if listener.full():
                listener.get_nowait()
            listener.put_nowait(None)
