"""How does a run get onto a NAS over SSH, and how is it proved there? (``ARCHITECTURE.md`` decision 7)

asyncssh is loaded in a thread as soon as there is a transport: who only looks at the store does not pay for it.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.transport.base import MARKER_NAME, Capabilities, DestinationState
from exlab_sync_tui.transport.marker import marker_text
from exlab_sync_tui.transport.sentences import away

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Identity, Owner, Pulse, PushPlan, RemoteEntry
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.sftp.link import Link
    from exlab_sync_tui.transport.ssh.access import SshAccess

_Result = TypeVar("_Result")
_LINK = "exlab_sync_tui.transport.sftp.link"


@dataclass(frozen=True, slots=True)
class SftpOptions:
    """One account, and how long a connection that nobody uses stays open, in seconds.

    ``max_stream_bytes``: the largest file that may be read back, where nothing else can prove it. ``connections``: how
    many may carry the bulk; 0 chooses by the line.
    """

    access: SshAccess
    max_stream_bytes: int | None = None
    connections: int = 0
    probe_seconds: float = 10.0
    idle_seconds: float = 30.0


class SftpTransport:
    """The ``Transport`` for an SSH account with SFTP; whatever else the account allows is found out and used.

    One connection serves everything small, and is opened anew when it was lost. The marker is looked at before
    anything is written.
    """

    def __init__(self, options: SftpOptions, limiter: Limiter) -> None:
        self._options = options
        self._limiter = limiter
        self._expected: str | None = None
        self._seen: str | None = None
        self._link: Link | None = None
        self._connecting = asyncio.Lock()
        self._users = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        threading.Thread(target=import_module, args=(_LINK,), name="loading", daemon=True).start()

    @property
    def title(self) -> str:
        """``lab@nas01:/srv/lab``."""
        return self._options.access.title

    def expect(self, identity: str) -> None:
        """Work only on the destination with this id; before, the one that the last probe or ``adopt`` saw is meant."""
        self._expected = identity

    async def probe(self) -> DestinationState:
        """Marker, space, and what was found out about the account, within ``probe_seconds``, else ``NETWORK``."""
        try:
            async with asyncio.timeout(self._options.probe_seconds):
                return await self._seen_anew()
        except TimeoutError:
            await self._drop()
            raise away(self.title, f"no answer within {self._options.probe_seconds:g} s") from None

    async def _seen_anew(self) -> DestinationState:
        """A connection that was lost since it was last used says nothing of the destination: a new one does."""
        before = self._link
        try:
            return await self._with_link(self._look)
        except TransportError:
            if before is None or before.alive:
                raise
        return await self._with_link(self._look)

    async def _look(self, link: Link) -> DestinationState:
        identity, space = await asyncio.gather(link.identity(), link.space())
        capabilities = Capabilities(max_name_bytes=space.longest_name) if space else Capabilities()
        if identity is not None:
            self._seen = identity.id
            await link.way()
            capabilities = replace(capabilities, rung=link.rung, manner=link.manner)
        free, total = (space.free, space.total) if space else (None, None)
        return DestinationState(identity, free, total, capabilities)

    async def adopt(self, identity: Identity) -> Identity:
        """Write the marker if there is none; the root itself has to be there."""

        async def write(link: Link) -> Identity:
            found = await link.identity()
            if found is None:
                await link.asked(MARKER_NAME, link.files.write_new(MARKER_NAME, marker_text(identity)))
                found = await link.identity()
            return found or identity

        found = await self._with_link(write)
        self._seen = found.id
        return found

    async def find(self, folder: str) -> RemoteEntry | None:
        """What lies at this path, links not followed."""
        return await self._there(folder, lambda link: link.files.find(folder), reading=True)

    def list(self, folder: str) -> AsyncGenerator[Sequence[RemoteEntry], None]:
        """Everything below a far folder in the order of path bytes, in pages."""
        return self._pages(lambda link: link.pages(folder))

    async def open_incoming(self, incoming: str, owner: Owner) -> Capabilities:
        """Make ``<incoming>/run`` and the owner file, or take our own up again; try out names there."""

        async def open_and_try(link: Link) -> Capabilities:
            await link.asked(incoming, link.files.open_incoming(incoming, owner))
            rules, _ = await asyncio.gather(link.asked(incoming, link.files.name_rules(incoming)), link.way())
            return replace(rules, rung=link.rung, manner=link.manner)

        return await self._there(incoming, open_and_try)

    def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Send the plan; records come flushed, and with their far digests."""
        return self._pages(lambda link: link.push(plan))

    def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Have files hashed there, or read them back; an absent one has ``far_sha256=None``."""
        return self._pages(lambda link: link.digests(folder, records, pulse))

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly of ours; absent ones are fine."""
        await self._there(folder, lambda link: link.files.discard(folder, rels))

    async def make_folders(self, folder: str, rels: Sequence[str]) -> None:
        """Make these folders below *folder*; those that exist are fine."""
        await self._there(folder, lambda link: link.files.make_folders(folder, rels))

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file atomically, replacing our own older one; durably where the server can."""
        await self._there(f"{folder}/{rel}", lambda link: link.files.write(folder, rel, data))

    async def read_text(self, folder: str, rel: str, *, limit: int = 64 << 20) -> bytes | None:
        """A small file's bytes; ``UNKNOWN`` if there are more than *limit*."""
        place = f"{folder}/{rel}"
        return await self._there(place, lambda link: link.files.read(place, limit), reading=True)

    async def publish(self, assembled: str, final: str) -> None:
        """Flush, rename without replacing anything, flush again; the flushes where the account runs commands."""

        async def rename(link: Link) -> None:
            above = final.rpartition("/")[0]
            await link.flush(above)
            await link.asked(final, link.files.move(assembled, final))
            await link.flush(above)

        await self._there(final, rename)

    async def publish_file(self, assembled: str, final: str, rel: str) -> None:
        """Move one assembled file into a published run without replacing anything."""

        async def move(link: Link) -> None:
            below = rel.rpartition("/")[0]
            if below:
                await link.files.make_folders(final, [below])
            await link.files.move(f"{assembled}/{rel}", f"{final}/{rel}")

        await self._there(f"{final}/{rel}", move)

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove what is left of our own incoming folder; one of another owner is left alone."""
        await self._there(incoming, lambda link: link.files.remove_incoming(incoming, owner))

    async def close(self) -> None:
        """End connections and children; idempotent."""
        await self._drop()
        await asyncio.gather(*self._ending)

    async def _there(self, rel: str, work: Callable[[Link], Awaitable[_Result]], *, reading: bool = False) -> _Result:
        """Do something on the destination once its marker has been recognised; only *reading* need not wait for it."""
        if reading and self._link is not None and self._link.alive:
            return await self._meanwhile(rel, work)
        link = await self._enter(recognise=True)
        try:
            return await link.asked(rel, _awaited(work(link)))
        finally:
            self._leave()

    async def _meanwhile(self, rel: str, work: Callable[[Link], Awaitable[_Result]]) -> _Result:
        """Read, and look at the marker at the same time; what was read counts only if the marker is right."""
        link = await self._enter()
        try:
            reading = asyncio.ensure_future(link.asked(rel, _awaited(work(link))))
            try:
                if not await self._still_good(link, recognise=True):
                    return await self._there(rel, work)
                return await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        finally:
            self._leave()

    async def _with_link(self, work: Callable[[Link], Awaitable[_Result]]) -> _Result:
        link = await self._enter()
        try:
            return await work(link)
        finally:
            self._leave()

    async def _pages(
        self, work: Callable[[Link], Awaitable[AsyncGenerator[Sequence[_Result], None]]]
    ) -> AsyncGenerator[Sequence[_Result], None]:
        link = await self._enter(recognise=True)
        try:
            pages = await work(link)
            try:
                async for page in pages:
                    yield page
            finally:
                await pages.aclose()
        finally:
            self._leave()

    async def _enter(self, *, recognise: bool = False) -> Link:
        """The open connection, or a new one; with *recognise* only if the marker there is the right one."""
        self._users += 1
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            async with self._connecting:
                if self._link is not None and not await self._still_good(self._link, recognise=recognise):
                    await self._drop()
                if self._link is None:
                    module = await asyncio.to_thread(import_module, _LINK)
                    options = self._options
                    self._link = link = await module.Link.open(
                        options.access, self._limiter, options.max_stream_bytes, options.connections
                    )
                    if recognise:
                        await link.check(self._expected or self._seen)
                return self._link
        except BaseException:
            self._users -= 1
            raise

    async def _still_good(self, link: Link, *, recognise: bool) -> bool:
        """Whether a connection that was left open can be used: it may have been lost since without a sign."""
        try:
            if recognise and link.alive:
                await link.check(self._expected or self._seen)
        except TransportError:
            if link.alive:
                raise
        return link.alive

    def _leave(self) -> None:
        """Nobody uses it any more: it is ended after a while, so that an idle lab has no connection open."""
        self._users -= 1
        if not self._users and self._link is not None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(self._options.idle_seconds, self._rest)

    def _rest(self) -> None:
        if not self._users:
            ending = asyncio.get_running_loop().create_task(self._drop())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _drop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        link, self._link = self._link, None
        if link is not None:
            await link.close()


async def _awaited(work: Awaitable[_Result]) -> _Result:
    return await work
