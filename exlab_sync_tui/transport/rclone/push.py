"""How do the files of a plan get into an assembly through rclone, and when is one whole?

Batch by batch: rclone copies a batch while its local digests are taken, and the far digests of one batch are asked for
while the next is on its way. A record comes out once its far digest is known. What an earlier attempt left, under its
final name and perhaps cut off, is compared by size and digest, and taken away if it differs.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.rclone.names import standard
from exlab_sync_tui.transport.rclone.remote import Counted
from exlab_sync_tui.transport.tools.batches import batches
from exlab_sync_tui.transport.tools.near import Hashed, Near

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import PushPlan
    from exlab_sync_tui.transport.mount.aside import Hands
    from exlab_sync_tui.transport.rclone.remote import Remote
    from exlab_sync_tui.transport.rclone.workroom import Workroom

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Proving:
    """How far digests are got, and the largest file (bytes) that may be read back for one."""

    prove: Callable[[Sequence[FileRecord]], Awaitable[Sequence[FileRecord]]]
    largest: int | None


class Push:
    """One plan on its way."""

    def __init__(self, remote: Remote, workroom: Workroom, plan: PushPlan, proving: Proving, hands: Hands) -> None:
        self._remote = remote
        self._workroom = workroom
        self._plan = plan
        self._proving = proving
        self._hands = hands
        self._there: dict[str, int] = {}
        self._ready: asyncio.Queue[Hashed | None] = asyncio.Queue(maxsize=1)

    async def records(self) -> AsyncGenerator[list[FileRecord], None]:
        """Proven records as they come; the first trouble is raised once what came before it has been yielded."""
        if not await self._remote.is_empty(self._plan.folder):
            found = await self._remote.everything(self._plan.folder)
            self._there = {entry.rel: entry.size for entry in found if entry.kind == EntryKind.FILE}
        sending = asyncio.create_task(self._send_all())
        try:
            while (sent := await self._ready.get()) is not None:
                fresh = [record for record in sent.records if record.far_sha256 is None]
                proven = await self._proving.prove(fresh) if fresh else ()
                self._plan.pulse.files_done += len(sent.records)
                if page := [*(it for it in sent.records if it.far_sha256 is not None), *proven]:
                    yield page
                if sent.trouble is not None:
                    raise sent.trouble
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_all(self) -> None:
        try:
            with await self._hands.aside(lambda: Near(self._plan.source), late=Near.close) as near:
                try:
                    async with aclosing(batches(self._plan.pages)) as found:  # type: ignore[type-var]  # a generator
                        async for batch in found:
                            sent = await self._send(near, batch)
                            await self._ready.put(sent)
                            if sent.trouble is not None:
                                return
                finally:
                    near.stop()
        finally:
            await self._ready.put(None)

    async def _send(self, near: Near, batch: list[FileRecord]) -> Hashed:
        self._refuse(batch)
        hashing = self._hands.aside(lambda: near.hashed(batch))
        done: list[FileRecord] = []
        left = batch
        if any(self._there.get(record.rel) == record.size for record in batch):
            hashed = await hashing
            done = await self._compared([it for it in hashed.records if self._there.get(it.rel) == it.size])
            here = {record.rel for record in done}
            left = [record for record in hashed.records if record.rel not in here]
        stale = [record.rel for record in left if record.rel in self._there]
        if stale:
            await self._workroom.delete(self._plan.folder, stale)
        if left:
            await self._copy(left)
        hashed = await hashing
        hashed = await self._hands.aside(lambda: near.unchanged(hashed))
        proven = {record.rel: record for record in done}
        return Hashed([proven.get(record.rel, record) for record in hashed.records], hashed.trouble)

    async def _compared(self, candidates: list[FileRecord]) -> list[FileRecord]:
        """Those that are there already, whole; what is compared is not sent again."""
        proven = [record for record in await self._proving.prove(candidates) if record.proven]
        self._plan.pulse.skipped_bytes += sum(record.size for record in proven)
        return proven

    async def _copy(self, records: Sequence[FileRecord]) -> None:
        group = f"push-{next(_numbers)}"
        control = await self._remote.daemon.control()
        counted = Counted(self._plan.pulse, "sent_bytes")
        with self._workroom.entrance(self._plan.source) as source, self._workroom.names(records) as names:
            async with self._remote.daemon.watching(control, counted.see, group):
                await control.call(
                    "sync/copy",
                    srcFs=source,
                    dstFs=self._remote.fs_of(self._plan.folder),
                    _group=group,
                    _filter={"FilesFromRaw": [names]},
                    _config={"NoCheckDest": True},
                )
        counted.reach(sum(record.size for record in records))

    def _refuse(self, batch: Sequence[FileRecord]) -> None:
        for record in batch:
            standard(record.rel)
            refuse_oversize(record, self._proving.largest, self._remote.title)


def refuse_oversize(record: FileRecord, largest: int | None, title: str) -> None:
    """``OVERSIZE`` for a file that would have to be read back although it is larger than *largest* bytes."""
    if largest is not None and record.size > largest:
        raise TransportError(
            f"{safe_text(record.rel)} has {size(record.size)}, and {title} can only be proved by reading back, which"
            f" verify.max_stream_bytes allows up to {size(largest)}; raise it, or use another transport.",
            TransportErrorKind.OVERSIZE,
        )


def with_far(record: FileRecord, digest: bytes | None, rung: object) -> FileRecord:
    """The record with what the destination says of it now."""
    return replace(record, far_sha256=digest, rung=rung if digest is not None else None)  # type: ignore[arg-type]
