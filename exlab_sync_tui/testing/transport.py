"""What would a destination do? One in memory, whose failures are written into it beforehand."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import (
    ASSEMBLY,
    OWNER_NAME,
    Capabilities,
    DestinationState,
    Identity,
    Owner,
    PushPlan,
    RemoteEntry,
    TransportError,
    TransportErrorKind,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from datetime import datetime

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Pulse

_PAGE = 1_000
ADOPTED = Identity("6f0e7c9e-3c5a-4a53-9a3e-0d5f3f1f2a11", "2025-01-01T00:00:00Z")
"""The identity that a fake destination has unless told otherwise."""


@dataclass(slots=True)
class _Fault:
    error: TransportError
    times: int
    after: int


class FakeTransport:
    """A ``Transport`` whose far side is ``files`` (path → bytes) and ``folders``; all may be looked at and changed.

    ``calls`` counts the calls of each method, ``sent`` lists the far paths that were really sent (not skipped). While
    ``away`` is true every call fails as ``network``. ``before`` may hold, per method, something to do before each call,
    and for ``push`` and ``digests`` before each file. With ``time`` it stamps what is written, as a server does.
    """

    def __init__(
        self,
        *,
        title: str = "the destination in memory",
        identity: Identity | None = ADOPTED,
        capabilities: Capabilities | None = None,
        free_bytes: int | None = None,
    ) -> None:
        self._title = title
        self.identity = identity
        self.capabilities = capabilities or Capabilities(rung=EvidenceLevel.REMOTE_HASH)
        self.free_bytes = free_bytes
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = set()
        self.owners: dict[str, Owner] = {}
        self.away = False
        self.calls: Counter[str] = Counter()
        self.sent: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.time: Callable[[], datetime] | None = None
        self._stamps: dict[str, int] = {}
        self._expected = ""
        self._faults: dict[str, list[_Fault]] = {}
        self._spoiled: Counter[str] = Counter()

    @property
    def title(self) -> str:
        """How the destination is called in sentences."""
        return self._title

    def fail(
        self, method: str, kind: TransportErrorKind, sentence: str = "", *, times: int = 1, after: int = 0
    ) -> None:
        """Let *method* fail *times* times, once it has gone well *after* times (of ``push`` and ``digests``: files)."""
        error = TransportError(sentence or f"{self._title}: {kind.value} was asked for", kind)
        self._faults.setdefault(method, []).append(_Fault(error, times, after))

    def spoil(self, rel: str, *, times: int = 1) -> None:
        """Flip a bit of the file *rel* on its way, the next *times* times it is sent."""
        self._spoiled[rel] += times

    def damage(self, path: str) -> None:
        """Flip a bit of the far file *path* where it lies."""
        self.files[path] = _flipped(self.files[path])

    def _meet(self, method: str) -> None:
        if method in self.before:
            self.before[method]()
        if self.away:
            raise TransportError(f"{self._title} does not answer", TransportErrorKind.NETWORK)
        faults = self._faults.get(method, [])
        if not faults:
            return
        if faults[0].after:
            faults[0].after -= 1
            return
        faults[0].times -= 1
        error = faults[0].error
        if not faults[0].times:
            del faults[0]
        raise TransportError(str(error), error.error_kind)

    def _enter(self, method: str) -> None:
        self.calls[method] += 1
        self._meet(method)
        is_other = self.identity is None or self.identity.id != self._expected
        if self._expected and is_other and method not in ("probe", "adopt"):
            raise TransportError(f"{self._title} is another destination now.", TransportErrorKind.WRONG_DESTINATION)

    async def probe(self) -> DestinationState:
        """The identity and the free space."""
        self._enter("probe")
        return DestinationState(self.identity, self.free_bytes, None, self.capabilities)

    def expect(self, identity: str) -> None:
        """From now on refuse to work under another identity."""
        self._expected = identity

    async def adopt(self, identity: Identity) -> Identity:
        """Take on *identity* unless there is one."""
        self._enter("adopt")
        self.identity = self.identity or identity
        return self.identity

    async def find(self, folder: str) -> RemoteEntry | None:
        """What lies at this path."""
        self._enter("find")
        return self._entry(folder, folder)

    def _entry(self, path: str, rel: str) -> RemoteEntry | None:
        if path in self.files:
            return RemoteEntry(rel, "file", len(self.files[path]), self._stamps.get(path, 0))
        return RemoteEntry(rel, "folder") if path in self.folders else None

    async def list(self, folder: str) -> AsyncIterator[Sequence[RemoteEntry]]:
        """Everything below a far folder in the order of path bytes."""
        self._enter("list")
        paths = sorted(_below(folder, [*self.files, *self.folders]), key=os.fsencode)
        entries = [self._entry(path, path[len(folder) + 1 :]) for path in paths]
        found = [entry for entry in entries if entry is not None]
        for start in range(0, len(found), _PAGE):
            yield found[start : start + _PAGE]

    async def open_incoming(self, incoming: str, owner: Owner) -> Capabilities:
        """Make the incoming folder or take our own up again."""
        self._enter("open_incoming")
        if self.owners.setdefault(incoming, owner) != owner:
            raise TransportError(f"{safe_text(incoming)} belongs to another job", TransportErrorKind.CONFLICT)
        self._make(f"{incoming}/{ASSEMBLY}")
        if self.time is not None:
            self._store(f"{incoming}/{OWNER_NAME}", b"owner")
        return self.capabilities

    def _stamp(self, path: str) -> None:
        if self.time is not None:
            self._stamps[path] = round(self.time().timestamp() * 1e9)

    def _make(self, folder: str) -> None:
        while folder and folder not in self.folders:
            self.folders.add(folder)
            folder = folder.rpartition("/")[0]

    def _store(self, path: str, data: bytes) -> None:
        growth = len(data) - len(self.files.get(path, b""))
        if self.free_bytes is not None:
            if growth > self.free_bytes:
                raise TransportError(
                    f"{self._title} has {self.free_bytes} bytes free and {growth} are needed",
                    TransportErrorKind.NO_SPACE,
                )
            self.free_bytes -= growth
        self._make(path.rpartition("/")[0])
        self.files[path] = data
        self._stamp(path)

    async def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Send the plan, a file at a time."""
        self.calls["push"] += 1
        async for page in plan.pages:
            for record in page:
                self._meet("push")
                plan.pulse.current = record.rel
                data = _read_source(plan, record)
                self._send(plan, record, data)
                plan.pulse.files_done += 1
                yield [self._proved(plan.folder, record._replace(sha256=hashlib.sha256(data).digest()))]

    def _send(self, plan: PushPlan, record: FileRecord, data: bytes) -> None:
        path = f"{plan.folder}/{record.rel}"
        if self.files.get(path) == data:
            plan.pulse.skipped_bytes += len(data)
            return
        if self._spoiled[record.rel]:
            self._spoiled[record.rel] -= 1
            self._store(path, _flipped(data))
        else:
            self._store(path, data)
        self.sent.append(path)
        plan.pulse.sent_bytes += len(data)

    def _proved(self, folder: str, record: FileRecord) -> FileRecord:
        data = self.files.get(f"{folder}/{record.rel}")
        if data is None or self.capabilities.rung is None:
            return record._replace(far_sha256=None, rung=None)
        return record._replace(far_sha256=hashlib.sha256(data).digest(), rung=self.capabilities.rung)

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncIterator[Sequence[FileRecord]]:
        """Fresh digests of far files; an absent one has none."""
        self.calls["digests"] += 1
        for record in records:
            self._meet("digests")
            pulse.checked_bytes += record.size
            yield [self._proved(folder, record)]

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly."""
        self._enter("discard")
        for rel in rels:
            self.files.pop(f"{folder}/{rel}", None)

    async def make_folders(self, folder: str, rels: Sequence[str]) -> None:
        """Make folders below *folder*."""
        self._enter("make_folders")
        for rel in rels:
            self._make(f"{folder}/{rel}")

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file."""
        self._enter("write_text")
        self._store(f"{folder}/{rel}", data)

    async def read_text(self, folder: str, rel: str, *, limit: int = 64 << 20) -> bytes | None:
        """A small file's bytes. Raises ``unknown`` for one larger than *limit*."""
        self._enter("read_text")
        data = self.files.get(f"{folder}/{rel}")
        if data is not None and len(data) > limit:
            raise TransportError(
                f"{safe_text(folder)}/{safe_text(rel)} is larger than {limit} bytes", TransportErrorKind.UNKNOWN
            )
        return data

    async def publish(self, assembled: str, final: str) -> None:
        """Rename a folder without replacing anything."""
        self._enter("publish")
        if self._entry(final, final) is not None:
            raise TransportError(f"{safe_text(final)} exists already at {self._title}", TransportErrorKind.CONFLICT)
        self._make(final)
        self.folders |= {final + path[len(assembled) :] for path in _below(assembled, self.folders)}
        for path in _below(assembled, self.files):
            self.files[final + path[len(assembled) :]] = self.files.pop(path)
            self._stamps[final + path[len(assembled) :]] = self._stamps.pop(path, 0)
        self.folders -= {assembled, *_below(assembled, self.folders)}

    async def publish_file(self, assembled: str, final: str, rel: str) -> None:
        """Move one assembled file without replacing anything."""
        self._enter("publish_file")
        source, target = f"{assembled}/{rel}", f"{final}/{rel}"
        if self._entry(target, rel) is not None:
            raise TransportError(f"{safe_text(target)} exists already at {self._title}", TransportErrorKind.CONFLICT)
        self._make(target.rpartition("/")[0])
        self.files[target] = self.files.pop(source)

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove what is left of our own incoming folder."""
        self._enter("remove_incoming")
        if self.owners.get(incoming) != owner:
            return
        del self.owners[incoming]
        for path in _below(incoming, self.files):
            del self.files[path]
        self.folders -= {incoming, *_below(incoming, self.folders)}

    async def close(self) -> None:
        """Nothing to end."""
        self.calls["close"] += 1


def _below(folder: str, paths: Sequence[str] | set[str] | dict[str, bytes]) -> list[str]:
    return [path for path in paths if path.startswith(f"{folder}/")]


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else b"\x01"


def _read_source(plan: PushPlan, record: FileRecord) -> bytes:
    """The file's bytes, if it is as the record says right before and right after."""
    path = plan.source / record.rel
    try:
        before = path.lstat()
        data = path.read_bytes()
        after = path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TransportError(f"{safe_text(path)} is gone", TransportErrorKind.LOCAL_FILE_VANISHED) from error
    except PermissionError as error:
        raise TransportError(f"{safe_text(path)} cannot be read", TransportErrorKind.LOCKED) from error
    for seen in (before, after):
        if (seen.st_size, seen.st_mtime_ns) != (record.size, record.mtime_ns) or record.inode not in {0, seen.st_ino}:
            raise TransportError(f"{safe_text(path)} changed while it was sent", TransportErrorKind.CHANGED)
    return data
