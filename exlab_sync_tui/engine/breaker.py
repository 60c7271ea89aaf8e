"""Can this destination be used right now, and is it the right one? One breaker serves every lane that goes there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.text import duration, safe_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from exlab_sync_tui.engine.parts import Destination, Parts
    from exlab_sync_tui.transport.base import DestinationState

_DISTANCES = (30, 60, 120, 300)
_PROBE_SECONDS = 10


@dataclass(slots=True)
class _Opened:
    kind: HoldKind
    sentence: str
    equipment_id: str
    needed_bytes: int
    looks: int
    next_look: datetime


class Breaker:
    """Open while the destination is away, refuses us, is full, or is another one; looks again at growing distances."""

    def __init__(self, destination: Destination, parts: Parts, on_close: Callable[[], Awaitable[None]]) -> None:
        self._destination = destination
        self._parts = parts
        self._on_close = on_close
        self._opened: _Opened | None = None
        self._looking = asyncio.Lock()

    @property
    def next_look(self) -> datetime | None:
        """When an open breaker looks again; ``None`` while it is closed."""
        return self._opened.next_look if self._opened else None

    async def identify(self, state: DestinationState | None) -> str:
        """The destination's id, remembered at first sight. No marker, or another id, is not ours to write to (§7)."""
        if state is None:
            return ""
        title, equipment = self._destination.title, self._destination.equipment_id
        adopt = f"`exlab-sync destination adopt {equipment}`"
        if state.identity is None:
            raise TransportError(
                f"{title} has no identity marker, so perhaps the share is not mounted; nothing was written."
                f" If it is the right place, run {adopt}.",
                TransportErrorKind.WRONG_DESTINATION,
            )
        known = await self._parts.store.noted(destination_key(self._destination))
        if known is None:
            await self._parts.store.note(destination_key(self._destination), state.identity.id)
        elif known != state.identity.id:
            raise TransportError(
                f"{title} is not the destination that runs were sent to before: its marker is"
                f" {safe_text(state.identity.id)}, expected was {known}; nothing was written. Mount the right share, or"
                f" run {adopt} if it was replaced on purpose.",
                TransportErrorKind.WRONG_DESTINATION,
            )
        return state.identity.id

    async def is_away(self) -> bool:
        """Probe, at most ten seconds: does the destination not answer? Where nobody can be asked it is not away."""
        transport = self._destination.transport
        if transport is None or self._destination.injected.push is not None:
            return False
        try:
            await asyncio.wait_for(transport.probe(), _PROBE_SECONDS)
        except TimeoutError:
            return True
        except TransportError as error:
            return error.error_kind is TransportErrorKind.NETWORK
        return False

    async def open(self, kind: HoldKind, sentence: str, equipment_id: str, needed_bytes: int = 0) -> None:
        """Hold every lane that goes there; a second reason replaces the first and looks less often."""
        looks = self._opened.looks + 1 if self._opened else 0
        distance = _DISTANCES[min(looks, len(_DISTANCES) - 1)]
        next_look = self._parts.now() + timedelta(seconds=distance)
        self._opened = _Opened(kind, sentence, equipment_id, needed_bytes, looks, next_look)
        await self._parts.holds.lay(
            HoldScope.DESTINATION,
            self._destination.key,
            kind,
            sentence,
            equipment_id=equipment_id,
            until=next_look,
            next_step=f"looks again in {duration(distance)}; runs wait, nothing is lost",
        )

    async def admits(self) -> bool:
        """Whether a lane may start a run; an open breaker looks when its time has come."""
        async with self._looking:
            opened = self._opened
            if opened is None:
                return True
            if self._parts.now() < opened.next_look:
                return False
            still = await self._still_shut(opened)
            if still is not None:
                await self.open(still[0], still[1], opened.equipment_id, opened.needed_bytes)
                return False
            await self.close(f"{self._destination.title} can be used again; waiting runs go on.")
            return True

    async def close(self, because: str) -> None:
        """The destination works: end the hold and let the lanes go on."""
        opened, self._opened = self._opened, None
        await self._parts.holds.lift(HoldScope.DESTINATION, self._destination.key, because)
        if opened is not None:
            await self._on_close()

    async def _still_shut(self, opened: _Opened) -> tuple[HoldKind, str] | None:
        """The reason that still holds, if a probe finds one; permissions can only be found out by trying."""
        transport = self._destination.transport
        if transport is None:
            return None
        try:
            state = await asyncio.wait_for(transport.probe(), _PROBE_SECONDS)
            await self.identify(state)
        except TimeoutError:
            return HoldKind.AWAY, f"{self._destination.title} does not answer."
        except TransportError as error:
            return hold_kind_of(error.error_kind), str(error)
        if opened.kind is HoldKind.NO_SPACE and state.free_bytes is not None and state.free_bytes < opened.needed_bytes:
            return opened.kind, opened.sentence
        return None


def destination_key(destination: Destination) -> str:
    """Under which note the store keeps the id of a destination."""
    return f"destination:{destination.key}"


_HOLD_OF = {
    TransportErrorKind.AUTH: HoldKind.AUTH,
    TransportErrorKind.NO_SPACE: HoldKind.NO_SPACE,
    TransportErrorKind.PERMISSION: HoldKind.PERMISSION,
    TransportErrorKind.READ_ONLY: HoldKind.READ_ONLY,
    TransportErrorKind.WRONG_DESTINATION: HoldKind.WRONG_DESTINATION,
}


def hold_kind_of(kind: TransportErrorKind) -> HoldKind:
    """The hold that a failed probe means; whatever cannot be told apart is ``away``."""
    return _HOLD_OF.get(kind, HoldKind.AWAY)
