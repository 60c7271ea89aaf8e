"""How does a run get onto any remote of rclone, and how is it proved there? (``ARCHITECTURE.md`` decision 7)"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport import marker
from exlab_sync_tui.transport.base import ASSEMBLY, MARKER_NAME, Capabilities, DestinationState, Pulse
from exlab_sync_tui.transport.listing import paged
from exlab_sync_tui.transport.mount.aside import Hands
from exlab_sync_tui.transport.rclone.daemon import Daemon, NotThereError
from exlab_sync_tui.transport.rclone.local import DiskReader
from exlab_sync_tui.transport.rclone.names import on_local_disk, sayable
from exlab_sync_tui.transport.rclone.push import Sending, refuse_oversize, with_far
from exlab_sync_tui.transport.rclone.remote import Remote
from exlab_sync_tui.transport.rclone.workroom import Workroom
from exlab_sync_tui.transport.sentences import taken
from exlab_sync_tui.transport.tools.pipeline import Pipeline
from exlab_sync_tui.transport.tools.rest import Rest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Identity, Owner, PushPlan, RemoteEntry
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.rclone.remote import Offer

_KNOWN_FOR = 2.0
"""Seconds for which a marker that was seen stands: publishing file by file must not read it before each file."""

_PROBE, _PROBE_IN_OTHER_CASE = "exlab-probe-a", "EXLAB-PROBE-A"
_PROBE_COMPOSED, _PROBE_DECOMPOSED = "exlab-probe-\u00e9", "exlab-probe-e\u0301"


@dataclass(frozen=True, slots=True)
class RcloneOptions:
    """One remote as ``rclone listremotes`` shows it, and the folder on it.

    ``config`` is passed on by name, ``None`` lets rclone find its own. ``max_stream_bytes``: the largest file that may
    be read back to prove it. ``lease_fd`` is the engine's lock, which rclone inherits.
    """

    remote: str
    root: str
    config: Path | None = None
    max_stream_bytes: int | None = None
    lease_fd: int | None = None
    probe_seconds: float = 10.0


class RcloneTransport:
    """The ``Transport`` for remotes of rclone.

    The marker is read again before every operation. Evidence is ``remote_hash`` where the server computes SHA-256,
    else the files are read back; a remote around another one (crypt, union …) may end on this PC's own disk, so reading
    it back counts as ``read_back_cached`` only. rclone cannot be told to flush, beyond what its backend does when it
    closes a file; a remote of type ``local`` is flushed and read past the cache by this program itself.
    """

    def __init__(self, options: RcloneOptions, limiter: Limiter) -> None:
        self._options = options
        self._limiter = limiter
        self._title = f"the rclone remote {safe_text(options.remote.removesuffix(':'))}:{safe_text(options.root)}"
        self._daemon = Daemon(options.config, options.lease_fd, limiter, self._title)
        self._remote = Remote(self._daemon, options.remote, options.root, self._title)
        self._workroom = Workroom(self._remote)
        self._expected: str | None = None
        self._seen: str | None = None
        self._seen_at = float("-inf")
        self._hands = Hands()
        self._names: Capabilities | None = None
        self._rest = Rest(self._daemon.end)

    @property
    def title(self) -> str:
        """``the rclone remote nas:lab/runs``."""
        return self._title

    def expect(self, identity: str) -> None:
        """Work only on the destination with this id; before, the one that the last probe or ``adopt`` saw is meant."""
        self._expected = identity
        self._seen_at = float("-inf")

    async def probe(self) -> DestinationState:
        """Marker, space and evidence, within ``probe_seconds``, else ``NETWORK``."""
        try:
            async with asyncio.timeout(self._options.probe_seconds), self._rest.working():
                identity = await self._identity()
                offer = await self._remote.offer()
                free, total = await self._space()
        except TimeoutError:
            raise TransportError(
                f"The NAS does not answer (no answer within {self._options.probe_seconds:g} s): {self._title}; the runs"
                " wait and go on when it is back.",
                TransportErrorKind.NETWORK,
            ) from None
        if identity is not None:
            self._seen = identity.id
        return DestinationState(identity, free, total, self._capabilities(offer))

    async def adopt(self, identity: Identity) -> Identity:
        """Write the marker if there is none; the root is made if it is missing."""
        async with self._rest.working():
            found = await self._identity()
            if found is None:
                await self._remote.call("operations/mkdir", remote="")
                await self._workroom.put(MARKER_NAME, marker.marker_text(identity))
                found = await self._identity() or identity
        self._seen = found.id
        return found

    async def find(self, folder: str) -> RemoteEntry | None:
        """What lies at this path."""
        async with self._there():
            return await self._remote.find(folder)

    async def open_incoming(self, incoming: str, owner: Owner) -> Capabilities:
        """Make ``<incoming>/run`` and the owner file, or take our own up again; try out names there, once."""
        marker.incoming_above(incoming)
        async with self._there():
            offer = await self._remote.offer()
            content = await self._remote.read(marker.owner_path(incoming), marker.OWNER_LIMIT)
            if content is None:
                if not await self._remote.is_empty(incoming):
                    raise taken(f"{self._title}/{safe_text(incoming)}")
                await self._workroom.put(marker.owner_path(incoming), marker.owner_text(owner))
            elif marker.owner_in(content) != owner:
                raise marker.foreign(self._title, incoming)
            await self._remote.call("operations/mkdir", remote=sayable(f"{incoming}/{ASSEMBLY}"))
            if self._names is None:
                self._names = await self._tried_out(incoming, offer)
            return self._names

    async def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Send the plan batch by batch; records come once their far digests are known."""
        async with self._there():
            offer = await self._remote.offer()

            async def prove(records: Sequence[FileRecord]) -> Sequence[FileRecord]:
                return await self._proven(plan.folder, records, plan.pulse, offer)

            largest = self._options.max_stream_bytes if offer.downloads else None
            pushing = Pipeline(plan, Sending(self._remote, self._workroom, plan, prove, largest), self._hands)
            async with self._killing_unless_done(), aclosing(pushing.records()) as pages:
                async for page in pages:
                    yield page

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Fresh digests of far files; an absent one has ``far_sha256=None``."""
        async with self._there():
            offer = await self._remote.offer()
            if offer.downloads:
                for record in records:
                    refuse_oversize(record, self._options.max_stream_bytes, self._title)
            yield await self._proven(folder, records, pulse, offer)

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly of ours; absent ones are fine."""
        marker.refuse_outside(folder)
        async with self._there():
            await self._workroom.delete(folder, rels)

    async def make_folders(self, folder: str, rels: Sequence[str]) -> None:
        """Make these folders below *folder*; a remote without empty folders (S3) keeps none, the receipt names them."""
        async with self._there():
            for rel in rels:
                await self._remote.call("operations/mkdir", remote=sayable(f"{folder}/{rel}" if folder else rel))

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file, whole or not at all, replacing our own older one."""
        async with self._there():
            await self._workroom.put(f"{folder}/{rel}", data)

    async def read_text(self, folder: str, rel: str, *, limit: int = 64 << 20) -> bytes | None:
        """A small file's bytes from the server; ``UNKNOWN`` if there are more than *limit*."""
        async with self._there():
            content = await self._remote.read(f"{folder}/{rel}", limit)
        if content is not None and len(content) > limit:
            raise TransportError(
                f"{self._title}/{safe_text(folder)}/{safe_text(rel)} is larger than {size(limit)}; it was not read."
            )
        return content

    async def publish(self, assembled: str, final: str) -> None:
        """Rename the assembly on the server; rclone would merge into a folder that exists, so one is looked for."""
        async with self._there():
            await self._refuse_taken(final)
            # should something appear there in this moment, Immutable keeps it as it is
            try:
                await self._remote.daemon.call(
                    "sync/move",
                    srcFs=self._remote.fs_of(assembled),
                    dstFs=self._remote.fs_of(final),
                    _config={"Immutable": True},
                )
            except TransportError:
                if await self._remote.lies_at(assembled):  # else the answer was lost: what lies there now is ours
                    await self._refuse_taken(final)
                raise

    async def publish_file(self, assembled: str, final: str, rel: str) -> None:
        """Move one assembled file into a published run on the server without replacing anything."""
        async with self._there():
            await self._refuse_taken(f"{final}/{rel}")
            await self._workroom.move(assembled, final, rel)

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove our own incoming folder, its owner file last, then an ``.exlab-incoming`` that is empty."""
        above = marker.incoming_above(incoming)
        async with self._there():
            content = await self._remote.read(marker.owner_path(incoming), marker.OWNER_LIMIT)
            if content is not None and marker.owner_in(content) != owner:
                return
            if content is None and not await self._remote.is_empty(incoming):
                return
            for command, path in (
                ("purge", f"{incoming}/{ASSEMBLY}"),
                ("purge", incoming),
                ("rmdir", above),
            ):
                await self._clear(command, path)

    async def list(self, folder: str) -> AsyncGenerator[Sequence[RemoteEntry], None]:
        """Everything below a far folder in the order of path bytes, in pages; empty ones first, as signs of life."""

        async def everything(alive: Callable[[], None]) -> Sequence[RemoteEntry]:
            async with self._there():
                return await self._remote.everything(folder, alive)

        async with aclosing(paged(everything)) as pages:
            async for page in pages:
                yield page

    async def close(self) -> None:
        """End rclone at once; what it wrote stays to be resumed. Idempotent."""
        await self._rest.end()
        await self._daemon.end()
        self._workroom.close()
        self._hands.close()

    async def _clear(self, command: str, path: str) -> None:
        if await self._remote.find(path) is None:
            return
        if command == "rmdir" and not await self._remote.is_empty(path):
            return
        try:
            await self._remote.call(f"operations/{command}", remote=sayable(path))
        except NotThereError:
            return

    async def _refuse_taken(self, path: str) -> None:
        if await self._remote.lies_at(path):
            raise taken(f"{self._title}/{safe_text(path)}")

    async def _proven(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse, offer: Offer
    ) -> Sequence[FileRecord]:
        """The records with the digests that the destination has now."""
        read = await self._read_from_disk(folder, records, pulse, offer) if offer.disk else {}
        found = {rel: digest for rel, (digest, _) in read.items()}
        rungs = {rel: rung for rel, (_, rung) in read.items()}
        left = [record for record in records if record.rel not in found]
        if left:
            found |= await self._asked(folder, left, pulse, offer)
        rung = EvidenceLevel.READ_BACK_CACHED if offer.disk else offer.rung
        return [with_far(it, found.get(it.rel), rungs.get(it.rel, rung)) for it in records]

    async def _asked(self, folder: str, records: Sequence[FileRecord], pulse: Pulse, offer: Offer) -> dict[str, bytes]:
        found = await self._remote.digests(folder, records, pulse, download=offer.downloads)
        silent = [rel for rel, digest in found.items() if digest is None]
        if silent:
            raise TransportError(
                f"{self._title} gave no SHA-256 of {safe_text(silent[0])}; it is asked again.",
                TransportErrorKind.UNKNOWN,
            )
        return {rel: digest for rel, digest in found.items() if digest is not None}

    async def _read_from_disk(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse, offer: Offer
    ) -> dict[str, tuple[bytes, EvidenceLevel]]:
        reader = DiskReader(self._remote.disk_path(offer, folder), self._limiter, pulse)
        names = {on_local_disk(record.rel): record.rel for record in records}
        try:
            found = await self._hands.aside(lambda: reader.digests(list(names)))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TransportError(
                f"{self._title} cannot be read back ({safe_text(error.strerror)}); it is tried again.",
                TransportErrorKind.UNKNOWN,
            ) from error
        finally:
            reader.stop()
        return {names[name]: it for name, it in found.items()}

    async def _identity(self) -> Identity | None:
        return marker.identity_in(await self._remote.read(MARKER_NAME, marker.MARKER_LIMIT), self._title)

    async def _space(self) -> tuple[int | None, int | None]:
        """Free and total bytes, where the remote tells."""
        try:
            told = await self._remote.call("operations/about")
        except TransportError as error:
            if error.error_kind is not TransportErrorKind.UNKNOWN:
                raise
            return None, None
        free, total = told.get("free"), told.get("total")
        return (None if free is None else int(free)), (None if total is None else int(total))

    def _capabilities(self, offer: Offer) -> Capabilities:
        known = self._names or Capabilities(case_sensitive=offer.case_sensitive)
        rung = EvidenceLevel.READ_BACK if offer.disk else offer.rung
        return replace(known, renames_folders=offer.renames_folders, rung=rung)

    async def _tried_out(self, incoming: str, offer: Offer) -> Capabilities:
        """Whether names that differ in case or normalisation are two there; in our own folder, with empty files."""
        return replace(
            self._capabilities(offer),
            case_sensitive=offer.case_sensitive and await self._tells_apart(incoming, _PROBE, _PROBE_IN_OTHER_CASE),
            keeps_normalisation=await self._tells_apart(incoming, _PROBE_COMPOSED, _PROBE_DECOMPOSED),
        )

    async def _tells_apart(self, folder: str, name: str, other: str) -> bool:
        await self._workroom.put(f"{folder}/{name}", b"-")
        try:
            return await self._remote.read(f"{folder}/{other}", 1) is None
        finally:
            await self._workroom.delete(folder, [name])

    @asynccontextmanager
    async def _there(self) -> AsyncIterator[None]:
        """Work on the destination that is expected: its marker is read first."""
        async with self._rest.working():
            if time.monotonic() - self._seen_at > _KNOWN_FOR:
                marker.refuse_other(await self._identity(), self._expected or self._seen, self._title)
                self._seen_at = time.monotonic()
            yield

    @asynccontextmanager
    async def _killing_unless_done(self) -> AsyncIterator[None]:
        """A transfer that is broken off must not go on behind our back: rclone is killed with it."""
        try:
            yield
        except BaseException:
            await self._daemon.end()
            raise
