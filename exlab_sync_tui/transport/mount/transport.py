"""How does a run get onto a mounted share, and how is it proved there? (``ARCHITECTURE.md`` decision 7)"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import MARKER_NAME, Capabilities, DestinationState, Identity
from exlab_sync_tui.transport.marker import marker_text
from exlab_sync_tui.transport.mount import assembly
from exlab_sync_tui.transport.mount.anchor import Anchor
from exlab_sync_tui.transport.mount.aside import Hands
from exlab_sync_tui.transport.mount.children import Crew
from exlab_sync_tui.transport.mount.relay import Errand, relay
from exlab_sync_tui.transport.sentences import FULL, away, far_error, from_child

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Owner, Pulse, PushPlan, RemoteEntry
    from exlab_sync_tui.transport.copier.wire import Told
    from exlab_sync_tui.transport.limiter import Limiter

_Result = TypeVar("_Result")
_MOST_CHILDREN = 4
_REST = 1.0
"""Seconds that children stay after their work, so that the next page finds them; then the share is let go of."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """One mounted share. ``local`` allows a *path* that is no mount point; ``workers`` 0 chooses by the processors.

    ``lease_fd`` is the engine's lock: children inherit it, so that no other engine starts while one of them writes.
    """

    path: Path
    local: bool = False
    workers: int = 0
    lease_fd: int | None = None
    probe_seconds: float = 10.0


class MountTransport:
    """The ``Transport`` for a folder that the system has mounted.

    Every operation opens the root anew, reads the marker through that open root and works relative to it, so that
    nothing is ever written into an empty mount point or another share.
    """

    def __init__(self, options: MountOptions, limiter: Limiter) -> None:
        self._options = options
        self._limiter = limiter
        self._hands = Hands()
        self._size = options.workers or min(_processors(), _MOST_CHILDREN)
        self._expected: str | None = None
        self._seen: str | None = None
        self._probing: asyncio.Future[DestinationState] | None = None
        self._resting: Crew | None = None
        self._crews: set[Crew] = set()
        self._errands = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def title(self) -> str:
        """``the mounted share /mnt/nas/lab``."""
        kind = "folder" if self._options.local else "mounted share"
        return f"the {kind} {safe_text(self._options.path)}"

    def expect(self, identity: str) -> None:
        """Work only on the destination with this id; before, the one that the last probe or ``adopt`` saw is meant."""
        self._expected = identity

    def _fresh(self) -> str:
        """A mark that makes children open the folders of an errand anew: another round may have replaced them."""
        self._errands += 1
        return str(self._errands)

    def is_mount_point(self) -> bool:
        """Whether the path lies on a mount of its own. Asks the share, in this thread."""
        with Anchor(self._options.path, self.title) as anchor:
            return anchor.is_mount_point()

    async def probe(self) -> DestinationState:
        """Marker, space and evidence, within ``probe_seconds``, else ``NETWORK``. A missing root is ``NETWORK`` too."""
        if self._probing is None or self._probing.done():
            self._probing = self._hands.aside(self._look)
        try:
            async with asyncio.timeout(self._options.probe_seconds):
                state = await asyncio.shield(self._probing)
        except TimeoutError:
            raise away(self.title, f"no answer within {self._options.probe_seconds:g} s") from None
        if state.identity is not None:
            self._seen = state.identity.id
        return state

    def _look(self) -> DestinationState:
        with Anchor(self._options.path, self.title) as anchor, self._in_sentences(anchor, ""):
            identity = anchor.identity()
            free, total = anchor.space()
            rung = assembly.rung_of(anchor.root, MARKER_NAME) if identity else None
            return DestinationState(
                identity, free, total, Capabilities(rung=rung, max_name_bytes=anchor.longest_name())
            )

    async def adopt(self, identity: Identity) -> Identity:
        """Write the marker if there is none; ``WRONG_DESTINATION`` if the path is no mount point and not ``local``."""

        def write() -> Identity:
            with Anchor(self._options.path, self.title) as anchor, self._in_sentences(anchor, MARKER_NAME):
                return self._adopted(anchor, identity)

        found = await self._hands.aside(write)
        self._seen = found.id
        return found

    def _adopted(self, anchor: Anchor, identity: Identity) -> Identity:
        found = anchor.identity()
        if found is not None:
            return found
        if not self._options.local and not anchor.is_mount_point():
            raise TransportError(
                f"{self.title} is not on a mount of its own: the share is not mounted. Mount it, or say --local if this"
                " folder itself is the destination.",
                TransportErrorKind.WRONG_DESTINATION,
            )
        with suppress(FileExistsError):  # another PC adopted it in this moment: its marker counts
            assembly.write_new_file(anchor.root, MARKER_NAME, marker_text(identity))
        return anchor.identity() or identity

    async def find(self, folder: str) -> RemoteEntry | None:
        """What lies at this path, links not followed."""
        return await self._there(folder, lambda anchor: assembly.find(anchor, folder))

    async def list(self, folder: str) -> AsyncGenerator[Sequence[RemoteEntry], None]:
        """Everything below a far folder in the order of path bytes, in pages."""
        anchor = await self._hands.aside(self._anchored, late=Anchor.close)
        pages = assembly.pages(anchor, folder)
        turning = threading.Lock()

        def turn() -> Sequence[RemoteEntry] | None:
            with turning, self._in_sentences(anchor, folder):
                return next(pages, None)

        def close() -> None:
            with turning:
                pages.close()
                anchor.close()

        try:
            while (page := await self._hands.aside(turn)) is not None:
                yield page
        finally:
            await self._hands.aside(close)

    async def open_incoming(self, incoming: str, owner: Owner) -> Capabilities:
        """Make ``<incoming>/run`` and the owner file, or take our own up again; try out names and evidence there."""
        return await self._there(incoming, lambda anchor: assembly.open_incoming(anchor, incoming, owner))

    async def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Send the plan with copying children; records come in no order, each flushed and read back."""
        near = os.fspath(plan.source)
        errand = Errand(
            ("send", near, self._fresh(), plan.folder),
            plan.pulse,
            lambda told: self._explained(told, plan.folder, near),
        )
        async with aclosing(self._relayed(plan.pages, errand)) as pages:
            async for page in pages:
                yield page

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Read files back, past the cache where that is possible; an absent one has ``far_sha256=None``."""
        errand = Errand(("check", self._fresh(), folder), pulse, lambda told: self._explained(told, folder, ""))
        async with aclosing(self._relayed(_one_page(records), errand)) as pages:
            async for page in pages:
                yield page

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly of ours; absent ones are fine."""
        await self._there(folder, lambda anchor: assembly.discard(anchor, folder, rels))

    async def make_folders(self, folder: str, rels: Sequence[str]) -> None:
        """Make these folders below *folder*, durably; those that exist are fine."""
        await self._there(folder, lambda anchor: assembly.make_folders(anchor, folder, rels))

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file atomically and durably, replacing our own older one."""
        await self._there(f"{folder}/{rel}", lambda anchor: assembly.write_text(anchor, folder, rel, data))

    async def read_text(self, folder: str, rel: str, *, limit: int = 64 << 20) -> bytes | None:
        """A small file's bytes, past the cache where that is possible; ``UNKNOWN`` if there are more than *limit*."""
        return await self._there(f"{folder}/{rel}", lambda anchor: assembly.read_text(anchor, folder, rel, limit))

    async def publish(self, assembled: str, final: str) -> None:
        """Flush every folder of the assembly, rename it without replacing anything, flush the parents."""
        await self._there(final, lambda anchor: assembly.publish(anchor, assembled, final))

    async def publish_file(self, assembled: str, final: str, rel: str) -> None:
        """Move one assembled file into a published run without replacing anything."""
        await self._there(f"{final}/{rel}", lambda anchor: assembly.publish_file(anchor, assembled, final, rel))

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove what is left of our own incoming folder; one of another owner is left alone."""
        await self._there(incoming, lambda anchor: assembly.remove_incoming(anchor, incoming, owner))

    async def close(self) -> None:
        """End the children at once; what they wrote stays to be resumed. Idempotent."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._resting = None
        crews, self._crews = self._crews, set()
        await asyncio.gather(*(crew.end() for crew in crews), *self._ending)
        self._hands.close()

    async def _there(self, rel: str, work: Callable[[Anchor], _Result]) -> _Result:
        """Do something through a root that was opened and recognised for it."""

        def run() -> _Result:
            with self._anchored() as anchor, self._in_sentences(anchor, rel):
                return work(anchor)

        return await self._hands.aside(run)

    def _anchored(self) -> Anchor:
        anchor = Anchor(self._options.path, self.title)
        try:
            with self._in_sentences(anchor, ""):
                anchor.check(self._expected or self._seen)
        except BaseException:
            anchor.close()
            raise
        return anchor

    @contextmanager
    def _in_sentences(self, anchor: Anchor, rel: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise far_error(error, self.title, rel, free=_free(anchor, error.errno)) from error

    async def _explained(self, told: Told, far: str, near: str) -> TransportError:
        def free() -> int | None:
            with Anchor(self._options.path, self.title) as anchor:
                return anchor.space()[0]

        left = None
        if told[2] in FULL:
            with suppress(OSError, TransportError):
                left = await self._hands.aside(free)
        return from_child(told, title=self.title, far=far, near=near, free=left)

    async def _relayed(
        self, records: AsyncIterator[Sequence[FileRecord]], errand: Errand
    ) -> AsyncGenerator[Sequence[FileRecord], None]:
        crew = await self._enlisted()
        try:
            async with aclosing(relay(crew, records, errand)) as pages:
                async for page in pages:
                    yield page
        except BaseException:
            self._crews.discard(crew)
            await crew.end()
            raise
        self._let_rest(crew)

    async def _enlisted(self) -> Crew:
        """Children over a root that is the right one now: those of the last work, if they are still there."""
        crew, self._resting = self._resting, None
        if self._alarm is not None:
            self._alarm.cancel()
        anchor = await self._hands.aside(self._anchored, late=Anchor.close)
        if crew is not None:
            if crew.anchor.same_as(anchor):
                anchor.close()
                return crew
            self._crews.discard(crew)
            await crew.end()
        crew = Crew(anchor, self._options.lease_fd, self._limiter, self._size)
        self._crews.add(crew)
        return crew

    def _let_rest(self, crew: Crew) -> None:
        if crew not in self._crews:
            return  # closed meanwhile
        if self._resting is not None:
            self._dismiss(crew)
            return
        self._resting = crew
        self._alarm = asyncio.get_running_loop().call_later(_REST, self._dismiss, crew)

    def _dismiss(self, crew: Crew) -> None:
        if self._resting is crew:
            self._resting = None
        self._crews.discard(crew)
        ending = asyncio.get_running_loop().create_task(crew.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _one_page(records: Sequence[FileRecord]) -> AsyncIterator[Sequence[FileRecord]]:
    yield records


def _free(anchor: Anchor, number: int | None) -> int | None:
    if number in FULL:
        with suppress(OSError):
            return anchor.space()[0]
    return None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
