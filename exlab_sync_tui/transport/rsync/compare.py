"""How are files proved on an account that runs nothing but rsync? By its checksum, or by reading them back."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.rsync.names import plain
from exlab_sync_tui.transport.rsync.words import NOT_ALL
from exlab_sync_tui.transport.tools.near import Hashed, Near

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Pulse
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.mount.aside import Hands
    from exlab_sync_tui.transport.rsync.account import Account

_ITEM = 12
"""Length of an itemised change and the blank behind it (rsync(1), ``--itemize-changes``)."""

_AT_ONCE = 256 << 20


class Comparison:
    """Proofs by the rsync protocol alone. ``largest``: bytes of the largest file that may be read back."""

    def __init__(self, account: Account, hands: Hands, limiter: Limiter, largest: int | None) -> None:
        self._account = account
        self._hands = hands
        self._limiter = limiter
        self._largest = largest

    async def beside(self, source: Path, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> list[FileRecord]:
        """Compare with the local files, whose records have ``sha256``; a local file that has changed is read back.

        rsync reads both sides and compares a checksum of the whole file; what it calls equal has our digest.
        """
        still, changed = await self._hands.aside(lambda: _split(source, records))
        equal = await self.equal(source, folder, [record.rel for record in still], pulse)
        again, moved = await self._hands.aside(lambda: _split(source, still))
        proven = [
            _with(it, it.sha256, EvidenceLevel.RSYNC_CHECKSUM) if it.rel in equal else _with(it, None, None)
            for it in again
        ]
        # a checksum only says that they differ: what is there is read, so that it can be said what
        different = [it.rel for it in proven if it.far_sha256 is None]
        left = [it for it in again if it.rel in set(different)] + moved + changed
        done = {it.rel: it for it in proven if it.far_sha256 is not None}
        done |= {it.rel: it for it in await self.read_back(folder, left, pulse)}
        pulse.checked_bytes += sum(it.size for it in again if it.rel in equal)
        return [done[record.rel] for record in records]

    async def equal(self, source: Path, folder: str, rels: Sequence[str], pulse: Pulse) -> set[str]:
        """Which of these files are there and the same, as rsync says of each by name."""
        if not rels:
            return set()
        pulse.current = rels[0]
        ended = await self._account.rsync(
            ("-ncii", "--out-format=%i %n"),
            f"{source}/",
            self._account.argument(folder),
            names=rels,
            good=(0, NOT_ALL),
        )
        return itemised(ended.out, b".f")

    async def read_back(self, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> list[FileRecord]:
        """Fetch files and hash them here, a bounded amount at a time; an absent one has no digest."""
        done: list[FileRecord] = []
        batch: list[FileRecord] = []
        for record in records:
            self._refuse(record)
            if batch and sum(it.size for it in batch) + record.size > _AT_ONCE:
                done += await self._fetch(folder, batch, pulse)
                batch = []
            batch.append(record)
        return done + (await self._fetch(folder, batch, pulse) if batch else [])

    def _refuse(self, record: FileRecord) -> None:
        room = shutil.disk_usage(self._account.room()).free // 2
        largest = room if self._largest is None else min(room, self._largest)
        if record.size > largest:
            raise TransportError(
                f"{safe_text(record.rel)} has {size(record.size)}, and {self._account.access.title} can only be proved"
                f" by reading it back, for which there is room and leave up to {size(largest)} (verify.max_stream_bytes"
                " and the temporary folder of this PC).",
                TransportErrorKind.OVERSIZE,
            )

    async def _fetch(self, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> list[FileRecord]:
        place = self._account.fresh("fetched")
        rate = self._limiter.rate
        limit = () if rate is None else (f"--bwlimit={max(rate, 1)}",)
        try:
            await self._account.rsync(
                ("-d", "--no-implied-dirs", *limit),
                self._account.argument(),
                f"{place}/",
                names=[f"{folder}/{record.rel}" for record in records],
                good=(0, NOT_ALL),
                hear=lambda _: None,
            )
            found = await self._hands.aside(lambda: [_digest(place / folder / record.rel) for record in records])
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        pulse.checked_bytes += sum(it.size for it, digest in zip(records, found, strict=True) if digest)
        rung = EvidenceLevel.READ_BACK
        return [_with(it, digest, rung if digest else None) for it, digest in zip(records, found, strict=True)]


def itemised(told: bytes, kind: bytes) -> set[str]:
    """The files of which rsync says *kind*: ``.f`` the same, ``hf`` made as a hard link."""
    return {plain(line[_ITEM:]) for line in told.split(b"\n") if line.startswith(kind)}


def _split(source: Path, records: Sequence[FileRecord]) -> tuple[list[FileRecord], list[FileRecord]]:
    """Those whose local files are as their records say and that have a digest, and the others."""
    left = list(records)
    try:
        near = Near(source)
    except TransportError:
        return [], left
    with near:
        same = [it for it in left if it.sha256 is not None and near.unchanged(Hashed([it])).trouble is None]
    known = {record.rel for record in same}
    return same, [record for record in left if record.rel not in known]


def _digest(path: Path) -> bytes | None:
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _with(record: FileRecord, digest: bytes | None, rung: EvidenceLevel | None) -> FileRecord:
    return record._replace(far_sha256=digest, rung=rung)
