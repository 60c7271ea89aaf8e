"""How is rclone spoken to? One ``rclone rcd`` per destination, on the loopback, with credentials that nobody else has.

It keeps its connections to the server between calls, obeys ``core/bwlimit`` while a transfer runs, and costs no start
of a large program per call. ``rclone.conf`` is its own business: it is passed by name and never opened here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.transport.rclone.words import Said, trouble
from exlab_sync_tui.transport.tools.child import Child
from exlab_sync_tui.transport.tools.found import RCLONE, path_of, refuse_too_old, version_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from exlab_sync_tui.transport.limiter import Limiter

_SERVING = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_KEPT_MESSAGES = 200
_NOT_FOUND = 404
_GOOD = 200
_LOOK_SECONDS = 0.25
_USER = "exlab"
COMMON = ("--use-json-log", "--log-level", "NOTICE", "--ask-password=false", "--no-unicode-normalization")
_UNCHECKED = "--ignore-checksum"
"""Else rclone asks the server for the MD5 of each file, over SSH with a process each; every byte is proved anyway."""

PATIENCE = ("--contimeout", "10s", "--timeout", "60s", "--low-level-retries", "3", "--retries", "1")
"""The engine decides what is tried again; rclone only bridges a hiccup."""


class NotThereError(TransportError):
    """The destination has no such file or folder any more; it is made again at the next attempt."""


def environment(user: str, password: str) -> dict[str, str]:
    """Ours, without what could open the remote control to others, and with credentials made up for this one child."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_RC")}
    return kept | {"RCLONE_RC_USER": user, "RCLONE_RC_PASS": password}


