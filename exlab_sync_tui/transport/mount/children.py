"""Who copies? The children of one mounted share, and which of them gets the next batch."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.copier.wire import HEADER, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.transport.base import Pulse
    from exlab_sync_tui.transport.copier.wire import Counts, FilePart, Outcome, Told
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.mount.anchor import Anchor

_PACKAGE_PARENT = str(Path(__file__).parents[3])
_BOOT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from exlab_sync_tui.transport.copier.process import main
main(sys.argv[1:])
"""
_PROMISE_TO_END = 5.0
"""Seconds that a killed child gets to be gone; one that hangs in the kernel is left to it, still holding the lease."""

AHEAD = 2
"""Batches of small files that a child has at hand, so that it never waits for the engine."""


class Child:
    """One copying process (``copier``). Answers come in the order of the tasks."""

    def __init__(self, process: asyncio.subprocess.Process, limiter: Limiter) -> None:
        self._process = process
        self._limiter = limiter
        self._waiting: deque[tuple[asyncio.Future[tuple[list[Outcome], Told | None]], Pulse]] = deque()
        self._grants: set[asyncio.Task[None]] = set()
        self._last_words = ""
        self.large = False
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, anchor: Anchor, lease_fd: int | None, limiter: Limiter) -> Child:
        """Start one, which inherits the anchored root and the engine's lease."""
        root = anchor.root.fd
        inherited = [fd for fd in (root, lease_fd) if fd is not None]
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-c", _BOOT, _PACKAGE_PARENT),
                *(
                    "-" if root is None else str(root),
                    anchor.root.path,
                    "free" if limiter.always_unlimited else "limited",
                ),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=inherited if os.name == "posix" else (),
            )
        except OSError as error:
            raise TransportError(
                f"No copying process could be started ({safe_text(error.strerror)}); this PC is short of memory or of"
                " processes. It is tried again.",
                TransportErrorKind.UNKNOWN,
            ) from error
        return cls(process, limiter)

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return not self._listener.done()

    @property
    def load(self) -> int:
        """Tasks that it has not answered yet."""
        return len(self._waiting)

    async def do(self, task: tuple[object, ...], pulse: Pulse) -> tuple[list[Outcome], Told | None]:
        """Give it a task; its outcomes in order, and what kept it from the rest."""
        if not self.alive:
            raise self._dead()
        answer: asyncio.Future[tuple[list[Outcome], Told | None]] = asyncio.get_running_loop().create_future()
        self._waiting.append((answer, pulse))
        self._write(pack(task))
        return await answer

    async def end(self) -> None:
        """Kill it; what it has written stays, to be resumed. Idempotent."""
        with suppress(ProcessLookupError):
            self._process.kill()
        for task in (self._listener, *self._grants):
            task.cancel()
        await asyncio.gather(self._listener, *self._grants, return_exceptions=True)
        self._fail_waiting()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _PROMISE_TO_END)

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  # it was started with a pipe
        with suppress(ConnectionError, RuntimeError):  # a child that died is noticed by the listener
            self._process.stdin.write(data)

    async def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # it was started with a pipe
        try:
            while True:
                header = await self._process.stdout.readexactly(HEADER.size)
                self._heard(unpack(await self._process.stdout.readexactly(HEADER.unpack(header)[0])))
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._process.wait()
        finally:
            self._fail_waiting()

    def _heard(self, frame: tuple[Any, ...]) -> None:
        match frame:
            case ("at", counts, current):
                self._count(counts, current)
            case ("ask", wanted, counts, current):
                self._count(counts, current)
                grant = asyncio.create_task(self._grant(wanted))
                self._grants.add(grant)
                grant.add_done_callback(self._grants.discard)
            case ("done", outcomes, trouble, counts):
                self._count(counts, "")
                answer, _ = self._waiting.popleft()
                if not answer.done():
                    answer.set_result((outcomes, trouble))
            case ("crash", words):
                self._last_words = words

    def _count(self, counts: Counts, current: str) -> None:
        if self._waiting:
            pulse = self._waiting[0][1]
            pulse.sent_bytes += counts[0]
            pulse.skipped_bytes += counts[1]
            pulse.checked_bytes += counts[2]
            pulse.current = current or pulse.current

    async def _grant(self, wanted: int) -> None:
        self._write(pack(("grant", await self._limiter.acquire(wanted))))

    def _fail_waiting(self) -> None:
        for answer, _ in self._waiting:
            if not answer.done():
                answer.set_exception(self._dead())
                answer.exception()  # whoever gave the task may have been cancelled
        self._waiting.clear()

    def _dead(self) -> TransportError:
        status = self._process.returncode
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        words = f" Its last words: {safe_text(self._last_words.strip()[-500:])}." if self._last_words else ""
        return TransportError(
            f"A copying process ended unexpectedly {how}; what it had written is resumed at the next attempt.{words}",
            TransportErrorKind.UNKNOWN,
        )


class Crew:
    """All children over one anchored root; started when they are needed, ended together."""

    def __init__(self, anchor: Anchor, lease_fd: int | None, limiter: Limiter, size: int) -> None:
        self.anchor = anchor
        self._lease_fd = lease_fd
        self._limiter = limiter
        self._size = size
        self._children: list[Child] = []
        self._freed = asyncio.Event()

    async def pick(self, *, large: bool) -> Child:
        """The child that may take the next batch, once there is one; a large file never waits behind another."""
        while True:
            await self._replace_dead()
            idle = [child for child in self._children if not child.load]
            if not idle and len(self._children) < self._size:
                self._children.append(await Child.start(self.anchor, self._lease_fd, self._limiter))
                continue
            if idle:
                return idle[0]
            if not large:
                ready = [child for child in self._children if child.load < AHEAD and not child.large]
                if ready:
                    return min(ready, key=lambda child: child.load)
            self._freed.clear()
            await self._freed.wait()

    async def _replace_dead(self) -> None:
        """Forget children that died while they rested; one that dies at work fails its task."""
        for child in [child for child in self._children if not child.alive and not child.load]:
            self._children.remove(child)
            await child.end()

    async def do(self, child: Child, task: tuple[object, ...], pulse: Pulse) -> tuple[list[Outcome], Told | None]:
        """Let *child* carry out a task; raises ``TransportError`` if the child died."""
        try:
            return await child.do(task, pulse)
        finally:
            self._freed.set()

    async def end(self) -> None:
        """End all children and let go of the destination; idempotent."""
        children, self._children = self._children, []
        await asyncio.gather(*(child.end() for child in children))
        self.anchor.close()


def as_parts(records: Sequence[Any]) -> list[FilePart]:
    """What a child needs of records."""
    return [(record.rel, record.size, record.mtime_ns, record.inode) for record in records]
