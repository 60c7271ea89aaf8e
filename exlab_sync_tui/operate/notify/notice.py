"""Which news is worth a message, and what does the message say?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.operate.why import kind_and_sentence
from exlab_sync_tui.text import ago, safe_text

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.hold import Hold


class Occasion(StrEnum):
    """What somebody can be told of; the values of ``notify.targets[].events``."""

    FAILED = "failed"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    AWAY = "away"
    MISMATCH = "mismatch"
    DISK = "disk"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. Texts are safe to show, and no markup.

    ``key`` is the same for messages about the same trouble; one in a new ``wording`` is news all the same.
    """

    occasion: Occasion
    key: str
    title: str
    body: str
    wording: str = ""


_OF_HOLDS = {
    HoldKind.BLOCKED.value: Occasion.BLOCKED,
    HoldKind.CONFLICT.value: Occasion.CONFLICT,
    HoldKind.DAMAGED.value: Occasion.MISMATCH,
}
_OF_FAILURES = {
    TransportErrorKind.CONFLICT.value: Occasion.CONFLICT,
    TransportErrorKind.HASH_MISMATCH.value: Occasion.MISMATCH,
}
_SAID = {
    Occasion.FAILED: "a run failed",
    Occasion.BLOCKED: "a run is blocked",
    Occasion.CONFLICT: "a place on the NAS is taken",
    Occasion.MISMATCH: "both sides differ",
}
_WAITING = frozenset(HoldKind) - {HoldKind.PAUSED, HoldKind.DISABLED}


def notice_of(event: Event, *, last_error: str = "") -> Notice | None:
    """The message for an event; most need none. *last_error* is that of the event's job."""
    if event.kind is EventKind.RUN_FAILED:
        kind = str(event.data.get("error_kind") or kind_and_sentence(last_error)[0])
        occasion = _OF_FAILURES.get(kind, Occasion.FAILED)
    elif event.kind is EventKind.HOLD_SET and str(event.data.get("hold")) in _OF_HOLDS:
        occasion = _OF_HOLDS[str(event.data.get("hold"))]
    else:
        return None
    name = safe_text(event.run_path.rpartition("/")[2])
    told = f"{event.sentence}\n\nexlab-sync why {name}" if name else event.sentence
    return Notice(
        occasion, event.run_path or event.equipment_id, f"{event.equipment_id}: {_SAID[occasion]}", told, told
    )


def long_waits(holds: list[Hold], now: datetime, *, after_seconds: float) -> list[Notice]:
    """A message for each destination that has kept runs waiting for so long, whatever the reason."""
    return [
        Notice(
            Occasion.AWAY,
            f"{hold.key}\0{hold.kind.value}",
            f"{hold.equipment_id}: the destination takes nothing",
            f"{safe_text(hold.sentence)} That began {ago(hold.since, now)}. Runs keep their place and go on by"
            f" themselves.{_next(hold)}",
        )
        for hold in holds
        if hold.scope is HoldScope.DESTINATION
        and hold.kind in _WAITING
        and (now - hold.since).total_seconds() >= after_seconds
    ]


def _next(hold: Hold) -> str:
    return f"\n\n{safe_text(hold.next_step)}" if hold.next_step else ""
