"""How is one large file sent so that its proof is ready when its last byte is?

Three threads, which all spend their time outside the interpreter's lock: one reads the source and writes, one hashes
what was read, one reads back what was written.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.transport.copier import page_cache
from exlab_sync_tui.transport.copier.target import Target
from exlab_sync_tui.transport.copier.trail import LAG, Trail
from exlab_sync_tui.tree.buffers import page_aligned

if TYPE_CHECKING:
    from exlab_sync_tui.transport.copier.source import Source
    from exlab_sync_tui.transport.copier.wire import FilePart, Flow, Outcome
    from exlab_sync_tui.tree.folder import Folder

LARGE = 32 << 20
"""Bytes from which a file is read back while it is still being written."""

CHUNK = 1 << 20
_BUFFERS = 8


class Hashing:
    """A thread that hashes pieces in the order in which they are handed over, and gives their buffers back."""

    def __init__(self, sha: hashlib._Hash) -> None:
        self.sha = sha
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._pieces: queue.SimpleQueue[tuple[memoryview, int] | None] = queue.SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(page_aligned(CHUNK))
        self._thread = threading.Thread(target=self._run, name="hashing", daemon=True)
        self._thread.start()

    def buffer(self) -> memoryview:
        """A buffer of ``CHUNK`` bytes that nobody uses."""
        return self._free.get()

    def hand_over(self, buffer: memoryview, count: int) -> None:
        """Hash the first *count* bytes; the buffer may still be read, but not written, by who handed it over."""
        self._pieces.put((buffer, count))

    def digest(self) -> bytes:
        """SHA-256 of everything that was handed over."""
        self._end()
        return self.sha.digest()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            buffer, count = piece
            self.sha.update(buffer[:count])
            self._free.put(buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


class LargeFile:
    """One open *source* on its way to *name* in the far *folder*; what an earlier attempt left there is continued."""

    def __init__(self, source: Source, folder: Folder, name: str, part: FilePart, flow: Flow) -> None:
        self._source = source
        self._place = (folder, name)
        self._rel, self._size, self._mtime_ns, _ = part
        self._flow = flow
        self._target = Target(folder, name, self._rel)

    def send(self) -> Outcome:
        """Send and prove it; raises ``Trouble``."""
        try:
            if not self._target.create():
                length = self._target.continued(self._size)
                outcome = self._continue(length) if length else None
                if outcome is not None:
                    return outcome
                self._target.replace()
            with self._trail() as trail:
                return self._write_on(trail, hashlib.sha256(), 0)
        finally:
            self._target.close()

    def _trail(self) -> Trail:
        return Trail(*self._place, self._rel, self._flow)

    def _continue(self, length: int) -> Outcome | None:
        """Go on behind what is there if that equals the source's beginning; else ``None``, and the source rewound."""
        with self._trail() as trail:
            sha = self._source.hash_beginning(length, page_aligned(CHUNK))
            if trail.digest_at(length) != sha.digest():
                self._source.rewind()
                return None
            self._target.append(length)
            self._flow.moved(skipped=length)
            return self._write_on(trail, sha, length)

    def _write_on(self, trail: Trail, sha: hashlib._Hash, offset: int) -> Outcome:
        with Hashing(sha) as hashing:
            self._copy(trail, hashing, offset)
            self._target.finish(self._mtime_ns, flush=True)
            self._source.check_unchanged()
            return (hashing.digest(), *trail.finish())

    def _copy(self, trail: Trail, hashing: Hashing, offset: int) -> None:
        flow, begun = self._flow, offset
        while offset < self._size:
            buffer = hashing.buffer()
            count = self._source.read_into(buffer[: flow.take(min(self._size - offset, CHUNK))])
            hashing.hand_over(buffer, count)
            self._target.write(buffer[:count])
            offset += count
            flow.moved(sent=count)
            if offset - begun >= LAG and not trail.in_memory:
                page_cache.start_writing_out(self._target.fd, begun, offset - begun)
                begun = offset
            trail.grown(offset)
