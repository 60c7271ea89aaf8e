"""What does one turn of one job carry along from room to room?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.freeze import Inventory, pages_of
from exlab_sync_tui.transport.base import ASSEMBLY, Owner
from exlab_sync_tui.tree.paths import incoming_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.queue.store import FilesWanted


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
