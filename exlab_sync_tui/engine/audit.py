"""Do this PC, the manifest and the destination still agree about a run? Looks, and writes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.freeze import pages_of
from exlab_sync_tui.engine.travel.stall import run_unless_stalled
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel, weakest
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.model.verdict import VerifyResult
from exlab_sync_tui.transport.base import Pulse, tell_beside
from exlab_sync_tui.transport.listing import moving
from exlab_sync_tui.tree.hashing import hash_tree
from exlab_sync_tui.tree.snapshot import records
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.transport.base import Transport


class Audit:
    """One fresh comparison of three sides: local files, recorded digests, far files."""

    def __init__(self, parts: Parts, instrument: Instrument) -> None:
        self._parts = parts
        self._instrument = instrument
        self._manifest: dict[str, str] = {}
        self._mismatched: set[str] = set()
        self._missing: set[str] = set()
        self._extra: set[str] = set()
        self._rungs: list[EvidenceLevel] = []

    async def compare(self, job: SyncJobRow, *, with_local: bool) -> VerifyResult:
        """Every file's digest here and there against the record; ``error_kind`` if one side could not be read."""
        async for page in pages_of(self._parts.store, job.id):
            self._manifest |= {record.rel: record.sha256.hex() if record.sha256 else "" for record in page}
        try:
            await self._far(job)
            if with_local:
                await asyncio.to_thread(self._local, Path(job.run_path))
        except TransportError as error:
            return VerifyResult(ok=False, manifest=self._manifest, error_kind=error.error_kind)
        return VerifyResult(
            ok=not (self._mismatched or self._missing or self._extra),
            mismatched=tuple(sorted(self._mismatched)),
            missing=tuple(sorted(self._missing)),
            extra=tuple(sorted(self._extra)),
            manifest=self._manifest,
            evidence=weakest(self._rungs),
            files=len(self._manifest),
            size=job.bytes_total,
        )

    async def _far(self, job: SyncJobRow) -> None:
        destination = self._instrument.destination
        if destination.injected.hashsum is not None:
            self._judge_digests(await destination.injected.hashsum(Path(job.run_path)))
            return
        if destination.transport is None:
            raise TransportError(destination.unready, TransportErrorKind.SET_UP)
        pulse, stall = Pulse(), self._instrument.stall_seconds
        looking = self._over_there(destination.transport, job, pulse)
        await run_unless_stalled(looking, pulse, self._parts.clock, stall, destination.title)

    async def _over_there(self, transport: Transport, job: SyncJobRow, pulse: Pulse) -> None:
        await self._recognise(transport, job)
        tell_beside(transport, Path(job.run_path), job.nas_path)
        async for page in pages_of(self._parts.store, job.id):
            async for checked in transport.digests(job.nas_path, page, pulse):
                for record in checked:
                    self._judge_far(record)
        async for entries in moving(transport.list(job.nas_path), pulse):
            known = (entry.rel for entry in entries if entry.kind != "folder" and not _is_ours(entry.rel))
            self._extra |= {rel for rel in known if rel not in self._manifest}

    async def _recognise(self, transport: Transport, job: SyncJobRow) -> None:
        """Another share in its place would look like a run of which everything is missing."""
        state = await transport.probe()
        if state.identity is None or state.identity.id != job.destination_id:
            raise TransportError(
                f"{transport.title} is not the destination on which this run lies.",
                TransportErrorKind.WRONG_DESTINATION,
            )

    def _judge_digests(self, far: dict[str, str]) -> None:
        for rel, digest in self._manifest.items():
            if rel not in far:
                self._missing.add(rel)
            elif far[rel].lower() != digest:
                self._mismatched.add(rel)
        self._extra |= {rel for rel in far if rel not in self._manifest and not _is_ours(rel)}
        self._rungs.append(EvidenceLevel.REMOTE_HASH)

    def _judge_far(self, record: FileRecord) -> None:
        if record.far_sha256 is None:
            self._missing.add(record.rel)
        elif not record.proven:
            self._mismatched.add(record.rel)
        if record.rung is not None and record.rung not in self._rungs:
            self._rungs.append(record.rung)

    def _local(self, run: Path) -> None:
        """Read every local file; raises ``TransportError`` for one that changes or cannot be read meanwhile."""
        unseen = set(self._manifest)
        for record in hash_tree(run, self._here(run)):
            unseen.discard(record.rel)
            digest = record.sha256.hex() if record.sha256 else ""
            if self._manifest.get(record.rel) != digest:
                self._mismatched.add(record.rel)
        self._missing |= unseen

    def _here(self, run: Path) -> Iterator[FileRecord]:
        """The local data files that the manifest knows; the others are extra and need no reading."""
        for record in records(walk(run, litter=self._instrument.litter)):
            if record.rel in self._manifest:
                yield record
            else:
                self._extra.add(record.rel)


def _is_ours(rel: str) -> bool:
    return rel.startswith(f"{CACHE_FOLDER}/")
