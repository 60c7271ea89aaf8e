"""What does a test need to put a run on one side and look at the other? The far sides of all transports look alike."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.transport.base import Identity, Owner, Pulse, PushPlan, TransportError
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.mount.transport import MountOptions, MountTransport
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.testing import FakeTransport
    from exlab_sync_tui.transport.base import Transport

OWNER = Owner("store-1", "job-1")
PARENT = "CONFOCAL_01/Kelp/Runs"
INCOMING = f"{PARENT}/.exlab-incoming/abcd1234"
RUN = f"{INCOMING}/run"
FINAL = f"{PARENT}/Run_1"


class Far(Protocol):
    """The destination as somebody else sees it: paths below its root."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or nothing."""

    def write(self, path: str, data: bytes) -> None:
        """Put a file there behind the transport's back."""

    def make(self, path: str) -> None:
        """Put a folder there behind the transport's back."""

    def has(self, path: str) -> bool:
        """Whether anything lies there."""


class FarOnDisk:
    """A mounted share's own folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def write(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def make(self, path: str) -> None:
        (self.root / path).mkdir(parents=True)

    def has(self, path: str) -> bool:
        return os.path.lexists(self.root / path)


class FarInMemory:
    """What a ``FakeTransport`` holds."""

    def __init__(self, fake: FakeTransport) -> None:
        self.fake = fake

    def read(self, path: str) -> bytes | None:
        return self.fake.files.get(path)

    def write(self, path: str, data: bytes) -> None:
        self.make(path.rpartition("/")[0])
        self.fake.files[path] = data

    def make(self, path: str) -> None:
        while path:
            self.fake.folders.add(path)
            path = path.rpartition("/")[0]

    def has(self, path: str) -> bool:
        return path in self.fake.files or path in self.fake.folders


@dataclass
class Lab:
    """A run folder, a transport and its far side."""

    source: Path
    transport: Transport
    far: Far
    pulse: Pulse = field(default_factory=Pulse)

    def put(self, rel: str | bytes, data: bytes = b"data") -> None:
        """Write a file of the run."""
        path = self.source / os.fsdecode(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def records(self) -> list[FileRecord]:
        """The snapshot of the run."""
        found = walk(self.source)
        return [FileRecord(entry.rel, entry.size, entry.mtime_ns, entry.inode) for entry in found if entry.is_data]

    async def open(self) -> None:
        """Open the incoming folder of every test."""
        await self.transport.open_incoming(INCOMING, OWNER)

    async def send(self, records: Sequence[FileRecord] | None = None) -> dict[str, FileRecord]:
        """Send the run, or some of it, with a new pulse; the records by path."""
        self.pulse = Pulse()
        sent: dict[str, FileRecord] = {}
        plan = self.plan(self.records() if records is None else records)
        async for page in self.transport.push(plan):
            sent |= {record.rel: record for record in page}
        return sent

    async def send_until_trouble(self, records: Sequence[FileRecord]) -> tuple[list[FileRecord], TransportError]:
        """Send records of which one cannot be sent: what was yielded before, and the error."""
        yielded: list[FileRecord] = []
        try:
            async for page in self.transport.push(self.plan(records)):
                yielded += page
        except TransportError as error:
            return yielded, error
        raise AssertionError("nothing went wrong")

    def plan(self, records: Sequence[FileRecord]) -> PushPlan:
        """A plan in pages of a hundred."""

        async def pages() -> AsyncIterator[Sequence[FileRecord]]:
            for start in range(0, len(records), 100):
                yield records[start : start + 100]

        return PushPlan(self.source, RUN, pages(), self.pulse)


async def listed(transport: Transport, folder: str) -> list[tuple[str, str]]:
    """Paths and kinds of everything below *folder*."""
    return [(entry.rel, entry.kind) async for page in transport.list(folder) for entry in page]


def mounted(root: Path, *, limiter: Limiter | None = None, workers: int = 2, **options: object) -> MountTransport:
    """A transport over a local folder."""
    unlimited = limiter or Limiter(None, SystemClock())
    return MountTransport(MountOptions(root, local=True, workers=workers, **options), unlimited)  # type: ignore[arg-type]


def identity() -> Identity:
    """The identity that tests adopt."""
    return Identity("0b9f5b1e-6c39-4f3f-9d57-0f6f0b1f2c3d", "2025-03-09T08:00:00Z")


def sha(data: bytes) -> bytes:
    """SHA-256, raw."""
    return hashlib.sha256(data).digest()
