"""Is every byte of a published run still there? One pass over its far files, a page at a time.

A page that sending comes between is asked for again; pages that were answered stay answered, so that a pass over a
large run gets through in the gaps.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.stall import run_unless_stalled
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel, weakest
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.model.verdict import VerifyResult
from exlab_sync_tui.provenance.manifest import LARGEST_MANIFEST, MANIFEST_NAME, manifest_digest, manifest_lines
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, parse_receipt
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import Pulse, tell_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from typing import TypeVar

    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.upkeep.turn import Turn
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.transport.base import Transport

    _Result = TypeVar("_Result")

_PAGE_FILES = 2_000
_PAGE_BYTES = 256 << 20
"""So much is asked for at once: what is lost when sending comes between."""


class Proof:
    """One fresh comparison of the far files of *job* with its records.

    ``papers`` is a sentence if manifest or receipt do not lie there as they were published. Raises ``TransportError``.
    """

    def __init__(self, parts: Parts, instrument: Instrument, turn: Turn, job: SyncJobRow) -> None:
        self._parts = parts
        self._instrument = instrument
        self._turn = turn
        self.job = job
        self.papers = ""
        self._after = ""
        self._files = 0
        self._size = 0
        self._manifest = hashlib.sha256()
        self._mismatched: list[str] = []
        self._missing: list[str] = []
        self._rungs: list[EvidenceLevel] = []
        self._pulse = Pulse()

    @property
    def title(self) -> str:
        """What the destination is called."""
        return self._instrument.destination.title

    async def take(self) -> VerifyResult:
        """The verdict over every file. May be called again after an error, and goes on where it was."""
        destination = self._instrument.destination
        if destination.injected.hashsum is not None:
            hashsum = destination.injected.hashsum
            far = await self._turn.spare(lambda: hashsum(Path(self.job.run_path)))
            await self._over_pages(lambda page: _told(page, far))
        elif destination.transport is None:
            raise TransportError(destination.unready, TransportErrorKind.SET_UP)
        else:
            transport = destination.transport
            if destination.injected.push is None:
                await self._apart(lambda: self._recognise(transport))
            await self._over_pages(lambda page: self._apart(lambda: self._ask(transport, page)))
            if destination.injected.push is None:
                self.papers = await self._apart(lambda: self._read_papers(transport))
        if not self.papers and self.job.manifest_sha256 and self._manifest.hexdigest() != self.job.manifest_sha256:
            self.papers = "the recorded digests are not those of the manifest that was published"
        return VerifyResult(
            ok=not (self._mismatched or self._missing),
            mismatched=tuple(self._mismatched),
            missing=tuple(self._missing),
            evidence=weakest(self._rungs),
            files=self._files,
            size=self._size,
        )

    async def _apart(self, step: Callable[[], Coroutine[None, None, _Result]]) -> _Result:
        """A step in a turn of its own; one that moves nothing for ``sync.stall_seconds`` is a network failure."""

        async def watched() -> _Result:
            return await run_unless_stalled(
                step(), self._pulse, self._parts.clock, self._instrument.stall_seconds, self.title
            )

        return await self._turn.spare(watched)

    async def _over_pages(
        self, ask: Callable[[Sequence[FileRecord]], Coroutine[None, None, Sequence[FileRecord]]]
    ) -> None:
        while page := await self._page():
            for record in await ask(page):
                self._judge(record)
            for line in manifest_lines(page):
                self._manifest.update(line)
            self._after = page[-1].rel

    async def _page(self) -> Sequence[FileRecord]:
        page = await self._parts.store.files(self.job.id, after=self._after, limit=_PAGE_FILES)
        size = 0
        for place, record in enumerate(page):
            size += record.size
            if size > _PAGE_BYTES:
                return page[: max(place, 1)]
        return page

    async def _recognise(self, transport: Transport) -> None:
        """Another share in its place would look like a run of which everything is missing."""
        state = await transport.probe()
        if state.identity is None or state.identity.id != self.job.destination_id:
            raise TransportError(
                f"{transport.title} is not the destination on which this run lies.",
                TransportErrorKind.WRONG_DESTINATION,
            )
        transport.expect(self.job.destination_id)
        tell_beside(transport, Path(self.job.run_path), self.job.nas_path)

    async def _ask(self, transport: Transport, page: Sequence[FileRecord]) -> Sequence[FileRecord]:
        answered: list[FileRecord] = []
        async for checked in transport.digests(self.job.nas_path, page, self._pulse):
            answered += checked
        if len(answered) != len(page):
            raise TransportError(
                f"{transport.title} answered for {len(answered):,} of {len(page):,} files.", TransportErrorKind.UNKNOWN
            )
        return answered

    async def _read_papers(self, transport: Transport) -> str:
        """Whether manifest and receipt lie there: without them nobody could prove the run any more."""
        folder, place = self.job.nas_path, f"{transport.title}/{safe_text(self.job.nas_path)}/{CACHE_FOLDER}"
        told = await transport.read_text(folder, f"{CACHE_FOLDER}/{RECEIPT_NAME}")
        receipt = parse_receipt(told) if told else None
        if receipt is None or receipt.job_id != self.job.id or receipt.manifest_sha256 != self.job.manifest_sha256:
            return f"{place}/{RECEIPT_NAME} is not the receipt of this run any more"
        manifest = await transport.read_text(folder, f"{CACHE_FOLDER}/{MANIFEST_NAME}", limit=LARGEST_MANIFEST)
        if manifest is None or await asyncio.to_thread(manifest_digest, manifest) != self.job.manifest_sha256:
            return f"{place}/{MANIFEST_NAME} is not the manifest that was published"
        return ""

    def _judge(self, record: FileRecord) -> None:
        self._files += 1
        self._size += record.size
        if record.far_sha256 is None:
            self._missing.append(record.rel)
        elif not record.proven:
            self._mismatched.append(record.rel)
        if record.rung is not None and record.rung not in self._rungs:
            self._rungs.append(record.rung)


async def _told(page: Sequence[FileRecord], far: Mapping[str, str]) -> Sequence[FileRecord]:
    """The page as the injected digests have it; one that is no digest is none."""
    return [_with_digest(record, far.get(record.rel)) for record in page]


def _with_digest(record: FileRecord, told: str | None) -> FileRecord:
    try:
        digest = bytes.fromhex(told) if told else None
    except ValueError:
        digest = None
    return record._replace(far_sha256=digest, rung=EvidenceLevel.REMOTE_HASH)
