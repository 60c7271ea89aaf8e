"""What is done by commands, on an account that runs them? One rename, hashing over there, asking for room.

Scripts are ours and constant; paths come as their arguments, names NUL-separated on their standard input.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.base import ASSEMBLY, OWNER_NAME, RemoteEntry
from exlab_sync_tui.transport.rsync import scripts
from exlab_sync_tui.transport.rsync.names import given
from exlab_sync_tui.transport.rsync.words import trouble
from exlab_sync_tui.transport.sentences import taken
from exlab_sync_tui.transport.ssh.hashing import FarHasher, NoHasherError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Pulse
    from exlab_sync_tui.transport.rsync.account import Account, Ended

_KIB = 1_024
_HASHED_AT_ONCE = 64 << 20
_FILES_AT_ONCE = 1_000
_HEARTBEAT = 5.0
_SLOWEST = 10 << 20
"""Bytes per second below which hashing over there counts as standing still."""

_COMPOSED, _DECOMPOSED = "exlab-probe-\u00e9", "exlab-probe-e\u0301"


class Commands:
    """Commands on one account. Raises ``TransportError``."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._hasher: FarHasher | None = None
        self.no_hasher = False

    async def publish(self, assembled: str, final: str) -> None:
        """Flush and rename without replacing anything; ``CONFLICT`` if something lies there."""
        ended = await self._run(scripts.PUBLISH, assembled, final, good=(0, scripts.TAKEN, scripts.GONE))
        if ended.status == scripts.TAKEN:
            raise taken(f"{self._account.access.title}/{safe_text(final)}")
        if ended.status == scripts.GONE:
            raise TransportError(
                f"{self._account.access.title}/{safe_text(assembled)} is not there any more; it is made again at the"
                " next attempt.",
                TransportErrorKind.UNKNOWN,
            )

    async def move(self, assembled: str, final: str, rels: Sequence[str]) -> None:
        """Move files from one folder into the other without replacing any; those in whose place one lies stay."""
        await self._run(scripts.MOVE, assembled, final, feed=given(list(rels)))

    async def look(self, path: str) -> tuple[bytes | None, int | None, int | None]:
        """A small file's bytes, if there is one; free and total bytes, where the account tells."""
        told, _, content = (await self._run(scripts.LOOK, path)).out.partition(b"\n\n")
        figures = [int(word) for word in told.split() if word.isdigit()]
        free, total = (figures[2] * _KIB, figures[0] * _KIB) if len(figures) > 2 else (None, None)  # noqa: PLR2004
        return content or None, free, total

    async def find(self, path: str) -> RemoteEntry | None:
        """What lies at this path, links not followed."""
        words = (await self._run(scripts.FIND, path)).out.split()
        return RemoteEntry(path, words[0].decode(), int(words[1])) if len(words) > 1 else None

    async def read(self, path: str, limit: int) -> bytes | None:
        """A small file's bytes; ``None`` if it is absent. ``UNKNOWN`` for one larger than *limit*."""
        ended = await self._run(scripts.READ, path, str(limit), good=(0, scripts.GONE, scripts.TOO_LARGE))
        if ended.status == scripts.TOO_LARGE:
            raise TransportError(
                f"{self._account.access.title}/{safe_text(path)} is larger than {size(limit)}; it was not read."
            )
        return None if ended.status else ended.out

    async def write(self, path: str, data: bytes) -> None:
        """Write a small file, flushed and then renamed to its place."""
        await self._run(scripts.WRITE, path, feed=data)

    async def open(self, incoming: str, owner: bytes) -> bytes:
        """Make an incoming folder with its owner file and its assembly; whose it was already, if it was there."""
        ended = await self._run(scripts.OPEN, incoming, OWNER_NAME, ASSEMBLY, feed=owner, good=(0, scripts.TAKEN))
        if ended.status:
            raise taken(f"{self._account.access.title}/{safe_text(incoming)}")
        return ended.out

    async def tells_apart(self, folder: str) -> tuple[bool, bool]:
        """Whether names that differ in case, or in normalisation, are two there; tried out in our own folder."""
        ended = await self._run(scripts.NAMES, folder, _COMPOSED, _DECOMPOSED)
        return b"c" not in ended.out, b"n" not in ended.out

    async def digests(self, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> list[bytes | None]:
        """SHA-256 of far files, computed there, in the same order; ``None`` for an absent one."""
        hasher = await self._hashing()
        found: list[bytes | None] = []
        for some in _portions(records):
            names = [b".." + self._account.base + os.fsencode(f"/{folder}/{record.rel}") for record in some]
            async with _heartbeat(pulse, some):
                found += await hasher.digests(names)
            pulse.checked_bytes += sum(record.size for record in some)
        return found

    async def can_hash(self) -> bool:
        """Whether one of the tools for it works there."""
        if not self.no_hasher:
            try:
                await self._hashing()
            except NoHasherError:
                self.no_hasher = True
        return not self.no_hasher

    async def _hashing(self) -> FarHasher:
        if self._hasher is None:
            # it works in a folder that exists everywhere and holds an empty file; ours are told by their whole path
            await self._account.connected()
            over = self._account.over_connection
            self._hasher = await FarHasher.open(self._account.access, "/dev", "null", command=over)
        return self._hasher

    async def let_go(self) -> None:
        """End the hashing command; the next digest starts another."""
        hasher, self._hasher = self._hasher, None
        if hasher is not None:
            await hasher.close()

    async def _run(self, script: str, *words: str, feed: bytes = b"", good: Sequence[int] = (0,)) -> Ended:
        ended = await self._account.shell(script, self._account.access.remote_path, *words, feed=feed)
        if ended.status not in good:
            raise trouble(self._account.access, ended.status, ended.said)
        return ended


def _portions(records: Sequence[FileRecord]) -> list[list[FileRecord]]:
    portions: list[list[FileRecord]] = []
    filled = 0
    for record in records:
        if not portions or filled + record.size > _HASHED_AT_ONCE or len(portions[-1]) == _FILES_AT_ONCE:
            portions.append([])
            filled = 0
        portions[-1].append(record)
        filled += record.size
    return portions


@asynccontextmanager
async def _heartbeat(pulse: Pulse, records: Sequence[FileRecord]) -> AsyncIterator[None]:
    """Say that a large file is being hashed over there, for as long as that may take: no byte moves meanwhile."""

    async def beat() -> None:
        longest = sum(record.size for record in records) / _SLOWEST
        seconds = _HEARTBEAT
        while seconds <= longest:
            await asyncio.sleep(_HEARTBEAT)
            pulse.current = f"{records[0].rel} (hashed over there for {seconds:.0f} s)"
            seconds += _HEARTBEAT

    pulse.current = records[0].rel
    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
