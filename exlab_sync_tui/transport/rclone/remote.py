"""What does one remote of rclone offer, and how are its folders called? Paths in, rclone's words out."""

from __future__ import annotations

import os
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import Pulse, RemoteEntry
from exlab_sync_tui.transport.rclone.daemon import NotThereError
from exlab_sync_tui.transport.rclone.names import on_local_disk, plain, sayable, standard
from exlab_sync_tui.transport.rclone.words import trouble

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from typing import Any

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.rclone.daemon import Daemon

_HASHED_BY_THE_SERVER = frozenset({"sftp", "pcloud"})
"""Types whose SHA-256 is computed over there; others take it from a note of rclone's own, or do not have it."""

_AROUND_ANOTHER = frozenset({"cache", "chunker", "combine", "compress", "crypt", "hasher", "memory", "union"})
"""Types behind which there may be this PC's own disk, or its memory."""

_FOLDER_NOT_FOUND = 3
"""Exit status (rclone's documentation, "List of exit codes")."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the remote can do. ``disk`` is its folder on this PC if it is of type ``local``, else empty."""

    renames_folders: bool
    renames_files: bool
    case_sensitive: bool
    rung: EvidenceLevel
    disk: str = ""

    @property
    def downloads(self) -> bool:
        """Whether a digest costs reading the file back over the line."""
        return self.rung is not EvidenceLevel.REMOTE_HASH and not self.disk


