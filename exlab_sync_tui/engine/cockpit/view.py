"""What does whoever watches and steers need of an engine, be it in this process or in another? One view for both.

``Hosted`` wraps the engine of this process, ``Attached`` reads the store of another's and hands orders over in its
``commands`` table (``ARCHITECTURE.md`` decision 2). The console, the service and the verbs know only this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.queue.store import JobStore


CLEANUP_NOTE = "cleanup"
"""Under this note of the store the engine says, in one sentence, what becomes of local copies."""


class Verb(StrEnum):
    """What may be ordered.

    ``target`` of the order is a job id, an equipment id, a path, or a wish of ``permits.py`` or ``wishes.py``.
    """

    ENQUEUE = "enqueue"
    RETRY = "retry"
    VERIFY = "verify"
    PAUSE = "pause"
    RESUME = "resume"
    RESCAN = "rescan"
    OVERRIDE = "override"
    REVOKE = "revoke"
    KEEP_LOCAL = "keep_local"
    FORGET = "forget"
    RESOLVE = "resolve"
    CLEANUP = "cleanup"
    CLEANUP_PREVIEW = "cleanup_preview"


@dataclass(frozen=True, slots=True)
class Order:
    """One wish of an operator; ``who`` is written into the history."""

    verb: Verb
    target: str
    who: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order: one sentence for the operator, and the exit code of ``FORMATS.md`` §11."""

    sentence: str
    exit_code: int = 0

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Flight:
    """One transfer in flight as a watcher sees it. Sizes in bytes, ``rate`` in bytes/s, ``eta`` in seconds."""

    job_id: str
    run_path: str
    equipment_id: str
    phase: str
    size: int
    moved: int
    files: int
    files_done: int
    current: str = ""
    rate: float = 0.0
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether an engine is at work: ``alive`` is false once its heartbeat is older than six seconds."""

    alive: bool
    hosted: bool
    process: int = 0
    host: str = ""
    last_beat: datetime | None = None


class Cockpit(Protocol):
    """The view of an engine that the console and the verbs share."""

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        ...

    async def start(self) -> None:
        """Start hosting, or attach. Raises ``ExlabSyncError``."""
        ...

    async def stop(self) -> None:
        """Stop hosting (jobs stay resumable), or detach; idempotent."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """News from now on; an attached view makes them from the store's history and holds."""
        ...

    async def flights(self) -> list[Flight]:
        """The transfers in flight, ordered by equipment."""
        ...

    async def pulse(self) -> Pulse:
        """Is an engine at work?"""
        ...

    async def broken(self) -> None:
        """Wait until an engine that is hosted here has ended by itself, and raise why; that does not happen in health.

        What an attached view is told of another engine is its pulse.
        """
        ...

    async def order(self, order: Order) -> Outcome:
        """Carry an order out, here or by the engine that runs; never raises for what the operator can mend."""
        ...
