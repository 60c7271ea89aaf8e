"""How do the engine and its copying children speak? Frames over pipes; this module imports nothing but the basics."""

from __future__ import annotations

import marshal
import os
import struct
import threading
import time
from typing import Any, TypeAlias

HEADER = struct.Struct("<I")
PROGRESS_STEP = 4 << 20
PROGRESS_SECONDS = 1.0
"""Bytes after which a child tells how far it is."""

ASK = 1 << 20
"""Bytes that a child asks for at a time where a bandwidth limit may apply."""

FilePart: TypeAlias = tuple[str, int, int, int]
"""What a child needs of a record: path, size, mtime in nanoseconds, inode (0 = not compared)."""

Outcome: TypeAlias = tuple[bytes | None, bytes | None, str]
"""What a child says of one file: digest of the bytes sent, of those read back, name of the rung or ``""``."""

Counts: TypeAlias = tuple[int, int, int]
"""Bytes sent, skipped and checked since the last time."""

Told: TypeAlias = tuple[str, str, int, str]
"""A trouble on its way to the engine: the side, the path, the errno, what was different."""


class Side:
    """Where it went wrong; the engine makes the class and the sentence of it."""

    NEAR = "near"
    FAR = "far"
    FOLDER = "folder"
    NAME = "name"
    CHANGED = "changed"


class Trouble(Exception):  # noqa: N818  # it is what a child reports, and becomes a TransportError
    """One file that could not be moved, or could not be proved."""

    def __init__(self, side: str, rel: str, number: int = 0, detail: str = "") -> None:
        super().__init__(side, rel, number, detail)
        self.told: Told = (side, rel, number, detail)


def pack(frame: tuple[Any, ...]) -> bytes:
    """A frame as bytes: its length, then the values."""
    body = marshal.dumps(frame)
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> tuple[Any, ...]:
    """The values of a frame's body; both ends are the same program on the same machine."""
    frame: tuple[Any, ...] = marshal.loads(body)  # noqa: S302  # from our own child only
    return frame


class Pipe:
    """A child's end: whole frames in and out; threads may write at the same time."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = threading.Lock()

    def read(self) -> tuple[Any, ...] | None:
        """The next frame; ``None`` once the engine is gone."""
        header = self._exactly(HEADER.size)
        body = self._exactly(HEADER.unpack(header)[0]) if header else None
        return unpack(body) if body else None

    def write(self, *frame: object) -> None:
        """Send one frame."""
        data = memoryview(pack(frame))
        with self._writing:
            while data:
                data = data[os.write(self._outgoing, data) :]

    def _exactly(self, count: int) -> bytes | None:
        parts = []
        while count:
            part = os.read(self._incoming, count)
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Flow:
    """What a child may still move, and what it has moved since it last said so; shared by its threads."""

    STEP = 4096

    def __init__(self, pipe: Pipe, *, limited: bool) -> None:
        self._pipe = pipe
        self._limited = limited
        self._counting = threading.Lock()
        self._asking = threading.Lock()
        self._answer = threading.Semaphore(0)
        self._allowed = 0
        self._sent = self._skipped = self._checked = 0
        self._untold = 0
        self._told_at = time.monotonic()
        self.current = ""

    def take(self, wanted: int) -> int:
        """Wait for leave to move up to *wanted* bytes; the answer is *wanted* or a smaller multiple of 4096."""
        if not self._limited or not wanted:
            return wanted
        with self._asking:
            while self._allowed < min(wanted, self.STEP):
                self._pipe.write("ask", ASK, self.counts(), self.current)
                self._answer.acquire()
            granted = min(wanted, self._allowed)
            if granted < wanted:
                granted -= granted % self.STEP
            self._allowed -= granted
            return granted

    def grant(self, count: int) -> None:
        """The engine's answer, delivered by the thread that reads the pipe."""
        self._allowed += count
        self._answer.release()

    def moved(self, sent: int = 0, skipped: int = 0, checked: int = 0) -> None:
        """Count bytes; the engine hears of them every few MiB, every second on a slow link, and with each answer."""
        with self._counting:
            self._sent += sent
            self._skipped += skipped
            self._checked += checked
            self._untold += sent + skipped + checked
            due = self._untold >= PROGRESS_STEP or time.monotonic() - self._told_at >= PROGRESS_SECONDS
        if due:
            self._pipe.write("at", self.counts(), self.current)

    def counts(self) -> Counts:
        """What was moved since the last call."""
        with self._counting:
            told = (self._sent, self._skipped, self._checked)
            self._sent = self._skipped = self._checked = self._untold = 0
            self._told_at = time.monotonic()
        return told
