"""How do runs of one instrument travel, and what lies where they shall lie?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from exlab_sync_tui.engine.travel.papers import Papers
    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.transport.base import DestinationState, Owner


class Final(Enum):
    """What lies where the run shall lie; ``BEGUN``: files of this job that come one by one, the receipt last."""

    ABSENT = "absent"
    OURS = "ours"
    BEGUN = "begun"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class FinalFolder:
    """A look at the final folder; ``manifest_sha256`` (hex) is what our receipt there names."""

    what: Final
    manifest_sha256: str = ""


class Way(Protocol):
    """How runs of one instrument travel; methods raise ``TransportError``."""

    async def state(self) -> DestinationState | None:
        """A probe; ``None`` where nobody can be asked."""
        ...

    def expect(self, destination_id: str) -> None:
        """Work only on the destination with this identity from now on."""
        ...

    async def look_at_final(self, trip: Trip) -> FinalFolder:
        """What lies at the run's place on the far side."""
        ...

    async def carry(self, trip: Trip, state: DestinationState | None) -> None:
        """Send what is not proven yet."""
        ...

    async def prove(self, trip: Trip) -> VerifyResult:
        """Compare what has arrived with the records."""
        ...

    async def publish(self, trip: Trip, papers: Papers) -> None:
        """Make the run visible, whole."""
        ...

    async def tidy(self, incoming: str, owner: Owner) -> None:
        """Remove what the assembly *incoming* has left."""
        ...

    async def manner(self) -> str:
        """``renamed`` or ``direct``, for the receipt."""
        ...
