"""What is done in far folders with nothing but rsync itself?

It lists, reads and writes small files, makes folders and removes what is ours, on an account that allows no commands.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.base import RemoteEntry
from exlab_sync_tui.transport.listing import unheard
from exlab_sync_tui.transport.rsync.account import make_parents
from exlab_sync_tui.transport.rsync.names import listed
from exlab_sync_tui.transport.rsync.words import NOT_ALL, VANISHED, trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.transport.rsync.account import Account, Ended

_LIST = ("--list-only", "--no-implied-dirs")
_ABSENT = ("No such file or directory", "Not a directory")


class FarFolder:
    """The root on the account, and what lies below it."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def find(self, path: str) -> RemoteEntry | None:
        """What lies at this path, or nothing."""
        found = await self._listed(("-d",), path)
        return found[-1] if found and found[-1].rel == path else None

    async def everything(self, folder: str, alive: Callable[[], None] = unheard) -> list[RemoteEntry]:
        """All files and folders below a far folder, in the order of path bytes; none if there is no such folder.

        *alive* is called for each piece that comes.
        """
        found = await self._listed(("-r",), f"{folder}/", alive)
        return await asyncio.to_thread(_below, folder, found)

    async def _listed(
        self, options: Sequence[str], path: str, alive: Callable[[], None] = unheard
    ) -> list[RemoteEntry]:
        told: list[bytes] = []

        def hear(piece: bytes) -> None:
            told.append(piece)
            alive()

        async with self._staging("empty") as nowhere:
            ended = await self._account.rsync(
                (*_LIST, *options), self._account.argument(), str(nowhere), names=[path], hear=hear, good=(0, NOT_ALL)
            )
        self._refuse(ended)
        return await asyncio.to_thread(_entries, b"".join(told))

    async def read(self, path: str, limit: int) -> bytes | None:
        """A small file's bytes; ``None`` if it is absent. ``UNKNOWN`` for one larger than *limit*."""
        async with self._staging("read") as folder:
            ended = await self._account.rsync(
                (f"--max-size={limit}",), self._account.argument(), f"{folder}/", names=[path], good=(0, NOT_ALL)
            )
            content = await asyncio.to_thread(_content, folder / path)
        if content is not None:
            return content
        if ended.status == 0 and (found := await self.find(path)) is not None and found.kind == EntryKind.FILE:
            raise TransportError(
                f"{self._account.access.title}/{safe_text(path)} is larger than {size(limit)}; it was not read."
            )
        self._refuse(ended)
        return None

    async def put(self, files: dict[str, bytes], folders: Sequence[str] = ()) -> None:
        """Write small files, each whole or not at all, replacing older ones of ours, and make folders, in one go."""

        def lay_out(top: Path) -> None:
            make_parents(top, [*files, *folders])
            for folder in folders:
                (top / folder).mkdir(exist_ok=True)
            for rel, data in files.items():
                (top / rel).write_bytes(data)
                (top / rel).chmod(0o644)

        async with self._staging("put", lay_out) as top:
            await self._account.rsync(("-I", "-d"), f"{top}/", self._account.argument(), names=[*folders, *files])

    async def remove(self, folder: str, rels: Sequence[str], *, whole: bool = False) -> None:
        """Remove files, and empty folders, below a far folder of ours; with *whole* also what is in those folders."""
        force = ("-r", "--force") if whole else ("-d",)
        async with self._staging("remove", lambda top: make_parents(top, rels)) as nothing:
            ended = await self._account.rsync(
                (*force, "--delete-missing-args"),
                f"{nothing}/",
                self._account.argument(folder),
                names=rels,
                good=(0, NOT_ALL, VANISHED),
            )
        self._refuse(ended)

    def _refuse(self, ended: Ended) -> None:
        """What failed for another reason than that there is nothing."""
        told = [line for line in ended.said.splitlines() if line.startswith("rsync: [")]
        bad = [line for line in told if not any(word in line for word in (*_ABSENT, "write error: Broken pipe"))]
        if ended.status == NOT_ALL and bad:
            raise trouble(self._account.access, ended.status, "\n".join(bad))

    @asynccontextmanager
    async def _staging(self, kind: str, lay_out: Callable[[Path], None] | None = None) -> AsyncIterator[Path]:
        """A folder here that looks as one over there shall look, for the time of one errand."""
        folder = self._account.fresh(kind)
        try:
            if lay_out is not None:
                await asyncio.to_thread(lay_out, folder)
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


_KINDS = {"-": EntryKind.FILE, "d": EntryKind.FOLDER, "l": EntryKind.LINK}


def _entries(told: bytes) -> list[RemoteEntry]:
    """What rsync lists; in a thread, since a listing may have a million lines."""
    entries = []
    for line in told.split(b"\n"):
        if (found := listed(line)) is not None:
            kind, amount, rel = found
            entries.append(RemoteEntry(rel.rstrip("/"), _KINDS.get(kind, EntryKind.SPECIAL), amount))
    return entries


def _below(folder: str, entries: Sequence[RemoteEntry]) -> list[RemoteEntry]:
    above = f"{folder}/"
    below = [RemoteEntry(it.rel[len(above) :], it.kind, it.size) for it in entries if it.rel.startswith(above)]
    below.sort(key=lambda entry: os.fsencode(entry.rel))
    return below


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None
