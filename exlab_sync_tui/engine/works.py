"""What is an engine made of, once it is wired?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.model.hold import HoldScope

if TYPE_CHECKING:
    from exlab_sync_tui.cleanup.interlocks import CleanupOptions
    from exlab_sync_tui.engine.chronicle import Chronicle
    from exlab_sync_tui.engine.debts import Bookkeeper
    from exlab_sync_tui.engine.intake import Intake
    from exlab_sync_tui.engine.lane import Lane
    from exlab_sync_tui.engine.orders import Orders
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.scout import Scout
    from exlab_sync_tui.engine.upkeep.caretaker import Caretaker
    from exlab_sync_tui.engine.upkeep.facts import Facts
    from exlab_sync_tui.transport.base import Transport


@dataclass(frozen=True, slots=True)
class Works:
    """A wired engine: the parts that lanes share, one of each per instrument, and who may override."""

    parts: Parts
    instruments: dict[str, Instrument]
    lanes: dict[str, Lane]
    scouts: dict[str, Scout]
    intake: Intake
    bookkeeper: Bookkeeper
    chronicle: Chronicle
    orders: Orders
    transports: tuple[Transport, ...]
    caretakers: dict[str, Caretaker]
    facts: dict[str, Facts]
    cleanup: CleanupOptions
    allowlist: tuple[str, ...] = ()

    def wake(self, equipment_id: str) -> None:
        """There may be something to do for this instrument."""
        if equipment_id in self.lanes:
            self.lanes[equipment_id].wake()

    async def refuse_unready(self, instrument: Instrument) -> None:
        """Raise ``RefusedError`` with the sentence of the hold that keeps this instrument's runs from being queued."""
        if instrument.id not in self.lanes:
            hold = await self.parts.store.hold(HoldScope.EQUIPMENT, instrument.id)
            raise RefusedError(hold.sentence if hold else instrument.destination.unready)

    async def close(self) -> None:
        """End children and connections, make running jobs resumable, close the store."""
        try:
            for transport in self.transports:
                await transport.close()
            if self.parts.store.store_id:  # a store that could not be opened has told why, and has no jobs
                what = "the engine was stopped"
                await self.parts.store.running_to_queued(at=self.parts.now(), who="engine", what=what)
        finally:
            self.parts.bus.close()
            await self.chronicle.close()
            await self.parts.store.close()