class Control:
    """The remote control of one running rclone."""

    def __init__(self, child: Child, password: str, title: str) -> None:
        self._child = child
        self._title = title
        self._port = 0
        self._credentials = base64.b64encode(f"{_USER}:{password}".encode()).decode()
        self.heard: deque[Said] = deque(maxlen=_KEPT_MESSAGES)
        """The latest messages."""
        self._ready = asyncio.Event()
        self._listener = asyncio.create_task(self._listen())
        self._rate: int | None = None
        self._count = 0
        self._feeding: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str | bytes],
        *,
        config: Path | None,
        lease_fd: int | None,
        title: str,
        feed: bool = False,
    ) -> Control:
        """Start rclone with *arguments* and its remote control; secrets are in the environment alone."""
        password = secrets.token_urlsafe(32)
        options = ("--config", os.fspath(config)) if config is not None else ()
        child = await Child.start(
            [path_of(RCLONE), *arguments, *COMMON, *PATIENCE, _UNCHECKED, *options, "--rc-addr", "127.0.0.1:0"],
            env=environment(_USER, password),
            lease_fd=lease_fd,
            feed=feed,
        )
        return cls(child, password, title)

    @property
    def child(self) -> Child:
        """The process."""
        return self._child

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._listener.done()

    async def listens(self) -> bool:
        """Wait until it can be called; false if it ended before."""
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, self._listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        return self._ready.is_set()

    async def call(self, command: str, **words: object) -> dict[str, Any]:
        """Let it carry out a command of its remote control. Raises ``TransportError``."""
        mark = self.mark()
        body = json.dumps(words).encode()
        head = f"POST /{command} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        status, answer = await self._exchange(head, body)
        told: dict[str, Any] = json.loads(answer)
        if status == _NOT_FOUND:
            raise NotThereError
        if status != _GOOD:
            raise self._trouble(str(told.get("error", "")), mark, [str(it) for it in words.values()])
        return told

    async def read(self, fs: str, path: bytes, limit: int) -> bytes | None:
        """The bytes of a far file, at most *limit* and one; ``None`` if there is no such file, or it is a folder."""
        where = f"[{fs}]/".encode() + path
        mark = self.mark()
        status, answer = await self._exchange(f"GET /{quote_from_bytes(where, safe='/[]')} HTTP/1.0\r\n", b"", limit)
        if status == _GOOD:
            return answer
        told = json.loads(answer)
        if status == _NOT_FOUND or str(told.get("error", "")).endswith("is a directory not a file"):
            return None
        raise self._trouble(str(told.get("error", "")), mark, [os.fsdecode(path)])

    def mark(self) -> int:
        """A place in what is heard."""
        return self._count

    def heard_since(self, mark: int) -> list[Said]:
        """What it said since then, as far as it is kept."""
        fresh = self._count - mark
        return list(self.heard)[-fresh:] if fresh else []

    async def obey(self, limiter: Limiter) -> None:
        """Let the limit of this moment count from now on, for what is under way too."""
        rate = limiter.rate
        if rate != self._rate and await self.listens():
            await self.call("core/bwlimit", rate="off" if rate is None else f"{max(rate, 1)}Ki")
            self._rate = rate

    async def heard_all(self) -> None:
        """Wait until it has ended and said all that it had to say."""
        await asyncio.shield(self._listener)

    def feed(self, data: bytes) -> None:
        """Give it *data* on its standard input, while its output is read."""
        self._feeding = asyncio.create_task(self._child.feed(data))

    async def end(self) -> None:
        """Kill it. Idempotent."""
        tasks = [task for task in (self._listener, self._feeding) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._child.end()

    async def _exchange(self, head: str, body: bytes, limit: int = -1) -> tuple[int, bytes]:
        """One request on a connection of its own, which is closed if nobody waits for the answer any more."""
        if not await self.listens():
            raise await self._dead()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(f"{head}Authorization: Basic {self._credentials}\r\n\r\n".encode() + body)
                told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                expected = re.search(r"\r\ncontent-length: *(\d+)", told, re.IGNORECASE)
                status = int(told.split(None, 2)[1])
                answer = await _read(reader, int(expected[1]) if expected else -1, limit if status == _GOOD else -1)
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            if self._child.status is not None or self._listener.done():
                raise await self._dead() from error
            raise TransportError(
                f"{self._title}: rclone broke off its answer; it is asked again.", TransportErrorKind.UNKNOWN
            ) from error
        return status, answer

    def _trouble(self, error: str, mark: int, places: Sequence[str]) -> TransportError:
        said = [message for message in self.heard_since(mark) if message.name]
        return trouble(self._title, [*said, Said(error)], places)

    async def _dead(self) -> TransportError:
        status = await self._child.wait()
        if self.heard:
            return trouble(self._title, list(self.heard)[-1:])
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return TransportError(
            f"rclone ended unexpectedly {how}; what it had sent is resumed at the next attempt.",
            TransportErrorKind.UNKNOWN,
        )

    async def _listen(self) -> None:
        with suppress(ConnectionError):
            while line := await _line(self._child.err):
                self._hear(line)
        await self._child.wait()

    def _hear(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            told = {"msg": line.decode(errors="surrogateescape").strip()}
        message = str(told.get("msg", ""))
        if not self._port and (found := _SERVING.search(message)):
            self._port = int(found[1])
            self._ready.set()
        elif told.get("level") != "warning":
            self._count += 1
            self.heard.append(Said(message, str(told.get("object", ""))))


class Daemon:
    """The long-lived rclone of one destination: started when needed, ended at rest or when something went wrong."""

    def __init__(self, config: Path | None, lease_fd: int | None, limiter: Limiter, title: str) -> None:
        self._config = config
        self._lease_fd = lease_fd
        self._limiter = limiter
        self._title = title
        self._control: Control | None = None
        self._starting = asyncio.Lock()

    async def control(self) -> Control:
        """The remote control, ready to be called. Raises ``SET_UP`` where rclone is missing or too old."""
        async with self._starting:
            if self._control is None or not self._control.alive:
                await self.end()
                arguments = ("rcd", "--rc-serve", "--transfers", "4", "--checkers", "8", "--stats", "0")
                self._control = await Control.start(
                    arguments, config=self._config, lease_fd=self._lease_fd, title=self._title
                )
                told = await self._control.call("core/version")
                refuse_too_old(RCLONE, version_in(str(told.get("version", ""))))
            await self._control.obey(self._limiter)
            return self._control

    async def call(self, command: str, **words: object) -> dict[str, Any]:
        """``Control.call`` of a running rclone."""
        return await (await self.control()).call(command, **words)

    @asynccontextmanager
    async def watching(
        self, control: Control, count: Callable[[Mapping[str, Any]], None], group: str | None = None
    ) -> AsyncIterator[None]:
        """While something is under way: let *count* see its statistics, and the limit of each moment count."""

        async def look() -> None:
            words = {} if group is None else {"group": group}
            while control.alive:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    await control.obey(self._limiter)
                    count(await control.call("core/stats", **words))
                except TransportError:  # whoever waits for the work itself hears of it
                    return

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def helper(self, *arguments: str | bytes, feed: bytes = b"") -> Control:
        """Another rclone for one task that streams; the caller reads its output and ends it."""
        control = await Control.start(
            [*arguments, "--rc", "--stats", "0"],
            config=self._config,
            lease_fd=self._lease_fd,
            title=self._title,
            feed=True,
        )
        control.feed(feed)
        return control

    async def end(self) -> None:
        """Kill it, and what it was doing. Idempotent."""
        control, self._control = self._control, None
        if control is not None:
            await control.end()


async def _read(reader: asyncio.StreamReader, length: int, limit: int) -> bytes:
    """The whole answer, or one byte more than *limit*; *length* -1 is until the end."""
    if length < 0:
        return await reader.read()
    return await reader.readexactly(min(length, limit + 1) if limit >= 0 else length)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:  # longer than any message; the rest of it is one that says nothing
        return b"{}"
