"""How does a run get onto an SSH server with rsync, and how is it proved there? (``ARCHITECTURE.md`` decision 7)"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport import marker
from exlab_sync_tui.transport.base import ASSEMBLY, MARKER_NAME, Capabilities, DestinationState, Pulse
from exlab_sync_tui.transport.listing import paged
from exlab_sync_tui.transport.mount.aside import Hands
from exlab_sync_tui.transport.rsync.account import Account
from exlab_sync_tui.transport.rsync.compare import Comparison, itemised
from exlab_sync_tui.transport.rsync.far import FarFolder
from exlab_sync_tui.transport.rsync.names import sayable
from exlab_sync_tui.transport.rsync.push import PARTIAL, Sending
from exlab_sync_tui.transport.rsync.shell import Commands
from exlab_sync_tui.transport.sentences import away, taken
from exlab_sync_tui.transport.tools.pipeline import Pipeline
from exlab_sync_tui.transport.tools.rest import Rest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Identity, Owner, PushPlan, RemoteEntry
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.ssh.access import SshAccess

_KNOWN_FOR = 2.0
"""Seconds for which a marker that was seen stands: publishing file by file must not read it before each file."""

_PROBE, _PROBE_IN_OTHER_CASE = "exlab-probe-a", "EXLAB-PROBE-A"
_PROBE_COMPOSED, _PROBE_DECOMPOSED = "exlab-probe-\u00e9", "exlab-probe-e\u0301"


@dataclass(frozen=True, slots=True)
class RsyncOptions:
    """One account. ``lease_fd`` is the engine's lock, which rsync inherits.

    ``max_stream_bytes``: the largest file that may be read back, where nothing else can prove it.
    """

    access: SshAccess
    max_stream_bytes: int | None = None
    lease_fd: int | None = None
    probe_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class _Moved:
    """What became of the files of an assembly that were moved into a final folder together."""

    assembled: str
    final: str
    done: frozenset[str]
    taken: frozenset[str]


class RsyncTransport:
    """The ``Transport`` for the system's rsync over ssh.

    An account that runs commands hashes there and publishes by one rename. One that runs nothing but rsync is proved by
    rsync's whole-file checksum against the local files (``beside`` says where they are; else by reading back) and takes
    files one by one, as hard links to what was assembled, so that nothing is sent twice.
    """

    def __init__(self, options: RsyncOptions, limiter: Limiter) -> None:
        self._options = options
        self._limiter = limiter
        self._hands = Hands()
        self._rest = Rest(self._let_go)
        self._account = Account(options.access, options.lease_fd)
        self._far = FarFolder(self._account)
        self._commands = Commands(self._account)
        self._comparison = Comparison(self._account, self._hands, limiter, options.max_stream_bytes)
        self._sources: dict[str, Path] = {}
        self._moved: _Moved | None = None
        self._empty = ""
        """The assembly in which no earlier attempt can have left anything, since it was just made."""
        self._names: Capabilities | None = None
        self._expected: str | None = None
        self._seen: str | None = None
        self._seen_at = float("-inf")

    @property
    def title(self) -> str:
        """``lab@nas01:/srv/lab``."""
        return self._options.access.title

    def beside(self, source: Path, folders: Sequence[str]) -> None:
        """The run folder here to which these far folders belong."""
        self._sources = dict.fromkeys(folders, source)

    def expect(self, identity: str) -> None:
        """Work only on the destination with this id; before, the one that the last probe or ``adopt`` saw is meant."""
        self._expected = identity
        self._seen_at = float("-inf")

    async def probe(self) -> DestinationState:
        """Marker, space and evidence, within ``probe_seconds``, else ``NETWORK``."""
        try:
            async with asyncio.timeout(self._options.probe_seconds), self._rest.working():
                if await self._account.has_shell():
                    content, free, total = await self._commands.look(MARKER_NAME)
                    identity = marker.identity_in(content, self.title)
                else:
                    identity, free, total = await self._identity(), None, None
                capabilities = await self._capabilities()
        except TimeoutError:
            await self._commands.let_go()
            await self._account.hang_up()
            raise away(self.title, f"no answer within {self._options.probe_seconds:g} s") from None
        if identity is not None:
            self._seen, self._seen_at = identity.id, time.monotonic()
            if identity.id != self._expected:
                self._seen_at = float("-inf")
        return DestinationState(identity, free, total, capabilities)

    async def adopt(self, identity: Identity) -> Identity:
        """Write the marker if there is none; the root itself must be there."""
        async with self._rest.working():
            found = await self._identity()
            if found is None:
                await self._put(MARKER_NAME, marker.marker_text(identity))
                found = await self._identity() or identity
        self._seen = found.id
        return found

    async def find(self, folder: str) -> RemoteEntry | None:
        """What lies at this path."""
        async with self._there():
            return await self._find(folder)

    async def open_incoming(self, incoming: str, owner: Owner) -> Capabilities:
        """Make ``<incoming>/run`` and the owner file, or take our own up again; try out names there, once."""
        marker.incoming_above(incoming)
        sayable(incoming)
        async with self._there():
            if await self._account.has_shell():
                known = await self._commands.open(incoming, marker.owner_text(owner)) or None
            else:
                known = await self._opened(incoming, owner)
            if known is not None and marker.owner_in(known) != owner:
                raise marker.foreign(self.title, incoming)
            self._empty = f"{incoming}/{ASSEMBLY}" if known is None else ""
            if self._names is None:
                self._names = await self._tried_out(incoming)
            return self._names

    async def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Send the plan batch by batch; records come once their far digests are known."""
        async with self._there():
            self._sources[plan.folder] = plan.source
            self._moved = None
            is_empty, self._empty = self._empty == plan.folder, ""

            async def prove(records: Sequence[FileRecord]) -> Sequence[FileRecord]:
                return await self._proven(plan.folder, records, plan.pulse)

            far = None if is_empty else self._far
            sending = Sending(self._account, far, plan, self._limiter, prove)
            async with self._killing_unless_done(), aclosing(Pipeline(plan, sending, self._hands).records()) as pages:
                async for page in pages:
                    yield page

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Fresh digests of far files; an absent one has ``far_sha256=None``."""
        async with self._there(), self._killing_unless_done():
            yield await self._proven(folder, records, pulse)

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly of ours; absent ones are fine."""
        marker.refuse_outside(folder)
        async with self._there():
            partial = {above for above, slash, _ in (rel.rpartition("/") for rel in rels) if above.endswith(PARTIAL)}
            await self._far.remove(folder, [*rels, *sorted(partial)])

    async def make_folders(self, folder: str, rels: Sequence[str]) -> None:
        """Make these folders below *folder*; those that exist are fine."""
        async with self._there():
            if rels:
                await self._far.put({}, [f"{folder}/{rel}" if folder else rel for rel in rels])

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file atomically, replacing our own older one."""
        async with self._there():
            await self._put(f"{folder}/{rel}", data)

    async def read_text(self, folder: str, rel: str, *, limit: int = 64 << 20) -> bytes | None:
        """A small file's bytes; ``UNKNOWN`` if there are more than *limit*."""
        async with self._there():
            return await self._read(f"{folder}/{rel}", limit)

    async def publish(self, assembled: str, final: str) -> None:
        """Flush and rename over there without replacing anything."""
        async with self._there():
            if not await self._account.has_shell():
                raise TransportError(
                    f"{self.title} runs nothing but rsync, which cannot rename a folder; it takes files one by one.",
                    TransportErrorKind.SET_UP,
                )
            await self._commands.publish(sayable(assembled), sayable(final))

    async def publish_file(self, assembled: str, final: str, rel: str) -> None:
        """Move an assembled file into a published run without replacing anything.

        The first one takes all files of the assembly along, since each errand costs a program's start on both sides.
        """
        async with self._there():
            moved = self._moved
            if moved is None or (moved.assembled, moved.final) != (assembled, final) or rel not in moved.done:
                moved = self._moved = await self._move_all(assembled, final)
            if rel in moved.done:
                return
            if rel in moved.taken or await self._far.find(f"{final}/{rel}") is not None:
                raise taken(f"{self.title}/{safe_text(final)}/{safe_text(rel)}")
            raise TransportError(
                f"{self.title}/{safe_text(assembled)}/{safe_text(rel)} is not there any more; it is sent again.",
                TransportErrorKind.HASH_MISMATCH,
            )

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove our own incoming folder, its owner file last, then an ``.exlab-incoming`` that is empty."""
        above = marker.incoming_above(incoming)
        async with self._there():
            if await self._find(incoming) is None:
                return
            content = await self._read(marker.owner_path(incoming), marker.OWNER_LIMIT)
            if content is not None and marker.owner_in(content) != owner:
                return
            if content is None and await self._far.everything(incoming):
                return
            await self._far.remove("", [f"{incoming}/{ASSEMBLY}"], whole=True)
            await self._far.remove("", [incoming], whole=True)
            if not await self._far.everything(above):
                await self._far.remove("", [above])

    async def list(self, folder: str) -> AsyncGenerator[Sequence[RemoteEntry], None]:
        """Everything below a far folder in the order of path bytes, in pages; empty ones first, as signs of life."""

        async def everything(alive: Callable[[], None]) -> Sequence[RemoteEntry]:
            async with self._there():
                return await self._far.everything(folder, alive)

        async with aclosing(paged(everything)) as pages:
            async for page in pages:
                yield page

    async def close(self) -> None:
        """End all children at once; what they wrote stays to be resumed. Idempotent."""
        await self._rest.end()
        await self._let_go()
        self._hands.close()

    async def _opened(self, incoming: str, owner: Owner) -> bytes | None:
        """The same as ``Commands.open`` where only rsync runs."""
        content = await self._far.read(marker.owner_path(incoming), marker.OWNER_LIMIT)
        if content is None and await self._far.everything(incoming):
            raise taken(f"{self.title}/{safe_text(incoming)}")
        files = {marker.owner_path(incoming): marker.owner_text(owner)} if content is None else {}
        await self._far.put(files, [f"{incoming}/{ASSEMBLY}"])
        return content

    async def _find(self, path: str) -> RemoteEntry | None:
        shell = await self._account.has_shell()
        return await self._commands.find(path) if shell else await self._far.find(path)

    async def _read(self, path: str, limit: int) -> bytes | None:
        shell = await self._account.has_shell()
        return await self._commands.read(path, limit) if shell else await self._far.read(path, limit)

    async def _put(self, path: str, data: bytes) -> None:
        if await self._account.has_shell():
            await self._commands.write(path, data)
        else:
            await self._far.put({path: data})

    async def _let_go(self) -> None:
        """End the open connection; the next errand opens another."""
        await self._account.close()  # first: over a line that stands still the hashing never ends
        await self._commands.let_go()

    async def _proven(self, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> Sequence[FileRecord]:
        if await self._hashes_there():
            found = await self._commands.digests(folder, records, pulse)
            rung = EvidenceLevel.REMOTE_HASH
            return [
                it._replace(far_sha256=digest, rung=rung if digest else None)
                for it, digest in zip(records, found, strict=True)
            ]
        source = self._sources.get(folder)
        if source is None:
            return await self._comparison.read_back(folder, records, pulse)
        return await self._comparison.beside(source, folder, records, pulse)

    async def _hashes_there(self) -> bool:
        return await self._account.has_shell() and await self._commands.can_hash()

    async def _move_all(self, assembled: str, final: str) -> _Moved:
        here = {it.rel for it in await self._far.everything(assembled) if it.kind == EntryKind.FILE}
        before = {it.rel for it in await self._far.everything(final) if it.kind != EntryKind.FOLDER}
        going = sorted(here - before)
        if going and await self._account.has_shell():
            await self._commands.move(sayable(assembled), sayable(final), going)
        elif going:
            await self._link_all(assembled, final, going)
        left = {it.rel for it in await self._far.everything(assembled) if it.kind == EntryKind.FILE}
        return _Moved(assembled, final, frozenset(here - left), frozenset(here & left))

    async def _link_all(self, assembled: str, final: str, rels: Sequence[str]) -> None:
        """rsync makes the final files as hard links to the assembled ones, which it recognises by the local files."""
        source = self._sources.get(assembled)
        if source is None:
            raise TransportError(
                f"{self.title} runs nothing but rsync, which needs the local files to publish; retry the run.",
                TransportErrorKind.UNKNOWN,
            )
        root = self._options.access.remote_path.rstrip("/")
        link = f"{root}/{assembled}"
        if not self._options.access.remote_path.startswith("/"):  # below the home folder: as seen from the final one
            link = "../" * len(final.split("/")) + assembled
        ended = await self._account.rsync(
            ("-t", "-ii", "--out-format=%i %n", "--ignore-existing", f"--link-dest={sayable(link)}"),
            f"{source}/",
            self._account.argument(final),
            names=rels,
        )
        linked = itemised(ended.out, b"hf")
        # what could not be a link was sent once more, and has not been compared yet
        sent = [rel for rel in rels if rel not in linked]
        equal = await self._comparison.equal(source, final, sent, Pulse())
        if different := [rel for rel in sent if rel not in equal]:
            raise TransportError(
                f"{self.title}/{safe_text(final)}/{safe_text(different[0])} differs from what was sent.",
                TransportErrorKind.HASH_MISMATCH,
            )
        await self._far.remove(assembled, rels)

    async def _identity(self) -> Identity | None:
        return marker.identity_in(await self._read(MARKER_NAME, marker.MARKER_LIMIT), self.title)

    async def _capabilities(self) -> Capabilities:
        shell = await self._account.has_shell()
        rung = EvidenceLevel.REMOTE_HASH if await self._hashes_there() else EvidenceLevel.RSYNC_CHECKSUM
        return replace(self._names or Capabilities(), renames_folders=shell, rung=rung)

    async def _tried_out(self, incoming: str) -> Capabilities:
        if await self._account.has_shell():
            case, normal = await self._commands.tells_apart(incoming)
        else:
            case = await self._tells_apart(incoming, _PROBE, _PROBE_IN_OTHER_CASE)
            normal = await self._tells_apart(incoming, _PROBE_COMPOSED, _PROBE_DECOMPOSED)
        return replace(await self._capabilities(), case_sensitive=case, keeps_normalisation=normal)

    async def _tells_apart(self, folder: str, name: str, other: str) -> bool:
        await self._far.put({f"{folder}/{name}": b""})
        try:
            return await self._far.find(f"{folder}/{other}") is None
        finally:
            await self._far.remove(folder, [name])

    @asynccontextmanager
    async def _there(self) -> AsyncIterator[None]:
        """Work on the destination that is expected: its marker is read first."""
        async with self._rest.working():
            if time.monotonic() - self._seen_at > _KNOWN_FOR:
                marker.refuse_other(await self._identity(), self._expected or self._seen, self.title)
                self._seen_at = time.monotonic()
            yield

    @asynccontextmanager
    async def _killing_unless_done(self) -> AsyncIterator[None]:
        """What is broken off must not go on behind our back, and whatever comes next gets a connection that moves."""
        try:
            yield
        except BaseException:
            await self._account.end_children()
            await self._account.hang_up()  # first: a command over a connection that stands still never ends by itself
            await self._commands.let_go()
            raise
