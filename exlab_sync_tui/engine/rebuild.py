"""What does a store know that has just begun anew? What run folders, manifests and receipts of both sides say.

Nothing is believed that was not looked at: a run that a receipt names is confirmed by its lane, which looks at the
final folder first, and it is released only after passes of its own and after its local files were read again.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.patience import within
from exlab_sync_tui.engine.travel.papers import keep_papers
from exlab_sync_tui.engine.travel.places import place_of
from exlab_sync_tui.engine.upkeep.leftovers import kept_receipt, tell_leftovers
from exlab_sync_tui.errors import CreationError, ExlabSyncError, OrphanRunError, TransportError, UnsafePathError
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME, manifest_digest, parse_manifest
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, parse_receipt
from exlab_sync_tui.text import count, parse_instant, safe_text
from exlab_sync_tui.tree.paths import checked_rel
from exlab_sync_tui.tree.walk import walk
from exlab_sync_tui.watch.discovery import discover, locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.engine.parts import Instrument
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.provenance.receipt import Receipt
    from exlab_sync_tui.queue.salvage import Salvage
    from exlab_sync_tui.transport.base import Transport

_PAGE = 2_000
_PROBE_SECONDS = 10
_WHO = "rebuild"
_BESIDE = re.compile(r"__conflict-([0-9A-Za-z]{8})(?:__r\d+)?$")
_LEVELS = {level.value: level for level in EvidenceLevel}


@dataclass(frozen=True, slots=True)
class Papers:
    """A receipt and the manifest that it names, byte for byte."""

    receipt: Receipt
    told: bytes
    manifest: bytes


class Rebuilder:
    """Fills a store that has begun anew, before its lanes start."""

    def __init__(self, works: Works, salvage: Salvage) -> None:
        self._works = works
        self._parts = works.parts
        self._salvage = salvage
        self._published = 0
        self._released = 0
        self._again = 0

    async def rebuild(self) -> None:
        """Put every run back that a receipt on either side names, and say what was found."""
        papers = await asyncio.to_thread(_kept_papers, self._parts.records_folder)
        for instrument in self._works.instruments.values():
            await self._rebuild_one(instrument, papers)
        await self._queue_again()
        aside = safe_text(self._salvage.aside)
        rest = "" if self._salvage.is_whole else " Whether somebody wanted local copies to stay could not be read."
        self._parts.bus.say(
            EventKind.WARNING,
            f"The job store was damaged. It was set aside as {aside} and begun anew:"
            f" {count(self._published, 'published run')} and {count(self._released, 'released run')} are known again,"
            f" {count(self._again, 'run')} queued again; every other folder is looked at as if it were new.{rest}",
        )

    async def _rebuild_one(self, instrument: Instrument, kept: dict[str, Papers]) -> None:
        problems: list[str] = []
        runs = await asyncio.to_thread(lambda: list(discover(instrument.folder, problems.append)))
        transport = await self._answering(instrument)
        mine = {str(run.path): run for run in runs}
        root = str(await asyncio.to_thread(instrument.folder.root.resolve))
        for path in [path for path in kept if path.startswith(f"{root}/") and path not in mine]:
            await self._restore(instrument, None, path, kept[path])
        for path, run in mine.items():
            papers = kept.get(path) or await asyncio.to_thread(_local_papers, run)
            if papers is None and transport is not None:
                papers = await self._far_papers(transport, instrument, run)
            if papers is not None:
                await self._restore(instrument, run, path, papers)

    async def _answering(self, instrument: Instrument) -> Transport | None:
        """The destination, if it answers now; what it knows is asked for only where this PC has no receipt."""
        transport = instrument.destination.transport
        if transport is None or instrument.destination.injected.push is not None:
            return None
        with suppress(TransportError, TimeoutError, OSError):
            state = await within(self._parts.clock, _PROBE_SECONDS, transport.probe())
            return transport if state.identity is not None else None
        return None

    async def _far_papers(self, transport: Transport, instrument: Instrument, run: RunFolder) -> Papers | None:
        """The papers of the newest revision that this PC published."""
        found, revision = None, 1
        while True:
            try:
                newer = await self._read_far(transport, place_of(run, instrument, revision), run)
            except (TransportError, OSError):
                return found
            if newer is None:
                return found
            found, revision = newer, revision + 1

    async def _read_far(self, transport: Transport, place: str, run: RunFolder) -> Papers | None:
        told = await transport.read_text(place, f"{CACHE_FOLDER}/{RECEIPT_NAME}")
        manifest = await transport.read_text(place, f"{CACHE_FOLDER}/{MANIFEST_NAME}", limit=1 << 30)
        receipt = parse_receipt(told) if told else None
        if receipt is None or told is None or manifest is None or receipt.host != self._parts.identities.host:
            return None
        return Papers(receipt, told, manifest) if receipt.run_path == str(run.path) else None

    async def _restore(self, instrument: Instrument, run: RunFolder | None, path: str, papers: Papers) -> None:
        receipt = papers.receipt
        digests = await asyncio.to_thread(_digests, papers)
        if digests is None:
            said = (
                f"The manifest of {safe_text(path)} is not the one that its receipt names; the run is looked at anew."
            )
            self._parts.bus.say(EventKind.WARNING, said, equipment_id=instrument.id, run_path=path)
            return
        here = await asyncio.to_thread(_here, path, instrument.litter, digests)
        is_released = await asyncio.to_thread(self._was_released, path, run, digests, here)
        job = self._row(instrument, path, receipt, is_released=is_released)
        if not await self._parts.store.restore(job, at=self._parts.now(), who=_WHO, what="known from its receipt"):
            return
        for start in range(0, len(here), _PAGE):
            await self._parts.store.put_files(job.id, here[start : start + _PAGE])
        await asyncio.to_thread(
            keep_papers, self._parts.records_folder, job.id, manifest=papers.manifest, receipt=papers.told
        )
        await self._remember_destination(instrument, receipt)
        if is_released:
            self._released += 1
            kept = await asyncio.to_thread(kept_receipt, self._parts.records_folder, job)
            why = "its deletion was not finished when the job store was damaged"
            await tell_leftovers(self._parts, job, instrument.litter, kept, refused=why)
        else:
            self._published += 1

    def _was_released(
        self, path: str, run: RunFolder | None, digests: dict[str, bytes], here: list[FileRecord]
    ) -> bool:
        """Whether the local copy was deleted, or began to be: then it is never a source again."""
        if run is None or path in self._salvage.released or len(here) < len(digests):
            return True
        with suppress(CreationError, OrphanRunError, OSError):
            return read_creation(Path(path)).sync_status == "cleaned"
        return False

    def _row(self, instrument: Instrument, path: str, receipt: Receipt, *, is_released: bool) -> SyncJobRow:
        beside = _BESIDE.search(receipt.destination_path)
        verified_at = parse_instant(receipt.verified_at)
        levels = [_LEVELS[one.level] for one in receipt.passes if one.level in _LEVELS]
        return SyncJobRow(
            id=receipt.job_id,
            run_path=path,
            equipment_id=instrument.id,
            state=SyncJobState.CLEANED if is_released else SyncJobState.AWAITING_VERIFY,
            enqueued_at=self._parts.now(),
            nas_path=receipt.destination_path,
            destination_id=receipt.destination_id,
            origin=_WHO,
            revision=max(receipt.revision, 1),
            publishing="" if is_released else receipt.manifest_sha256,
            manifest_sha256=receipt.manifest_sha256,
            started_at=parse_instant(receipt.started_at),
            verified_at=verified_at,
            evidence=min(levels, key=lambda level: level.strength, default=None),
            files_total=receipt.files,
            bytes_total=receipt.size,
            releasing_at=(verified_at or self._parts.now()) if is_released else None,
            keep_local=path in self._salvage.kept,
            beside=beside[1] if beside else "",
        )

    async def _remember_destination(self, instrument: Instrument, receipt: Receipt) -> None:
        """The id that runs were sent to before, so that another share is not taken for it."""
        key = f"destination:{instrument.destination.key}"
        if receipt.destination_id and await self._parts.store.noted(key) is None:
            await self._parts.store.note(key, receipt.destination_id)

    async def _queue_again(self) -> None:
        """What was queued and not published yet: an operator may have queued it before it was finished."""
        folders = [one.folder for one in self._works.instruments.values()]
        for path in self._salvage.queued:
            if await self._parts.store.job_of(path) is not None:
                continue
            try:
                run = await asyncio.to_thread(locate, Path(path), folders)
                instrument = self._works.instruments[run.equipment_id]
                await self._works.intake.enqueue(run, instrument, origin="operator", who=_WHO)
                self._again += 1
            except (ExlabSyncError, OSError) as error:
                said = f"{safe_text(path)} could not be queued again: {safe_text(error)}"
                self._parts.bus.say(EventKind.WARNING, said, run_path=path)


def _kept_papers(folder: Path) -> dict[str, Papers]:
    """What the state folder has kept of every published run, by run path; of several the newest."""
    found: dict[str, Papers] = {}
    for place in sorted(folder.glob("*")) if folder.is_dir() else ():
        papers = _papers_in(place)
        if papers is None:
            continue
        known = found.get(papers.receipt.run_path)
        if known is None or known.receipt.verified_at < papers.receipt.verified_at:
            found[papers.receipt.run_path] = papers
    return found


def _local_papers(run: RunFolder) -> Papers | None:
    papers = _papers_in(run.cache)
    return papers if papers is not None and papers.receipt.run_path == str(run.path) else None


def _papers_in(folder: Path) -> Papers | None:
    try:
        told = (folder / RECEIPT_NAME).read_bytes()
        manifest = (folder / MANIFEST_NAME).read_bytes()
    except OSError:
        return None
    receipt = parse_receipt(told)
    return Papers(receipt, told, manifest) if receipt is not None and receipt.destination_path else None


def _digests(papers: Papers) -> dict[str, bytes] | None:
    """Path to digest of the very manifest that the receipt names; nothing for another one, or for unsafe names."""
    if manifest_digest(papers.manifest) != papers.receipt.manifest_sha256:
        return None
    try:
        checked_rel(papers.receipt.destination_path)
        entries = parse_manifest(papers.manifest).entries
        return {checked_rel(rel): bytes.fromhex(digest) for rel, digest in entries.items()}
    except UnsafePathError:
        return None


def _here(path: str, litter: Sequence[str], digests: dict[str, bytes]) -> list[FileRecord]:
    """Records of the files that the manifest names and that are here; their content has not been read."""
    try:
        return [
            FileRecord(entry.rel, entry.size, entry.mtime_ns, entry.inode, sha256=digests[entry.rel])
            for entry in walk(Path(path), litter=litter)
            if entry.is_data and entry.rel in digests
        ]
    except OSError:
        return []
