"""How do pages of records become batches for children, and their answers records again?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.copier.child import as_parts
from exlab_sync_tui.transport.copier.large import LARGE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from exlab_sync_tui.transport.base import Pulse
    from exlab_sync_tui.transport.copier.child import Child
    from exlab_sync_tui.transport.copier.wire import Outcome, Told
    from exlab_sync_tui.transport.mount.children import Crew

_RUNGS = {level.value: level for level in EvidenceLevel}
BATCH_FILES = 128
BATCH_BYTES = 16 << 20
_UNREAD = 64
"""Batches that may be under way or answered and not yet taken, so that a slow reader does not fill the memory."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What children are asked to do with every batch: ``("send", near, far)`` or ``("check", far)``."""

    words: tuple[str, ...]
    pulse: Pulse
    error: Callable[[Told], Awaitable[TransportError]]


def batches(records: Sequence[FileRecord]) -> Iterator[list[FileRecord]]:
    """Cut a page, in its order, into batches of few bytes or one large file."""
    batch: list[FileRecord] = []
    filled = 0
    for record in records:
        if batch and (filled + record.size > BATCH_BYTES or len(batch) == BATCH_FILES):
            yield batch
            batch, filled = [], 0
        batch.append(record)
        filled += record.size
    if batch:
        yield batch


async def relay(
    crew: Crew, pages: AsyncIterator[Sequence[FileRecord]], errand: Errand
) -> AsyncGenerator[list[FileRecord], None]:
    """Hand out batches and yield the answered records as they come, in no order.

    The first trouble ends it: what was answered until then is yielded first, then the error is raised.
    """
    work = _Work(crew, errand)
    producer = asyncio.create_task(work.hand_out(pages))
    try:
        while (answered := await work.next_answer()) is not None:
            if answered:
                yield answered
        await producer
    finally:
        await work.stop(producer)


class _Work:
    def __init__(self, crew: Crew, errand: Errand) -> None:
        self._crew = crew
        self._errand = errand
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_UNREAD)
        self._trouble: Told | None = None
        self._error: TransportError | None = None
        self._answers: asyncio.Queue[list[FileRecord] | None] = asyncio.Queue()

    async def next_answer(self) -> list[FileRecord] | None:
        """Some answered records; ``None`` once nothing more comes."""
        answer = await self._answers.get()
        self._room.release()
        return answer

    async def hand_out(self, pages: AsyncIterator[Sequence[FileRecord]]) -> None:
        """Give every batch to a child; raises the first error once it is known."""
        try:
            async for page in pages:
                for batch in batches(page):
                    await self._give(batch)
                    if self._failed:
                        break
                if self._failed:
                    break
            while self._running and not self._failed:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            if self._trouble is not None:
                raise await self._errand.error(self._trouble)
            if self._error is not None:
                raise self._error
        finally:
            self._answers.put_nowait(None)

    @property
    def _failed(self) -> bool:
        return self._trouble is not None or self._error is not None

    async def _give(self, batch: list[FileRecord]) -> None:
        large = batch[0].size >= LARGE
        await self._room.acquire()
        child = await self._crew.pick(large=large)
        if not self._failed:
            child.large = large
            task = asyncio.create_task(self._see_through(child, batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            await asyncio.sleep(0)  # lets the task reach the child before the next one is chosen

    async def _see_through(self, child: Child, batch: list[FileRecord]) -> None:
        try:
            outcomes, trouble = await self._crew.do(child, (*self._errand.words, as_parts(batch)), self._errand.pulse)
        except TransportError as error:
            self._error = self._error or error
            return
        self._errand.pulse.files_done += len(outcomes)
        self._answers.put_nowait([_answered(record, it) for record, it in zip(batch, outcomes, strict=False)])
        self._trouble = self._trouble or trouble

    async def stop(self, producer: asyncio.Task[None]) -> None:
        """Leave nothing running, whatever ended the relay."""
        tasks = (producer, *self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _answered(record: FileRecord, outcome: Outcome) -> FileRecord:
    sent, far, rung = outcome
    return FileRecord(
        record.rel,
        record.size,
        record.mtime_ns,
        record.inode,
        sha256=sent or record.sha256,
        far_sha256=far,
        rung=_RUNGS.get(rung),
        published=record.published,
    )
