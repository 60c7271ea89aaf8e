"""How does what lies in a run's place become the run? It is compared byte for byte, and only gets its papers.

Nothing there is overwritten: a paper that is there already and says something else is a conflict (invariant S6).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.papers import CREATION_NAME
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.transport.base import tell_beside
from exlab_sync_tui.transport.listing import moving
from exlab_sync_tui.tree.hashing import hash_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.engine.travel.papers import Papers
    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.transport.base import Transport

_LEFT_ALONE = frozenset({f"{CACHE_FOLDER}/{CREATION_NAME}"})
"""What somebody else has put there in another state stays as it is; the receipt says what was adopted."""


class Adoption:
    """Compares and signs a folder that is not ours. Raises ``CONFLICT`` for one that is not identical."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def carry(self, trip: Trip) -> None:
        """Read every local file and every far one; nothing is sent."""
        tell_beside(self._transport, trip.run.path, trip.job.nas_path)
        async for page in trip.pages(FilesWanted.ALL):
            hashed = await asyncio.to_thread(_hash_all, trip, [record._replace(far_sha256=None) for record in page])
            async for checked in self._transport.digests(trip.job.nas_path, hashed, trip.progress.pulse):
                await trip.parts.store.put_files(trip.job.id, checked)
        trip.proven_here = True

    async def prove(self, trip: Trip) -> VerifyResult:
        """Both sides must have the same files with the same digests, and nothing else."""
        if not trip.proven_here:
            await self.carry(trip)
        listing = moving(self._transport.list(trip.job.nas_path), trip.progress.pulse)
        result = await trip.parts.verifier.compare(trip.pages(FilesWanted.ALL), listing)
        differing = [*result.mismatched, *result.missing, *result.extra]
        if differing:
            raise TransportError(
                f"What lies at {self._transport.title}/{safe_text(trip.job.nas_path)} is not identical:"
                f" {count(len(differing), 'file')}, first {safe_text(differing[0])}. It was left alone;"
                " `exlab-sync resolve RUN beside` publishes the run beside it.",
                TransportErrorKind.CONFLICT,
            )
        return result

    async def publish(self, trip: Trip, papers: Papers) -> None:
        """Add the papers that are not there yet, the receipt last."""
        await self._transport.make_folders(trip.job.nas_path, trip.inventory.empty_folders)
        for rel, data in papers.first_to_last:
            there = await self._transport.read_text(trip.job.nas_path, rel)
            if there is None:
                await self._transport.write_text(trip.job.nas_path, rel, data)
                there = await self._transport.read_text(trip.job.nas_path, rel, limit=max(len(data), 1))
            elif rel in _LEFT_ALONE or rel.endswith(".log"):
                continue
            if there != data:
                raise TransportError(
                    f"{self._transport.title}/{safe_text(trip.job.nas_path)}/{safe_text(rel)} is there already and says"
                    " something else, so the folder was not adopted; `exlab-sync resolve RUN beside` publishes the run"
                    " beside it.",
                    TransportErrorKind.CONFLICT,
                )


def _hash_all(trip: Trip, records: Sequence[FileRecord]) -> list[FileRecord]:
    return list(hash_tree(trip.run.path, records))
