"""How does a tool run so that it never outlives its purpose? In a group of its own, tied to the engine."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from exlab_sync_tui import platform
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROMISE_TO_END = 5.0
"""Seconds that a killed tool gets to be gone; one that hangs in the kernel is left to it, still holding the lease."""

LINE_LIMIT = 1 << 20
"""Bytes that a line of a tool may have."""


class Child:
    """One run of a tool. The whole group is killed together; the tool dies with the engine, however that ends.

    ``lease_fd`` is the engine's lock: the tool inherits it, so that no other engine starts while it still writes.
    """

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self.name = name

    @classmethod
    async def start(
        cls,
        command: Sequence[str | bytes],
        *,
        env: Mapping[str, str] | None = None,
        lease_fd: int | None = None,
        feed: bool = False,
    ) -> Child:
        """Start *command*, whose first word is the tool's path; with *feed* its standard input is ours to write."""
        name = os.fsdecode(command[0]).rpartition("/")[2]
        try:
            process = await asyncio.create_subprocess_exec(
                *platform.tied(command),
                stdin=asyncio.subprocess.PIPE if feed else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=env,
                pass_fds=() if lease_fd is None or os.name != "posix" else (lease_fd,),
                start_new_session=True,
                limit=LINE_LIMIT,
            )
        except OSError as error:
            raise TransportError(
                f"{name} could not be started ({safe_text(error.strerror)}); this PC is short of memory or of"
                " processes. It is tried again.",
                TransportErrorKind.UNKNOWN,
            ) from error
        return cls(process, name)

    @property
    def out(self) -> asyncio.StreamReader:
        """What it writes on its standard output."""
        assert self._process.stdout is not None  # noqa: S101  # it was started with a pipe
        return self._process.stdout

    @property
    def err(self) -> asyncio.StreamReader:
        """What it writes on its standard error."""
        assert self._process.stderr is not None  # noqa: S101  # it was started with a pipe
        return self._process.stderr

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; ``None`` while it runs."""
        return self._process.returncode

    async def feed(self, data: bytes) -> None:
        """Write all of *data* and close its standard input; a tool that does not read on is told by its status."""
        assert self._process.stdin is not None  # noqa: S101  # it was started with a pipe
        with suppress(ConnectionError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        self._process.stdin.close()
        with suppress(ConnectionError):
            await self._process.stdin.wait_closed()

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        return await self._process.wait()

    async def end(self) -> None:
        """Kill its whole group and take what is left in its pipes, which nobody else reads now; idempotent."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                _kill_group(self._process.pid)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PROMISE_TO_END):
                await asyncio.gather(self.out.read(), self.err.read(), self._process.wait())


def _kill_group(pid: int) -> None:
    if hasattr(os, "killpg"):
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGTERM)
