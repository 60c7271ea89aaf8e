"""Which instruments stand still because somebody wants it? A pause outlives the engine and every other hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.text import parse_instant, safe_text, utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.engine.lane import Lane
    from exlab_sync_tui.engine.parts import Parts


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused an instrument, and when (``None`` if that can no longer be read)."""

    who: str
    at: datetime | None

    @property
    def sentence(self) -> str:
        """``Paused by mira since 2025-03-09T12:00:00Z.``"""
        since = f" since {utc(self.at)}" if self.at else ""
        return f"Paused by {safe_text(self.who)}{since}."


class Pauses:
    """Keeps pauses in the store and the lanes as they say.

    The pause itself is a note, because an instrument has room for one hold only, and a folder conflict, say, must not
    end what an operator wanted. The ``paused`` hold is what everybody sees of it.
    """

    def __init__(self, parts: Parts, lanes: Mapping[str, Lane]) -> None:
        self._parts = parts
        self._lanes = lanes

    async def of(self, equipment_id: str) -> Pause | None:
        """The pause of an instrument, if it has one."""
        noted = await self._parts.store.noted(_key(equipment_id))
        if noted is None:
            return None
        try:
            told = json.loads(noted)
            return Pause(str(told["who"]), parse_instant(told["at"]))
        except (ValueError, KeyError, TypeError):  # unreadable is not "may go on"
            return Pause("somebody", None)

    async def take_up(self, equipment_id: str) -> None:
        """What an earlier engine was told holds for this one; before the lane starts."""
        pause = await self.of(equipment_id)
        if pause is not None:
            await self._stand_still(equipment_id, pause)
        else:
            await self._lift(equipment_id, "Resumed.", "engine")

    async def begin(self, equipment_id: str, who: str) -> Pause:
        """Pause an instrument at once; a second time changes nothing."""
        known = await self.of(equipment_id)
        if known is not None:
            return known
        pause = Pause(who, self._parts.now())
        told = {"who": safe_text(who), "at": self._parts.now().isoformat()}
        await self._parts.store.note(_key(equipment_id), json.dumps(told))
        await self._stand_still(equipment_id, pause)
        return pause

    async def end(self, equipment_id: str, who: str) -> Pause | None:
        """Let an instrument go on; the pause that has ended, if there was one."""
        pause = await self.of(equipment_id)
        if pause is None:
            return None
        await self._parts.store.note(_key(equipment_id), None)
        await self._lift(equipment_id, f"{equipment_id} was resumed by {safe_text(who)}; its runs go on.", who)
        if equipment_id in self._lanes:
            self._lanes[equipment_id].resume()
        return pause

    async def _lift(self, equipment_id: str, because: str, who: str) -> None:
        hold = await self._parts.store.hold(HoldScope.EQUIPMENT, equipment_id)
        if hold is not None and hold.kind is HoldKind.PAUSED:
            await self._parts.holds.lift(HoldScope.EQUIPMENT, equipment_id, because, who=who)

    async def _stand_still(self, equipment_id: str, pause: Pause) -> None:
        lane = self._lanes.get(equipment_id)
        if lane is None:  # another hold says why nothing moves; the pause waits behind it
            return
        lane.pause(pause.who)
        await self._parts.holds.lay(
            HoldScope.EQUIPMENT,
            equipment_id,
            HoldKind.PAUSED,
            pause.sentence,
            equipment_id=equipment_id,
            next_step=f"goes on with `exlab-sync resume {equipment_id}`",
            who=pause.who,
        )


def _key(equipment_id: str) -> str:
    return f"paused:{equipment_id}"
