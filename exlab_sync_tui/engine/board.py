"""How far is each transfer right now? Progress is not state: it is written here and sampled by whoever looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.base import Pulse

if TYPE_CHECKING:
    from exlab_sync_tui.model.job import SyncJobRow


class Phase(StrEnum):
    """What a lane is doing with its run."""

    LOOKING = "looking"
    SENDING = "sending"
    CHECKING = "checking"
    PUBLISHING = "publishing"


@dataclass(slots=True)
class Progress:
    """One transfer in flight. Sizes in bytes, ``started`` in seconds of the engine's monotonic clock."""

    job: SyncJobRow
    started: float
    phase: Phase = Phase.LOOKING
    size: int = 0
    files: int = 0
    done_before: int = 0
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def moved(self) -> int:
        """Bytes of the run that are on the far side."""
        return min(self.done_before + self.pulse.sent_bytes + self.pulse.skipped_bytes, self.size)


class Board:
    """The transfers in flight, by equipment."""

    def __init__(self) -> None:
        self._now: dict[str, Progress] = {}

    def put(self, progress: Progress) -> None:
        """Show a transfer."""
        self._now[progress.job.equipment_id] = progress

    def take(self, equipment_id: str) -> None:
        """The lane is done with its transfer."""
        self._now.pop(equipment_id, None)

    def of(self, equipment_id: str) -> Progress | None:
        """The transfer of one instrument, if there is one."""
        return self._now.get(equipment_id)

    def all(self) -> list[Progress]:
        """Every transfer in flight, ordered by equipment."""
        return [self._now[key] for key in sorted(self._now)]
