"""What is open towards one SSH account? The control channel, and the quickest way for the bulk that was found there."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import asyncssh

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import MARKER_NAME
from exlab_sync_tui.transport.marker import identity_in, refuse_other
from exlab_sync_tui.transport.sentences import away, far_error
from exlab_sync_tui.transport.sftp.files import FarFiles
from exlab_sync_tui.transport.sftp.session import Session
from exlab_sync_tui.transport.sftp.streamed import StreamedWay
from exlab_sync_tui.transport.sftp.written import WrittenWay
from exlab_sync_tui.transport.ssh.hashing import FarHasher, NoHasherError
from exlab_sync_tui.transport.ssh.stream import NoAgentError, Stream
from exlab_sync_tui.transport.ssh.streams import Streams, most_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Identity, Pulse, PushPlan, RemoteEntry
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.sftp.session import Space
    from exlab_sync_tui.transport.ssh.access import SshAccess

_Result = TypeVar("_Result")


class Link:
    """One connection and what hangs on it. A bulk way that was broken off is opened again where it is needed."""

    def __init__(
        self,
        session: Session,
        limiter: Limiter,
        coming: asyncio.Task[Stream] | None,
        largest: int | None,
        connections: int,
    ) -> None:
        self._largest = largest
        self._connections = connections
        self.session = session
        self.files = FarFiles(session)
        self._limiter = limiter
        self._stamp: tuple[int, int] | None = None
        self._identity: Identity | None = None
        self._marker = b""
        self._opening = asyncio.Lock()
        self._way: StreamedWay | WrittenWay | None = None
        self._hasher: FarHasher | None = None
        self._shell_root = b""
        self._why_not = ""
        self._coming = coming

    @classmethod
    async def open(cls, access: SshAccess, limiter: Limiter, largest: int | None, connections: int) -> Link:
        """Connect; the stream, which most will need, is opened at the same time. Raises ``TransportError``."""
        coming = asyncio.create_task(Stream.open(access, limiter))
        try:
            return cls(await Session.open(access), limiter, coming, largest, connections)
        except BaseException:
            await _let_go(coming)
            raise

    @property
    def alive(self) -> bool:
        """Whether the control channel can still be used."""
        return self.session.alive

    @property
    def manner(self) -> str:
        """How the bulk travels and is proved, for a person."""
        cipher = self.session.cipher.partition("@")[0]
        if isinstance(self._way, StreamedWay):
            how = "a stream that the NAS's own Python unpacks and hashes"
            if (most := self._way.streams.most) > 1:
                how += f", up to {most} of them at once"
        elif self._hasher is not None:
            tool = " ".join(self._hasher.tool.split()[:2])
            how = f"SFTP writes, hashed there by {tool}"
        else:
            how = f"SFTP writes, read back over the connection (no commands there: {self._why_not})"
        return f"{self.session.server}, {cipher}, {how}"

    async def identity(self) -> Identity | None:
        """What the marker says. ``NETWORK`` if the remote root is not there at all."""
        access = self.session.access
        stamp, content = await self.asked("", _both(self.files.stamp(), self.files.marker()))
        if content is None and not await self.asked("", self.files.root_is_there()):
            raise away(access.title, "the folder is not there")
        self._identity = identity_in(content, access.title)
        self._marker = content or b""
        self._stamp = stamp
        return self._identity

    async def check(self, expected: str | None) -> None:
        """Make sure that the marker is there, and the *expected* one; it is read again whenever it looks different."""
        stamp = await self.asked("", self.files.stamp())
        if stamp is None or stamp != self._stamp:
            await self.identity()
        refuse_other(self._identity, expected, self.session.access.title)

    async def space(self) -> Space | None:
        """Room there, where the server tells."""
        return await self.asked("", self.session.space())

    async def asked(self, rel: str, work: Coroutine[None, None, _Result]) -> _Result:
        """Do something over the control channel; what goes wrong becomes a sentence about *rel*."""
        try:
            return await work
        except (asyncssh.Error, OSError) as error:
            raise await self.explained(error, rel) from error

    async def explained(self, error: asyncssh.Error | OSError, rel: str) -> TransportError:
        """The sentence; an ``OSError`` with a number of its own is the far side's."""
        if isinstance(error, OSError) and error.errno and not isinstance(error, TimeoutError) and self.alive:
            return await self._far(error, rel)
        return await self.session.explained(error, rel, naming=True)

    async def _far(self, error: OSError, rel: str) -> TransportError:
        space = None
        with suppress(asyncssh.Error, OSError):
            space = await self.session.space()
        return far_error(error, self.session.access.title, rel, free=space.free if space else None, naming=True)

    async def way(self) -> StreamedWay | WrittenWay:
        """The quickest way that works there, open. Only asked for once the marker is known to be there."""
        async with self._opening:
            if self._way is None or (isinstance(self._way, StreamedWay) and not self._way.alive):
                self._way = await self._found_way()
            return self._way

    @property
    def rung(self) -> EvidenceLevel | None:
        """What digests stand on, as far as that is known."""
        if self._way is None:
            return None
        return EvidenceLevel.REMOTE_HASH if isinstance(self._way, StreamedWay) else self._way.rung

    async def _found_way(self) -> StreamedWay | WrittenWay:
        """The marker tells where the account's commands find the folder that SFTP shows."""
        access, marker = self.session.access, self._marker
        try:
            first = await self._stream()
            most = self._connections or most_for(self.session.round_trip)
            return StreamedWay(Streams(first, self._stream_beside, most), access.title, self.explained)
        except NoAgentError as error:
            self._why_not = safe_text(error)
        try:
            self._hasher = await FarHasher.open(access, os.fsdecode(self.session.root), MARKER_NAME, marker)
        except (NoHasherError, TransportError) as error:
            self._why_not = safe_text(error)
        return WrittenWay(
            self.session, self.files, self._limiter, self._hasher, explain=self.explained, largest=self._largest
        )

    async def _stream(self) -> Stream:
        coming, self._coming = self._coming, None
        stream = await (coming or Stream.open(self.session.access, self._limiter))
        self._shell_root = await self._root_of(stream)
        return stream

    async def _stream_beside(self) -> Stream:
        stream = await Stream.open(self.session.access, self._limiter)
        if await self._root_of(stream) != self._shell_root:
            await stream.end()
            raise NoAgentError("another login finds the folder elsewhere")
        return stream

    async def _root_of(self, stream: Stream) -> bytes:
        """Where the agent finds the folder that SFTP shows; one that does not find it is ended."""
        try:
            return await stream.where(self.session.root, os.fsencode(MARKER_NAME), self._marker)
        except BaseException:
            await stream.end()
            raise

    def _place(self, folder: str) -> bytes:
        return self._shell_root + b"\0" + os.fsencode(folder)

    async def push(self, plan: PushPlan) -> AsyncGenerator[list[FileRecord], None]:
        """Send a plan by the quickest way; broken off, it ends at once and what is there stays."""
        way = await self.way()
        pages = way.push(plan, self._place(plan.folder)) if isinstance(way, StreamedWay) else way.push(plan)
        return self._bulk(pages, plan.folder)

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[list[FileRecord], None]:
        """Fresh digests by the same way."""
        way = await self.way()
        if isinstance(way, StreamedWay):
            return self._bulk(way.digests(self._place(folder), folder, records, pulse), folder)
        return self._bulk(way.digests(folder, records, pulse), folder)

    async def pages(self, folder: str) -> AsyncGenerator[list[RemoteEntry], None]:
        """A listing; by the agent where there is one."""
        way = await self.way()
        if isinstance(way, StreamedWay):
            return self._bulk(way.pages(self._place(folder)), folder)
        return self._bulk(self.files.pages(folder), folder)

    async def _bulk(self, pages: AsyncGenerator[list[_Result], None], rel: str) -> AsyncGenerator[list[_Result], None]:
        """Pass pages on; a way that is left in the middle is of no use any more."""
        whole = False
        try:
            async for page in pages:
                yield page
            whole = True
        except (asyncssh.Error, OSError) as error:
            raise await self.explained(error, rel) from error
        finally:
            await pages.aclose()
            if not whole:
                await self.drop_way()

    async def flush(self, folder: str) -> None:
        """Make renames and folders there outlast a power cut, where a command may be run."""
        way = self._way
        if isinstance(way, StreamedWay) and way.alive:
            await self.asked(folder, way.flush(self._place(folder)))
        elif self._hasher is not None:
            await self._hasher.flush()

    async def drop_way(self) -> None:
        """End the bulk way; the next one is opened where it is needed."""
        way, self._way = self._way, None
        hasher, self._hasher = self._hasher, None
        if isinstance(way, StreamedWay):
            await way.streams.end()
        if hasher is not None:
            await hasher.close()

    async def close(self) -> None:
        """End everything; idempotent."""
        coming, self._coming = self._coming, None
        if coming is not None:
            await _let_go(coming)
        await self.drop_way()
        await self.session.close()


async def _let_go(coming: asyncio.Task[Stream]) -> None:
    """End a stream that nobody needs, whether it is open yet or not."""
    coming.cancel()
    [stream] = await asyncio.gather(coming, return_exceptions=True)
    if isinstance(stream, Stream):
        await stream.end()


async def _both(
    first: Coroutine[None, None, tuple[int, int] | None], second: Coroutine[None, None, bytes | None]
) -> tuple[tuple[int, int] | None, bytes | None]:
    """The first is asked for first: a marker that changes in between is then read again."""
    return await asyncio.gather(first, second)
