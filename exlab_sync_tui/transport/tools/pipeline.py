"""How do the files of a plan get into an assembly through a tool, and when is one whole?

Batch by batch: the tool copies one while its local digests are taken, and the far digests of a batch are asked for
while the next is on its way. A record comes out once its far digest is known. What an earlier attempt left, perhaps cut
off, is compared by size and digest, and sent again if it differs.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.transport.tools.batches import batches
from exlab_sync_tui.transport.tools.near import Hashed, Near

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import PushPlan
    from exlab_sync_tui.transport.mount.aside import Hands


class FarSide(Protocol):
    """What a pipeline asks of the tool, about the assembly of its plan. Raises ``TransportError``."""

    async def present(self) -> dict[str, int]:
        """Path and size of every file that is there already."""
        ...

    def refuse(self, batch: Sequence[FileRecord]) -> None:
        """Raise if a file of the batch cannot be sent or proved there at all."""
        ...

    async def replace(self, rels: Sequence[str]) -> None:
        """These files are there and differ: make way for them, if the tool does not do that itself."""
        ...

    async def copy(self, records: Sequence[FileRecord]) -> None:
        """Send these files; counts the bytes into the pulse."""
        ...

    async def prove(self, records: Sequence[FileRecord]) -> Sequence[FileRecord]:
        """The records, which have ``sha256``, with the digests that the destination has now."""
        ...


class Pipeline:
    """One plan on its way."""

    def __init__(self, plan: PushPlan, far: FarSide, hands: Hands) -> None:
        self._plan = plan
        self._far = far
        self._hands = hands
        self._there: dict[str, int] = {}
        self._ready: asyncio.Queue[Hashed | None] = asyncio.Queue(maxsize=1)

    async def records(self) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Proven records as they come; the first trouble is raised once what came before it has been yielded."""
        self._there = await self._far.present()
        sending = asyncio.create_task(self._send_all())
        try:
            while (sent := await self._ready.get()) is not None:
                fresh = [record for record in sent.records if record.far_sha256 is None]
                proven = await self._far.prove(fresh) if fresh else ()
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
            near = await self._hands.aside(lambda: Near(self._plan.source), late=Near.close)
            try:
                async with aclosing(batches(self._plan.pages)) as found:  # type: ignore[type-var]  # a generator
                    async for batch in found:
                        sent = await self._send(near, batch)
                        await self._ready.put(sent)
                        if sent.trouble is not None:
                            return
            finally:
                near.stop()
                self._hands.aside(near.close)
        finally:
            await self._ready.put(None)

    async def _send(self, near: Near, batch: list[FileRecord]) -> Hashed:
        self._far.refuse(batch)
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
            await self._far.replace(stale)
        refusal = await self._copied(left)
        hashed = await hashing
        hashed = await self._hands.aside(lambda: near.unchanged(hashed))
        if refusal is not None and hashed.trouble is None:
            raise refusal
        proven = {record.rel: record for record in done}
        return Hashed([proven.get(record.rel, record) for record in hashed.records], hashed.trouble)

    async def _copied(self, records: list[FileRecord]) -> TransportError | None:
        """Send them. What the tool says counts less than what is found here: a file that is gone fails both."""
        try:
            if records:
                await self._far.copy(records)
        except TransportError as error:
            return error
        return None

    async def _compared(self, candidates: list[FileRecord]) -> list[FileRecord]:
        """Those that are there already, whole; what is compared is not sent again."""
        proven = [record for record in await self._far.prove(candidates) if record.proven]
        self._plan.pulse.skipped_bytes += sum(record.size for record in proven)
        return proven
