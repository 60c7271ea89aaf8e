"""What does a bad network do to a connection? A proxy on a loopback port that delays, stalls, cuts and corrupts."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "127.0.0.1"
_PIECE = 64 << 10
_ON_ITS_WAY = 16 << 20
_PROMISE = 20
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes connections on to *target*, in a thread of its own; a context manager.

    ``delay`` seconds pass in each direction, with any amount on its way. ``passed`` counts the bytes towards the
    target. ``cut_at``, ``stall_at`` and ``corrupt_at`` are such counts, each good for once: there all connections are
    reset; or nothing comes through any more until ``go_on``, and ``has_stalled`` is set; or one bit is flipped.
    """

    def __init__(self, target: int, *, delay: float = 0.0) -> None:
        self.target = target
        self.delay = delay
        self.passed = 0
        self.connections = 0
        self.cut_at: int | None = None
        self.corrupt_at: int | None = None
        self.stall_at: int | None = None
        self.port = 0
        self.has_stalled = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._flows: set[asyncio.Task[None]] = set()
        self._sockets: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def stall(self) -> None:
        """Nothing comes through any more, and nothing is closed."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def go_on(self) -> None:
        """What was held comes through, and what follows."""
        self._loop.call_soon_threadsafe(self._open.set)

    def cut(self) -> None:
        """Reset all connections."""
        self._do(self._cut)

    def refuse(self) -> None:
        """Refuse new connections and reset those that are there."""

        def refuse() -> None:
            self._listener.close()
            self._cut()

        self._do(refuse)

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        self._do(self._listen)

    def _do(self, work: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            work()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(_PROMISE)

    def _listen(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((_HOST, self.port))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._start(self._serve(self._listener))

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)  # type: ignore[arg-type]  # coroutines
        self._flows.add(task)
        task.add_done_callback(self._flows.discard)

    async def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = await self._loop.sock_accept(listener)
                self.connections += 1
                self._start(self._connect(near))

    async def _connect(self, near: socket.socket) -> None:
        far = socket.socket()
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.add(end)
        try:
            await self._loop.sock_connect(far, (_HOST, self.target))
        except OSError:
            self._close(near, far)
            return
        await asyncio.gather(self._flow(near, far, counted=True), self._flow(far, near, counted=False))
        self._close(near, far)

    async def _flow(self, source: socket.socket, sink: socket.socket, *, counted: bool) -> None:
        coming: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_ITS_WAY // _PIECE)

        async def read() -> None:
            data = b"."
            while data:
                try:
                    data = await self._loop.sock_recv(source, _PIECE)
                except OSError:
                    data = b""
                await coming.put((self._loop.time() + self.delay, data))

        reading = self._loop.create_task(read())
        try:
            while True:
                due, data = await coming.get()
                if (wait := due - self._loop.time()) > 0:
                    await asyncio.sleep(wait)
                await self._open.wait()
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    break
                await self._loop.sock_sendall(sink, self._changed(data) if counted else data)
        except OSError:
            self._close(source, sink)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _changed(self, data: bytes) -> bytes:
        begin, self.passed = self.passed, self.passed + len(data)
        if self.corrupt_at is not None and begin <= self.corrupt_at < self.passed:
            at, self.corrupt_at = self.corrupt_at - begin, None
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        if self.cut_at is not None and self.passed > self.cut_at:
            self.cut_at = None
            self._cut()
        if self.stall_at is not None and self.passed > self.stall_at:
            self.stall_at = None
            self._open.clear()
            self.has_stalled.set()
        return data

    def _cut(self) -> None:
        self._close(*self._sockets)

    def _close(self, *ends: socket.socket) -> None:
        for end in ends:
            self._sockets.discard(end)
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self._loop.remove_reader(end.fileno())
                self._loop.remove_writer(end.fileno())
            end.close()

    def __enter__(self) -> Self:
        self._open = asyncio.Event()
        self._open.set()
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._listener.close()
            self._cut()
            while flows := list(self._flows):  # one may have just begun another
                for task in flows:
                    task.cancel()
                await asyncio.gather(*flows, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(_PROMISE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PROMISE)
        self._loop.close()
