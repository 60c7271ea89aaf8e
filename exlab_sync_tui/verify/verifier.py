"""Is what lies on the far side exactly what was sent, file for file?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.model.verdict import VerifyResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from exlab_sync_tui.model.entry import FileRecord


class FarEntry(Protocol):
    """What the verifier needs to know of a thing on the far side; ``kind`` as the values of ``EntryKind``."""

    @property
    def rel(self) -> str:
        """Path below the run."""
        ...

    @property
    def kind(self) -> str:
        """``file``, ``folder``, ``link`` or ``special``."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


class Verifier:
    """Compares records with a far listing, both in the order of path bytes, in one pass and flat memory."""

    def __init__(self, minimum: EvidenceLevel = EvidenceLevel.RSYNC_CHECKSUM) -> None:
        self.minimum = minimum

    async def compare(
        self,
        records: AsyncIterator[Sequence[FileRecord]],
        listing: AsyncIterator[Sequence[FarEntry]],
    ) -> VerifyResult:
        """Every record must be there with its size and an equal far digest; no other file may be there.

        The run's own cache folder on the far side is not judged. Evidence weaker than ``minimum`` makes the result not
        ok although nothing is mismatched. Errors of either iterator pass through.
        """
        tally = _Tally()
        far = _flat(listing)
        entry = await _next_file(far)
        async for record in _flat(records):
            key = os.fsencode(record.rel)
            while entry is not None and os.fsencode(entry.rel) < key:
                tally.extra.append(entry.rel)
                entry = await _next_file(far)
            if entry is None or entry.rel != record.rel:
                tally.missing.append(record.rel)
                continue
            tally.judge(record, entry)
            entry = await _next_file(far)
        while entry is not None:
            tally.extra.append(entry.rel)
            entry = await _next_file(far)
        return tally.result(self.minimum)


class _Tally:
    """What a comparison has found so far."""

    def __init__(self) -> None:
        self.mismatched: list[str] = []
        self.missing: list[str] = []
        self.extra: list[str] = []
        self.weakest: EvidenceLevel | None = None
        self.files = 0
        self.size = 0

    def judge(self, record: FileRecord, entry: FarEntry) -> None:
        if entry.kind != "file" or entry.size != record.size or not record.proven or record.rung is None:
            self.mismatched.append(record.rel)
            return
        self.files += 1
        self.size += record.size
        if self.weakest is None or record.rung.strength < self.weakest.strength:
            self.weakest = record.rung

    def result(self, minimum: EvidenceLevel) -> VerifyResult:
        clean = not (self.mismatched or self.missing or self.extra)
        strong = self.weakest is None or self.weakest.satisfies(minimum)
        return VerifyResult(
            ok=clean and strong,
            mismatched=tuple(self.mismatched),
            missing=tuple(self.missing),
            extra=tuple(self.extra),
            evidence=self.weakest,
            files=self.files,
            size=self.size,
        )


_Item = TypeVar("_Item")


async def _flat(pages: AsyncIterator[Sequence[_Item]]) -> AsyncIterator[_Item]:
    async for page in pages:
        for item in page:
            yield item


async def _next_file(entries: AsyncIterator[FarEntry]) -> FarEntry | None:
    """The next thing that is not a folder and not in the run's own cache folder."""
    async for entry in entries:
        if entry.kind != "folder" and not entry.rel.startswith(CACHE_FOLDER + "/"):
            return entry
    return None
