"""What just happened, for everybody who watches?"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class EventKind(StrEnum):
    """One word per kind of news; ``Event.sentence`` says it in full."""

    ENGINE_STARTED = "engine_started"
    ENGINE_STOPPED = "engine_stopped"
    RUN_DISCOVERED = "run_discovered"
    RUN_QUEUED = "run_queued"
    RUN_STARTED = "run_started"
    RUN_SENT = "run_sent"
    RUN_VERIFIED = "run_verified"
    RUN_RETRY = "run_retry"
    RUN_FAILED = "run_failed"
    RUN_CLEANED = "run_cleaned"
    HOLD_SET = "hold_set"
    HOLD_CLEARED = "hold_cleared"
    FILE_MISMATCH = "file_mismatch"
    OPERATOR = "operator"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news, announced only after the store has it (``ARCHITECTURE.md`` decision 1)."""

    at: datetime
    kind: EventKind
    sentence: str
    equipment_id: str = ""
    run_path: str = ""
    job_id: str = ""
    data: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
