"""How does a run travel through injected callables? They are a black box: sent whole, then compared by its digests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.mismatch import mismatch
from exlab_sync_tui.engine.travel.way import Final, FinalFolder
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.text import without_secrets
from exlab_sync_tui.transport.listing import moving
from exlab_sync_tui.tree.hashing import hash_tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from exlab_sync_tui.engine.parts import HashsumCallable, PushCallable, RateSource
    from exlab_sync_tui.engine.travel.papers import Papers
    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.transport.base import DestinationState, Owner, Transport

_HEX_DIGITS = 64


class BlackBoxWay:
    """Sends with the injected push callable; digests come from the injected one, else from the configured transport."""

    def __init__(
        self,
        push: PushCallable,
        hashsum: HashsumCallable | None,
        transport: Transport | None,
        rate: RateSource,
        title: str,
    ) -> None:
        self._push = push
        self._hashsum = hashsum
        self._transport = transport
        self._rate = rate
        self._title = title

    async def state(self) -> DestinationState | None:
        """Nobody can be asked: a black box has no probe."""
        return None

    def expect(self, destination_id: str) -> None:
        """Nobody can be asked."""

    async def look_at_final(self, trip: Trip) -> FinalFolder:  # noqa: ARG002  # the Way protocol's signature
        """Unknown, so nothing is taken for published."""
        return FinalFolder(Final.ABSENT)

    async def carry(self, trip: Trip, state: DestinationState | None) -> None:  # noqa: ARG002  # the protocol's signature
        """Hash the local files as they are, then hand the folder over. Raises the class that the callable answers."""
        await self._hash_here(trip)
        result = await self._push(trip.run.path, bwlimit_kibps=self._rate())
        if not result.ok:
            words = without_secrets(result.stderr.strip()) or "the transfer failed without saying why"
            raise TransportError(words, result.error_kind or TransportErrorKind.UNKNOWN)

    async def prove(self, trip: Trip) -> VerifyResult:
        """Compare the records with what the far side says it has; the run's own cache folder is not judged."""
        if self._hashsum is None:
            return await self._prove_by_transport(trip)
        far = await self._hashsum(trip.run.path)
        await self._note_far(trip, far)
        known = {record.rel async for record in _records(trip)}
        extra = tuple(sorted(rel for rel in far if rel not in known and not rel.startswith(f"{CACHE_FOLDER}/")))
        result = await trip.parts.verifier.compare(trip.pages(FilesWanted.ALL), _listing(trip, far))
        return replace(result, extra=extra)

    async def manner(self) -> str:
        """Always ``direct``."""
        return "direct"

    async def publish(self, trip: Trip, papers: Papers) -> None:
        """Nothing: what the callable sent is in its place already, and the receipt says ``direct``."""

    async def tidy(self, incoming: str, owner: Owner) -> None:
        """Nothing was assembled."""

    async def _hash_here(self, trip: Trip) -> None:
        async for page in trip.pages(FilesWanted.ALL):
            todo = [record for record in page if record.sha256 is None]
            hashed = await asyncio.to_thread(_hash_all, trip.run.path, todo)
            await trip.parts.store.put_files(trip.job.id, hashed)

    async def _note_far(self, trip: Trip, far: Mapping[str, str]) -> None:
        async for page in trip.pages(FilesWanted.ALL):
            noted = [
                record._replace(far_sha256=_digest(far.get(record.rel)), rung=EvidenceLevel.REMOTE_HASH)
                for record in page
            ]
            await trip.parts.store.put_files(trip.job.id, noted)

    async def _prove_by_transport(self, trip: Trip) -> VerifyResult:
        if self._transport is None:
            raise TransportError(
                f"Nothing can tell what arrived at {self._title}: give a hashsum callable, or configure a transport.",
                TransportErrorKind.SET_UP,
            )
        absent: list[str] = []
        async for page in trip.pages(FilesWanted.ALL):
            async for checked in self._transport.digests(trip.job.nas_path, page, trip.progress.pulse):
                await trip.parts.store.put_files(trip.job.id, checked)
                absent.extend(record.rel for record in checked if record.far_sha256 is None)
        if absent:
            raise mismatch(self._title, absent)
        verifier = trip.parts.verifier
        listing = moving(self._transport.list(trip.job.nas_path), trip.progress.pulse)
        result = await verifier.compare(trip.pages(FilesWanted.ALL), listing)
        strong = result.evidence is None or result.evidence.satisfies(verifier.minimum)
        return replace(result, ok=strong and not (result.mismatched or result.missing))


def _hash_all(root: Path, records: Sequence[FileRecord]) -> list[FileRecord]:
    return list(hash_tree(root, records))


class _Named:
    """A far file of which only name and digest are known: its size is the record's when the digest is."""

    kind = "file"
    __slots__ = ("rel", "size")

    def __init__(self, rel: str, size: int) -> None:
        self.rel = rel
        self.size = size


async def _listing(trip: Trip, far: Mapping[str, str]) -> AsyncIterator[Sequence[_Named]]:
    async for page in trip.pages(FilesWanted.ALL):
        yield [_Named(record.rel, record.size) for record in page if record.rel in far]


async def _records(trip: Trip) -> AsyncIterator[FileRecord]:
    async for page in trip.pages(FilesWanted.ALL):
        for record in page:
            yield record


def _digest(text: str | None) -> bytes | None:
    try:
        return bytes.fromhex(text) if text and len(text) == _HEX_DIGITS else None
    except ValueError:
        return None
