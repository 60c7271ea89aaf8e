"""How is a run sent through an agent? In batches, some always on their way, each flushed and hashed there."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import EntryKind, FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.sentences import from_child
from exlab_sync_tui.transport.ssh.stream import Sent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from exlab_sync_tui.errors import TransportError
    from exlab_sync_tui.transport.base import Pulse, PushPlan, RemoteEntry
    from exlab_sync_tui.transport.copier.wire import Told
    from exlab_sync_tui.transport.ssh.feeder import Part
    from exlab_sync_tui.transport.ssh.stream import Answer
    from exlab_sync_tui.transport.ssh.streams import Streams

BATCH_FILES = 512
BATCH_BYTES = 16 << 20
_UNDER_WAY = 3


@dataclass(frozen=True, slots=True)
class StreamedWay:
    """Sends and checks through *streams*; ``explain`` makes a sentence of what the far side refuses at a path."""

    streams: Streams
    title: str
    explain: Callable[[OSError, str], Awaitable[TransportError]]

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return self.streams.first.alive

    def pages(self, place: bytes) -> AsyncGenerator[list[RemoteEntry], None]:
        """Everything below the agent's folder *place*."""
        return self.streams.first.pages(place)

    async def flush(self, place: bytes) -> None:
        """Make everything on the file system of *place* outlast a power cut."""
        await self.streams.first.flush(place)

    async def push(self, plan: PushPlan, place: bytes) -> AsyncGenerator[list[FileRecord], None]:
        """Send the plan into the agent's folder *place*; records in their order, flushed and hashed there."""
        standing = Standing(self.pages(place))
        running: deque[asyncio.Task[tuple[list[FileRecord], Sent]]] = deque()
        try:
            async for batch in ended(batches(plan.pages)):
                if batch:
                    there = await standing.of(batch)
                    running.append(asyncio.create_task(self._send(plan, place, batch, there)))
                if len(running) > _UNDER_WAY:
                    self.streams.widen()
                while len(running) > (_UNDER_WAY * len(self.streams.all) if batch else 0):
                    done, error = await self._outcome(plan, running.popleft())
                    if done:
                        yield done
                    if error is not None:
                        raise error
        finally:
            await standing.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def digests(
        self, place: bytes, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[list[FileRecord], None]:
        """Fresh digests of what lies in *place* now."""
        for start in range(0, len(records), BATCH_FILES):
            some = records[start : start + BATCH_FILES]
            answers = await self.streams.first.digests(place, [(record.rel, _WHOLE, -1) for record in some], pulse)
            checked = []
            for record, answer in zip(some, answers, strict=True):
                if answer.error not in (0, errno.ENOENT):
                    raise await self._far(answer.error, f"{folder}/{record.rel}")
                far = None if answer.error else answer.digest
                checked.append(checked_record(record, record.sha256, far))
            pulse.files_done += len(checked)
            pulse.current = some[-1].rel
            yield checked

    async def _send(
        self, plan: PushPlan, place: bytes, batch: list[FileRecord], there: dict[str, int]
    ) -> tuple[list[FileRecord], Sent]:
        wanted = [(record.rel, there[record.rel], record.mtime_ns) for record in batch if record.rel in there]
        found: dict[str, Answer] = {}
        with self.streams.carrying(sum(record.size for record in batch)) as stream:
            if wanted:
                answers = await stream.digests(place, wanted, plan.pulse)
                found = dict(zip((rel for rel, *_ in wanted), answers, strict=True))
            parts = [_part(record, found.get(record.rel)) for record in batch]
            sent = await stream.put(place, os.fspath(plan.source), parts, plan.pulse)
        outcomes = [
            (digest, answer or found[record.rel])
            for record, (digest, answer) in zip(batch, sent.outcomes, strict=False)
        ]
        return batch, Sent([*outcomes], sent.trouble)

    async def _outcome(
        self, plan: PushPlan, task: asyncio.Task[tuple[list[FileRecord], Sent]]
    ) -> tuple[list[FileRecord], TransportError | None]:
        """What of a batch is whole there, and what has kept it from the rest."""
        try:
            batch, sent = await task
        except OSError as error:
            return [], await self.explain(error, plan.folder)
        done: list[FileRecord] = []
        refused: tuple[int, str] | None = None
        for record, (digest, answer) in zip(batch, sent.outcomes, strict=False):
            assert answer is not None  # noqa: S101  # every file has been sent or was there
            if answer.error:
                refused = refused or (answer.error, f"{plan.folder}/{record.rel}")
            else:
                done.append(checked_record(record, digest, answer.digest))
        plan.pulse.files_done += len(done)
        if refused:
            return done, await self._far(*refused)
        return done, self._near(plan, sent.trouble) if sent.trouble else None

    async def _far(self, number: int, path: str) -> TransportError:
        return await self.explain(OSError(number, os.strerror(number)), path)

    def _near(self, plan: PushPlan, trouble: Told) -> TransportError:
        return from_child(trouble, title=self.title, far=plan.folder, near=os.fspath(plan.source), free=None)


_WHOLE = (1 << 63) - 1


async def ended(found: AsyncIterator[list[FileRecord]]) -> AsyncIterator[list[FileRecord]]:
    """All batches, then an empty one."""
    async for batch in found:
        yield batch
    yield []


class Standing:
    """What lies in the assembly already, asked for in the order of path bytes; nothing more is read than is needed."""

    def __init__(self, pages: AsyncGenerator[list[RemoteEntry], None]) -> None:
        self._pages = pages
        self._page: list[RemoteEntry] = []
        self._at = 0
        self._ended = False

    async def of(self, batch: Sequence[FileRecord]) -> dict[str, int]:
        """For each file of the batch that may be continued: how many bytes of it there are."""
        found: dict[str, int] = {}
        wanted = iter(batch)
        record = next(wanted, None)
        while record is not None and (entry := await self._next()) is not None:
            here, there = os.fsencode(record.rel), os.fsencode(entry.rel)
            if there < here:
                self._at += 1
                continue
            if there == here and entry.kind == EntryKind.FILE and min(record.size, 1) <= entry.size <= record.size:
                found[record.rel] = entry.size
            record = next(wanted, None)
        return found

    async def _next(self) -> RemoteEntry | None:
        while self._at == len(self._page) and not self._ended:
            self._page, self._at = await anext(self._pages, []), 0
            self._ended = not self._page
        return None if self._ended else self._page[self._at]

    async def close(self) -> None:
        """Ask for nothing more."""
        await self._pages.aclose()


async def batches(
    pages: AsyncIterator[Sequence[FileRecord]], *, files: int = BATCH_FILES, size: int = BATCH_BYTES
) -> AsyncIterator[list[FileRecord]]:
    """Cut pages, in their order, into batches of few bytes or one large file."""
    async for page in pages:
        for batch in cut(page, files=files, size=size):
            yield batch


def cut(page: Sequence[FileRecord], *, files: int, size: int) -> Iterator[list[FileRecord]]:
    """The batches of one page."""
    batch: list[FileRecord] = []
    filled = 0
    for record in page:
        if batch and (filled + record.size > size or len(batch) == files):
            yield batch
            batch, filled = [], 0
        batch.append(record)
        filled += record.size
    if batch:
        yield batch


def checked_record(record: FileRecord, sent: bytes | None, far: bytes | None) -> FileRecord:
    """The record with both digests; spelled out, because ``replace`` would cost more than all the rest."""
    rung = EvidenceLevel.REMOTE_HASH if far else None
    return FileRecord(record.rel, record.size, record.mtime_ns, record.inode, sent, far, rung, record.published)


def _part(record: FileRecord, found: Answer | None) -> Part:
    there, digest = (0, b"") if found is None or found.error else (found.number, found.digest)
    return record.rel, record.size, record.mtime_ns, record.inode, there, digest
