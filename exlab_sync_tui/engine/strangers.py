"""Which holds speak of an instrument or a destination that the configuration no longer has? They would never end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.model.hold import HoldKind, HoldScope

if TYPE_CHECKING:
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.hold import Hold


async def lift_strangers(works: Works) -> None:
    """End them. A pause stays: an operator laid it, and the instrument may come back. Holds on runs stay as well."""
    known = {
        HoldScope.EQUIPMENT: set(works.instruments),
        HoldScope.DESTINATION: {one.destination.key for one in works.instruments.values()},
    }
    after = ""
    while page := await works.parts.store.holds(after_key=after):
        after = page[-1].key
        for hold in page:
            if _is_stranger(hold, known):
                await works.parts.holds.lift(hold.scope, hold.key, "It is no longer in the configuration.")


def _is_stranger(hold: Hold, known: dict[HoldScope, set[str]]) -> bool:
    return hold.scope in known and hold.kind is not HoldKind.PAUSED and hold.key not in known[hold.scope]
