"""What does a feeding process do? It reads source files, hashes them and writes them into the pipe of an ``ssh``.

Started like a copying child (``copier.process``) and spoken to over the same frames: so neither hashing nor a network
that stands still can hold the engine. What it writes are requests of ``ssh.agent``,
which tells how much of it has come.
"""

from __future__ import annotations

import hashlib
import os
import queue
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, TypeAlias

from exlab_sync_tui.transport.copier.send import Place
from exlab_sync_tui.transport.copier.source import Source
from exlab_sync_tui.transport.copier.wire import Flow, Pipe, Side, Trouble
from exlab_sync_tui.transport.ssh.agent import ABORT, CHUNK, LENGTH, PUT, REQUEST
from exlab_sync_tui.tree.buffers import page_aligned
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.transport.copier.wire import Told

Part: TypeAlias = tuple[str, int, int, int, int, bytes]
"""What is to be sent: path, size, mtime, inode; how many bytes lie there already, and their digest."""

_GATHERED = 256 << 10


class _Outlet:
    """The pipe of the ``ssh``; small pieces are gathered."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gathered = bytearray()

    def put(self, data: bytes | memoryview) -> None:
        """Gather a small piece; raises ``BrokenPipeError`` if nobody reads any more."""
        self._gathered += data
        if len(self._gathered) >= _GATHERED:
            self.flush()

    def put_large(self, data: memoryview) -> None:
        """Write a large piece at once, behind what was gathered."""
        self.flush()
        self._write(data)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._gathered:
            gathered, self._gathered = self._gathered, bytearray()
            self._write(memoryview(gathered))

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[os.write(self._fd, data) :]


class _Feeder:
    def __init__(self, outlet: _Outlet, flow: Flow) -> None:
        self._outlet = outlet
        self._flow = flow
        self._near = ""
        self._here = Place(self._below)
        self._view = page_aligned(CHUNK)

    def _below(self, rel: str) -> Folder:
        with Folder.root(self._near) as top:
            return top.below(rel)

    def do(self, task: tuple[Any, ...]) -> tuple[list[tuple[bytes, bool]], Told | None]:
        """``("ask", requests)`` or ``("put", before, near, parts, behind)``, the requests around the files'.

        The answer: digests and whether sent; trouble.
        """
        try:
            if task[0] == "ask":
                self._outlet.put(task[1])
                self._outlet.flush()
                return [], None
            return self._put(*task[1:])
        except BrokenPipeError as error:
            return [], (Side.FAR, "", error.errno or 0, "")

    def _put(
        self, before: bytes, near: str, parts: Sequence[Part], behind: bytes
    ) -> tuple[list[tuple[bytes, bool]], Told | None]:
        self._outlet.put(before)
        if near != self._near:
            self._here.leave()
            self._near = near
        outcomes: list[tuple[bytes, bool]] = []
        trouble: Told | None = None
        try:
            for part in parts:
                self._flow.current = part[0]
                self._flow.moved()
                outcomes.append(self._send(part))  # a trouble keeps those before it
        except Trouble as found:
            trouble = found.told
        self._outlet.put(behind)
        self._outlet.flush()
        return outcomes, trouble

    def _send(self, part: Part) -> tuple[bytes, bool]:
        rel, size, _, _, there, digest = part
        folder, _, name = rel.rpartition("/")
        try:
            here = self._here.enter(folder)
        except OSError as error:
            raise Trouble(Side.NEAR, rel, error.errno or 0) from None
        with Source(here, name, part[:4]) as source:
            sha, offset = self._continued(source, there, digest)
            sent = offset < size or not digest
            if sent:
                self._stream(source, part, sha, offset)
            else:
                source.check_unchanged()
            return sha.digest(), sent

    def _continued(self, source: Source, there: int, digest: bytes) -> tuple[hashlib._Hash, int]:
        """Where to go on: behind what lies there if that equals the source's beginning, else at the first byte."""
        if there:
            sha = source.hash_beginning(there, self._view)
            if sha.digest() == digest:
                self._flow.moved(skipped=there)
                return sha, there
            source.rewind()
        return hashlib.sha256(), 0

    def _stream(self, source: Source, part: Part, sha: hashlib._Hash, offset: int) -> None:
        rel, size, mtime_ns = part[:3]
        name = os.fsencode(rel)
        put, flow = self._outlet.put, self._flow
        put(REQUEST.pack(PUT, len(name), offset, size, mtime_ns) + name)
        try:
            while offset < size:
                count = source.read_into(self._view[: flow.take(min(size - offset, CHUNK))])
                piece = self._view[:count]
                sha.update(piece)
                put(LENGTH.pack(count))
                if count < _GATHERED:
                    put(piece)
                else:
                    self._outlet.put_large(piece)
                offset += count
            source.check_unchanged()
        except Trouble:
            put(LENGTH.pack(ABORT))
            raise
        put(LENGTH.pack(0))


def main(arguments: Sequence[str]) -> None:
    """Serve until the engine closes the pipe. Arguments: the descriptor of the ssh's stdin, ``limited|free``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl+c is for the engine, which then ends us
    descriptor, limited = arguments
    pipe = Pipe(sys.stdin.fileno(), sys.stdout.fileno())
    flow = Flow(pipe, limited=limited == "limited")
    tasks: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, flow, tasks), name="listener", daemon=True).start()
    feeder = _Feeder(_Outlet(int(descriptor)), flow)
    try:
        while True:
            outcomes, trouble = feeder.do(tasks.get())
            pipe.write("done", outcomes, trouble, flow.counts())
    except Exception:  # noqa: BLE001  # told to the engine, which raises it
        pipe.write("crash", traceback.format_exc())
        os._exit(1)


def _listen(pipe: Pipe, flow: Flow, tasks: queue.SimpleQueue[tuple[Any, ...]]) -> None:
    """Sort what comes in; nobody there any more means to stop at once, wherever the work is."""
    while (frame := pipe.read()) is not None:
        if frame[0] == "grant":
            flow.grant(frame[1])
        else:
            tasks.put(frame)
    os._exit(0)
