"""Which papers travel with a run? creation.json, manifest, receipt, and the cache folder's other files."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.grants import recorded_here
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.atomic import write_atomic
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME, manifest_digest, manifest_lines
from exlab_sync_tui.provenance.overrides import in_force
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, PassRecord, Receipt, render_receipt
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.text import utc
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.provenance.creation import Creation
    from exlab_sync_tui.provenance.overrides import OverrideInForce

CREATION_NAME = "creation.json"
_OURS = frozenset({CREATION_NAME, f"{CREATION_NAME}.lock", MANIFEST_NAME, RECEIPT_NAME})


@dataclass(frozen=True, slots=True)
class Papers:
    """What goes into the far cache folder. ``others`` are copied as they are (``FORMATS.md`` §3).

    ``manifest_sha256`` (hex) is what the receipt names and what recognises our run after a crash.
    """

    manifest: bytes
    manifest_sha256: str
    receipt: bytes
    creation: bytes | None
    others: tuple[tuple[str, bytes], ...] = ()

    @property
    def first_to_last(self) -> list[tuple[str, bytes]]:
        """Path below the run and bytes, in the order of writing: the receipt last."""
        papers = list(self.others)
        if self.creation is not None:
            papers.append((CREATION_NAME, self.creation))
        papers += [(MANIFEST_NAME, self.manifest), (RECEIPT_NAME, self.receipt)]
        return [(f"{CACHE_FOLDER}/{name}", data) for name, data in papers]


async def draw_up(trip: Trip, result: VerifyResult, *, publish: str, at: datetime) -> Papers:
    """Make the papers of a run that has just been compared. Raises ``CreationError`` and ``OSError``."""
    manifest = await manifest_of(trip)
    digest = await asyncio.to_thread(manifest_digest, manifest)
    creation = await asyncio.to_thread(_creation_of, trip.run)
    rendered = None
    if creation is not None:
        rendered = await asyncio.to_thread(trip.parts.creation.rendered, trip.run.path, sync_status="synced")
    recorded = creation.validation_overrides if creation else ()
    overrides = in_force((*recorded, *await recorded_here(trip.parts.store, trip.run)), at)
    receipt = _receipt(trip, result, overrides, digest, publish=publish, at=at)
    others = await asyncio.to_thread(_others, trip.run.cache)
    return Papers(manifest, digest, render_receipt(receipt), rendered, others)


async def manifest_of(trip: Trip) -> bytes:
    """The manifest of the job's records as they are. Raises ``ValueError`` if one has no digest yet."""
    parts = [b"".join(manifest_lines(page)) async for page in trip.pages(FilesWanted.ALL)]
    return await asyncio.to_thread(b"".join, parts)  # a hundred bytes for each file of a run


def keep_copy(folder: Path, job_id: str, papers: Papers) -> None:
    """Keep manifest and receipt in the state folder, from where the local records are written (and stay, if plain)."""
    keep_papers(folder, job_id, manifest=papers.manifest, receipt=papers.receipt)


def keep_papers(folder: Path, job_id: str, *, manifest: bytes, receipt: bytes) -> None:
    """The same for papers that were drawn up earlier."""
    place = folder / job_id
    place.mkdir(parents=True, exist_ok=True)
    write_atomic(place / MANIFEST_NAME, manifest)
    write_atomic(place / RECEIPT_NAME, receipt)


def _creation_of(run: RunFolder) -> Creation | None:
    return read_creation(run.path) if (run.cache / CREATION_NAME).exists() else None


def _others(cache: Path) -> tuple[tuple[str, bytes], ...]:
    """The other files of the cache folder, at any depth; a lock or a temporary file is none, links are not followed.

    They are copied best-effort (``FORMATS.md`` §3): one that another program removes or keeps never stops the run.
    """
    found = []
    with suppress(OSError):
        for entry in walk(cache, keep_cache=True):
            name = entry.rel.rpartition("/")[2]
            if entry.kind is not EntryKind.FILE or entry.rel in _OURS or name.startswith(".") or name.endswith(".lock"):
                continue
            with suppress(OSError):
                found.append((entry.rel, (cache / entry.rel).read_bytes()))
    return tuple(found)


def _receipt(
    trip: Trip,
    result: VerifyResult,
    overrides: tuple[OverrideInForce, ...],
    manifest_sha256: str,
    *,
    publish: str,
    at: datetime,
) -> Receipt:
    job, who = trip.job, trip.parts.identities
    evidence = result.evidence or trip.parts.minimum
    return Receipt(
        job_id=job.id,
        store_id=trip.parts.store.store_id,
        run_path=job.run_path,
        destination_id=job.destination_id,
        destination_path=job.nas_path,
        host=who.host,
        user=who.user,
        tool_version=who.version,
        started_at=utc(job.started_at or at),
        verified_at=utc(at),
        files=trip.inventory.files,
        size=trip.inventory.size,
        passes=(PassRecord(at=utc(at), level=evidence.value),),
        overrides=overrides,
        links=dict(trip.inventory.links),
        empty_folders=tuple(trip.inventory.empty_folders),
        specials=tuple(trip.inventory.specials),
        litter=tuple(trip.inventory.litter),
        manifest_sha256=manifest_sha256,
        publish=publish,
        revision=job.revision,
    )
