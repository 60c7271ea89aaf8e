"""Can this destination be used right now, and is it the right one? One breaker serves every lane that goes there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.room import as_note, room_note
from exlab_sync_tui.engine.patience import within
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.text import duration, safe_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exlab_sync_tui.engine.parts import Destination, Parts
    from exlab_sync_tui.transport.base import DestinationState

_DISTANCES = (30, 60, 120, 300)
_PROBE_SECONDS = 10
_TRIED_WHEN_FULL = 6
"""So many looks apart a full destination is tried although the run does not fit: a smaller one may."""
_FOUND_BY_TRYING = frozenset({HoldKind.NO_SPACE, HoldKind.PERMISSION, HoldKind.READ_ONLY, HoldKind.SET_UP})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a destination cannot be used: the kind of the hold, and a sentence."""

    kind: HoldKind
    sentence: str


@dataclass(slots=True)
class _Opened:
    """``look_at`` is in seconds of the monotonic clock: the clock on the wall may be set back meanwhile."""

    trouble: Trouble
    equipment_id: str
    look_at: float
    needed_bytes: int = 0
    looks: int = 0
    trying: bool = False


class Breaker:
    """Open while the destination is away, refuses us, is full, or is another one; looks again at growing distances.

    What a look can see ends the hold at once. What only an attempt can tell (room, rights) lets every lane try once,
    under the hold, which ends when one of them gets through. Distances grow until something has got through.
    """

    def __init__(
        self,
        destination: Destination,
        parts: Parts,
        *,
        on_close: Callable[[], Awaitable[None]],
        on_try: Callable[[], None],
    ) -> None:
        self._destination = destination
        self._parts = parts
        self._on_close = on_close
        self._on_try = on_try
        self._opened: _Opened | None = None
        self._times = 0
        self._looking = asyncio.Lock()

    @property
    def is_shut(self) -> bool:
        """Whether no run may start now."""
        return self._opened is not None and not self._opened.trying

    @property
    def seconds_left(self) -> float | None:
        """Until the next look of a breaker that is shut; ``None`` while runs may start."""
        if self._opened is None or self._opened.trying:
            return None
        return max(self._opened.look_at - self._parts.clock.monotonic(), 0.0)

    async def take_up(self) -> None:
        """What an earlier engine met still counts, until the first look, which is due at once."""
        hold = await self._parts.store.hold(HoldScope.DESTINATION, self._destination.key)
        if hold is not None and self._opened is None:
            trouble = Trouble(hold.kind, hold.sentence)
            self._opened = _Opened(trouble, hold.equipment_id, self._parts.clock.monotonic())

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
        await self._parts.store.note(room_note(self._destination.key), as_note(state, self._parts.now()))
        return state.identity.id

    async def trouble(self) -> Trouble | None:
        """What keeps the destination from being used, by a probe of ten seconds; where nobody can be asked, nothing."""
        if self._destination.transport is None or self._destination.injected.push is not None:
            return None
        return (await self._probe())[0]

    async def open(
        self, trouble: Trouble, equipment_id: str, *, needed_bytes: int = 0, moved_forward: bool = False
    ) -> None:
        """Hold every lane that goes there; a second reason replaces the first and is looked at less often.

        *needed_bytes*: how much room would do, where that is known. *moved_forward*: something got through before.
        """
        if moved_forward:
            self._times = 0
        await self._shut(_Opened(trouble, equipment_id, 0.0, needed_bytes))

    async def admits(self) -> bool:
        """Whether a lane may start a run; a breaker that is shut looks when its time has come."""
        if not self.is_shut:
            return True
        async with self._looking:
            opened = self._opened
            if opened is None or opened.trying:
                return True
            if self._parts.clock.monotonic() < opened.look_at:
                return False
            return await self._look(opened)

    async def worked(self) -> None:
        """Something has got through: end the hold, and begin with short distances next time."""
        self._times = 0
        if self._opened is not None:
            await self._close()

    async def _look(self, opened: _Opened) -> bool:
        trouble, state = await self._probe() if self._destination.transport is not None else (None, None)
        if trouble is not None:
            await self._shut(replace(opened, trouble=trouble))
            return False
        if state is None or opened.trouble.kind in _FOUND_BY_TRYING:
            if not _is_worth_trying(opened, state):
                await self._shut(replace(opened, looks=opened.looks + 1))
                return False
            opened.trying = True
            self._on_try()
            return True
        await self._close()
        return True

    async def _shut(self, opened: _Opened) -> None:
        distance = _DISTANCES[min(self._times, len(_DISTANCES) - 1)]
        self._times += 1
        self._opened = replace(opened, look_at=self._parts.clock.monotonic() + distance, trying=False)
        await self._parts.holds.lay(
            HoldScope.DESTINATION,
            self._destination.key,
            opened.trouble.kind,
            opened.trouble.sentence,
            equipment_id=opened.equipment_id,
            until=self._parts.now() + timedelta(seconds=distance),
            next_step=f"looks again in {duration(distance)}; runs wait, nothing is lost",
        )

    async def _close(self) -> None:
        self._opened = None
        because = f"{self._destination.title} can be used again; waiting runs go on."
        await self._parts.holds.lift(HoldScope.DESTINATION, self._destination.key, because)
        await self._on_close()

    async def _probe(self) -> tuple[Trouble | None, DestinationState | None]:
        transport, title = self._destination.transport, self._destination.title
        if transport is None:
            return None, None
        try:
            state = await within(self._parts.clock, _PROBE_SECONDS, transport.probe())
            await self.identify(state)
        except TimeoutError:
            return Trouble(HoldKind.AWAY, f"{title} has not answered for {duration(_PROBE_SECONDS)}."), None
        except TransportError as error:
            return Trouble(hold_kind_of(error.error_kind), str(error)), None
        except OSError as error:
            return Trouble(HoldKind.AWAY, f"{title} does not answer: {safe_text(error)}."), None
        return None, state


def destination_key(destination: Destination) -> str:
    """Under which note the store keeps the id of a destination."""
    return f"destination:{destination.key}"


def _is_worth_trying(opened: _Opened, state: DestinationState | None) -> bool:
    if opened.trouble.kind is not HoldKind.NO_SPACE or state is None:
        return True
    if state.free_bytes is None or state.free_bytes >= opened.needed_bytes:
        return True
    return opened.looks % _TRIED_WHEN_FULL == _TRIED_WHEN_FULL - 1


_HOLD_OF = {
    TransportErrorKind.AUTH: HoldKind.AUTH,
    TransportErrorKind.NO_SPACE: HoldKind.NO_SPACE,
    TransportErrorKind.PERMISSION: HoldKind.PERMISSION,
    TransportErrorKind.READ_ONLY: HoldKind.READ_ONLY,
    TransportErrorKind.SET_UP: HoldKind.SET_UP,
    TransportErrorKind.WRONG_DESTINATION: HoldKind.WRONG_DESTINATION,
}


def hold_kind_of(kind: TransportErrorKind) -> HoldKind:
    """The hold that a failed probe means; whatever cannot be told apart is ``away``."""
    return _HOLD_OF.get(kind, HoldKind.AWAY)
