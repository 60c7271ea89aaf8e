"""How much room is left on a destination? As the engine saw it last, so that nobody else has to ask the NAS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.text import parse_instant, utc

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.transport.base import DestinationState


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of a disk, and when that was seen."""

    free: int
    total: int
    seen: datetime


def room_note(destination_key: str) -> str:
    """Under which note the store keeps it."""
    return f"room:{destination_key}"


def as_note(state: DestinationState, now: datetime) -> str | None:
    """The text that the store keeps; none where the destination does not tell."""
    if state.free_bytes is None:
        return None
    return json.dumps({"free": state.free_bytes, "total": state.total_bytes or 0, "seen": utc(now)})


async def far_room(store: JobStore, destination_key: str) -> Room | None:
    """What was seen last; ``None`` if nobody has looked, or the note cannot be read. Raises ``StoreError``."""
    try:
        told = json.loads(await store.noted(room_note(destination_key)) or "{}")
        seen = parse_instant(told.get("seen"))
        return None if seen is None else Room(int(told["free"]), int(told["total"]), seen)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
