"""What keeps a run, an instrument or a destination from moving?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class HoldKind(StrEnum):
    """Kinds of ``FORMATS.md`` §6."""

    ACQUIRING = "acquiring"
    BLOCKED = "blocked"
    LOCKED = "locked"
    WAITING = "waiting"
    AWAY = "away"
    AUTH = "auth"
    NO_SPACE = "no_space"
    PERMISSION = "permission"
    READ_ONLY = "read_only"
    WRONG_DESTINATION = "wrong_destination"
    CONFLICT = "conflict"
    SET_UP = "set_up"
    OVERSIZE = "oversize"
    NAMES = "names"
    DAMAGED = "damaged"
    DISABLED = "disabled"
    PAUSED = "paused"


class HoldScope(StrEnum):
    """What a hold is laid on; ``Hold.key`` then is a run path, an equipment id or a destination key."""

    RUN = "run"
    EQUIPMENT = "equipment"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason, as one sentence. There is at most one hold per scope and key: the newest reason replaces the older.

    ``until`` is the instant of the next look, if one is known; otherwise ``next_step`` says what ends the hold.
    ``equipment_id`` lets a console list the holds of one instrument, whatever their scope.
    """

    scope: HoldScope
    key: str
    kind: HoldKind
    sentence: str
    since: datetime
    until: datetime | None = None
    next_step: str = ""
    equipment_id: str = ""