class Remote:
    """One folder of one remote. Paths below it as in ``transport/base.py``."""

    def __init__(self, daemon: Daemon, name: str, root: str, title: str) -> None:
        self.daemon = daemon
        self.title = title
        self._name = name.removesuffix(":")
        self._root = root
        self.fs = f"{self._name}:{root}"
        self._offer: Offer | None = None

    def fs_of(self, folder: str) -> str:
        """A far folder as rclone's commands take it."""
        root = self._root.rstrip("/") + "/" if self._root else ""
        return f"{self._name}:{root}{sayable(folder)}"

    async def offer(self) -> Offer:
        """What the remote can do; asked once."""
        if self._offer is None:
            info = await self.daemon.call("operations/fsinfo", fs=self.fs)
            self._offer = await self._offer_in(info)
        return self._offer

    async def _offer_in(self, info: dict[str, Any]) -> Offer:
        features = info.get("Features", {})
        disk = str(info.get("Root", "")) if features.get("IsLocal") else ""
        rung = EvidenceLevel.READ_BACK
        if not disk:
            kind = await self._type()
            if kind in _AROUND_ANOTHER or not kind:
                rung = EvidenceLevel.READ_BACK_CACHED
            elif kind in _HASHED_BY_THE_SERVER and "sha256" in (info.get("Hashes") or ()):
                rung = EvidenceLevel.REMOTE_HASH
        return Offer(
            renames_folders=bool(features.get("DirMove")),
            renames_files=bool(features.get("Move")),
            case_sensitive=not features.get("CaseInsensitive"),
            rung=rung,
            disk=disk,
        )

    async def _type(self) -> str:
        """The remote's type by ``rclone listremotes --long``, which tells nothing else of the config."""
        async with aclosing(self._lines("listremotes", "--long", names=())) as lines:
            async for line in lines:
                name, _, kind = os.fsdecode(line).partition(":")
                if name == self._name:
                    return kind.strip()
        return ""

    def disk_path(self, offer: Offer, rel: str) -> str:
        """Where a far path lies on this PC, for a remote of type ``local``."""
        return f"{offer.disk.rstrip('/')}/{on_local_disk(rel)}"

    async def call(self, command: str, **words: object) -> dict[str, Any]:
        """A command of the remote control on this folder: ``fs`` is filled in."""
        return await self.daemon.call(command, fs=self.fs, **words)

    async def read(self, path: str, limit: int) -> bytes | None:
        """A far file's bytes, at most *limit* and one; ``None`` if there is none."""
        if "]" in self.fs:
            raise TransportError(
                f"rclone cannot read from {self.title}: the folder's name has a ] in it. Choose another folder in the"
                " config.",
                TransportErrorKind.SET_UP,
            )
        return await (await self.daemon.control()).read(self.fs, os.fsencode(standard(path)), limit)

    async def find(self, path: str) -> RemoteEntry | None:
        """What lies at this path, or nothing."""
        try:
            item = (await self.call("operations/stat", remote=sayable(path))).get("item")
        except NotThereError:
            return None
        if not item:
            return None
        if item.get("IsDir"):
            return RemoteEntry(path, EntryKind.FOLDER)
        return RemoteEntry(path, EntryKind.FILE, int(item.get("Size", 0)))

    async def lies_at(self, path: str) -> bool:
        """Whether anything has this name; one that is not UTF-8 can only be asked for as a file."""
        try:
            return await self.find(path) is not None
        except TransportError as error:
            if error.error_kind is not TransportErrorKind.NAMES:
                raise
        return await self.read(path, 0) is not None

    async def is_empty(self, folder: str) -> bool:
        """Whether nothing lies in a far folder, or there is no such folder."""
        try:
            return not (await self.call("operations/list", remote=sayable(folder))).get("list")
        except NotThereError:
            return True

    async def everything(self, folder: str, alive: Callable[[], None]) -> list[RemoteEntry]:
        """All files and folders below a far folder, in the order of path bytes; none if there is no such folder.

        A server may need minutes for a large run: *alive* is called for each that comes.
        """
        found = []
        options = ("-R", "--format", "sp", "--separator", ";")
        async with aclosing(self._lines("lsf", *options, self.fs_of(folder), names=[folder])) as lines:
            async for line in lines:
                size, _, path = os.fsdecode(line).partition(";")
                rel = plain(path.removesuffix("/"))
                if path.endswith("/"):
                    found.append(RemoteEntry(rel, EntryKind.FOLDER))
                else:
                    found.append(RemoteEntry(rel, EntryKind.FILE, int(size)))
                alive()
        found.sort(key=lambda entry: os.fsencode(entry.rel))
        return found

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse, *, download: bool
    ) -> dict[str, bytes | None]:
        """SHA-256 of far files, by rclone; an absent file is not in it, one without an answer has ``None``."""
        names = "".join(f"{standard(record.rel)}\n" for record in records)
        options = ("--download",) if download else ()
        command = ("hashsum", "sha256", *options, "--files-from-raw", "-", "--checkers", "4", self.fs_of(folder))
        found: dict[str, bytes | None] = {}
        counted = Counted(pulse, "checked_bytes")
        lines = self._lines(*command, names=[folder], feed=os.fsencode(names), counted=counted)
        async with aclosing(lines) as pages:
            async for line in pages:
                digest, _, path = os.fsdecode(line).partition("  ")
                found[plain(path)] = _digest(digest)
        counted.reach(sum(record.size for record in records if record.rel in found))
        return found

    async def _lines(
        self, *command: str, names: Sequence[str], feed: bytes = b"", counted: Counted | None = None
    ) -> AsyncGenerator[bytes, None]:
        """What another rclone writes, line by line. Raises ``TransportError`` unless it ends well."""
        helper = await self.daemon.helper(*command, feed=feed)
        counted = counted or Counted(Pulse(), "checked_bytes")
        try:
            async with self.daemon.watching(helper, counted.see):
                while line := await helper.child.out.readline():
                    yield line.rstrip(b"\n")
            status = await helper.child.wait()
            await helper.heard_all()
            if status not in (0, _FOLDER_NOT_FOUND):
                raise trouble(self.title, list(helper.heard), [*names, self.fs])
        finally:
            await helper.end()


class Counted:
    """Carries rclone's own count of bytes over into one field of a pulse, and in the end what was missing of it."""

    def __init__(self, pulse: Pulse, field: str) -> None:
        self._pulse = pulse
        self._field = field
        self._seen = 0

    def see(self, stats: Mapping[str, Any]) -> None:
        """Take the statistics of ``core/stats``."""
        self.reach(int(stats.get("bytes", 0)))
        moving = stats.get("transferring") or ()
        if moving:
            self._pulse.current = safe_text(moving[0].get("name", ""))

    def reach(self, count: int) -> None:
        """So many bytes in all; what rclone counted twice because it tried again is not taken back."""
        if count > self._seen:
            setattr(self._pulse, self._field, getattr(self._pulse, self._field) + count - self._seen)
            self._seen = count


def _digest(told: str) -> bytes | None:
    try:
        digest = bytes.fromhex(told)
    except ValueError:
        return None
    return digest if len(digest) == 32 else None  # noqa: PLR2004  # a SHA-256
