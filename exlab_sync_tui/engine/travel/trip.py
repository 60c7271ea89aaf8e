"""What does one turn of one job carry along from room to room?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.engine.travel.freeze import Inventory, pages_of
from exlab_sync_tui.transport.base import ASSEMBLY, Owner
from exlab_sync_tui.tree.paths import incoming_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.travel.papers import Papers
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.queue.store import FilesWanted
    from exlab_sync_tui.transport.base import DestinationState


@dataclass(slots=True)
class Trip:
    """One run on its way. ``proven_here``: the far digests in the store were got by this engine, since it started."""

    parts: Parts
    instrument: Instrument
    run: RunFolder
    job: SyncJobRow
    progress: Progress
    inventory: Inventory = field(default_factory=Inventory)
    proven_here: bool = False

    @property
    def incoming(self) -> str:
        """The far folder in which this round of the job assembles: a round never meets what another one left."""
        round_id = f"{self.job.id}/{self.job.revision}/{self.job.round.value}"
        return incoming_folder(self.job.nas_path, hashlib.sha256(round_id.encode()).hexdigest()[:8])

    @property
    def assembly(self) -> str:
        """The far folder that becomes the run."""
        return f"{self.incoming}/{ASSEMBLY}"

    @property
    def owner(self) -> Owner:
        """What the owner file in the incoming folder says."""
        return Owner(self.parts.store.store_id, self.job.id)

    def pages(self, wanted: FilesWanted) -> AsyncIterator[list[FileRecord]]:
        """The job's file records, a page at a time."""
        return pages_of(self.parts.store, self.job.id, wanted)


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
