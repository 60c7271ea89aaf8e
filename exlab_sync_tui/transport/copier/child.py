"""How does the engine speak with a process that does its reading, hashing and writing for it?"""

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
    from exlab_sync_tui.transport.copier.wire import Counts, FilePart, Told
    from exlab_sync_tui.transport.limiter import Limiter

_PACKAGE_PARENT = str(Path(__file__).parents[3])
_BOOT = """
import sys
from importlib import import_module
sys.path.insert(0, sys.argv.pop(1))
import_module(sys.argv.pop(1)).main(sys.argv[1:])
"""
_PROMISE_TO_END = 5.0
"""Seconds that a killed child gets to be gone; one that hangs in the kernel is left to it, still holding the lease."""


class Child:
    """One such process (``copier.process``, ``ssh.feeder``). Answers come in the order of the tasks."""

    def __init__(self, process: asyncio.subprocess.Process, limiter: Limiter) -> None:
        self._process = process
        self._limiter = limiter
        self._waiting: deque[tuple[asyncio.Future[tuple[list[Any], Told | None]], Pulse]] = deque()
        self._grants: set[asyncio.Task[None]] = set()
        self._last_words = ""
        self.large = False
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls, module: str, arguments: Sequence[str], limiter: Limiter, *, inherited: Sequence[int] = ()
    ) -> Child:
        """Start one that runs ``main(arguments)`` of *module* and has the descriptors *inherited*."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-c", _BOOT, _PACKAGE_PARENT, module),
                *arguments,
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

    async def do(self, task: tuple[object, ...], pulse: Pulse) -> tuple[list[Any], Told | None]:
        """Give it a task; its outcomes in order, and what kept it from the rest."""
        if not self.alive:
            raise self._dead()
        answer: asyncio.Future[tuple[list[Any], Told | None]] = asyncio.get_running_loop().create_future()
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


def as_parts(records: Sequence[Any]) -> list[FilePart]:
    """What a child needs of records."""
    return [(record.rel, record.size, record.mtime_ns, record.inode) for record in records]
