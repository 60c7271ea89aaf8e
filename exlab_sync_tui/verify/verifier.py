"""Is what lies on the far side exactly what was sent, file for file?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.model.verdict import VerifyResult
from exlab_sync_tui.tree.side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from exlab_sync_tui.model.entry import FileRecord

_CACHE = CACHE_FOLDER + "/"


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
        async for here, there in side_by_side(records, listing):
            tally.compare(here, there)
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

    def compare(self, records: Sequence[FileRecord], entries: Sequence[FarEntry]) -> None:
        """Judge a piece in which equal paths come together; what is listed twice is there once too often."""
        far: dict[str, FarEntry] = {}
        for entry in entries:
            if entry.kind == "folder" or entry.rel.startswith(_CACHE):
                continue
            if entry.rel in far:
                self.extra.append(entry.rel)
            far[entry.rel] = entry
        for record in records:
            found = far.pop(record.rel, None)
            if found is None:
                self.missing.append(record.rel)
            else:
                self._judge(record, found)
        self.extra.extend(far)

    def _judge(self, record: FileRecord, entry: FarEntry) -> None:
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
