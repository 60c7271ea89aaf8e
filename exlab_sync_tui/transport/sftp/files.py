"""What is done in the folders of an SFTP server, from the owner file to the rename that makes a run visible?

Requests that do not depend on each other are on their way at the same time: what counts on a slow line is how often an
answer is waited for. Raises ``asyncssh`` and ``OSError`` errors, of which ``session`` makes sentences, and
``TransportError`` where it knows more.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

import asyncssh

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.base import ASSEMBLY, MARKER_NAME, OWNER_NAME, Capabilities, RemoteEntry
from exlab_sync_tui.transport.marker import (
    MARKER_LIMIT,
    OWNER_LIMIT,
    foreign,
    incoming_above,
    owner_in,
    owner_text,
    refuse_outside,
)
from exlab_sync_tui.transport.sentences import taken
from exlab_sync_tui.transport.sftp.session import number_of
from exlab_sync_tui.tree.paths import checked_rel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence

    from exlab_sync_tui.transport.base import Owner
    from exlab_sync_tui.transport.sftp.session import Session

_PAGE = 1_000
_LISTED_AHEAD = 16
"""Folders that are being listed before it is their turn."""

_LOOKED_AHEAD = 4_096
_SORTED_HERE = 4_096
_AT_ONCE = 64
_PIECE = 1 << 20
_NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_TWO_CASES = ("exlab-probe-a", "EXLAB-PROBE-A")
_TWO_FORMS = ("exlab-probe-\u00e9", "exlab-probe-e\u0301")
_KINDS = {stat.S_IFREG: EntryKind.FILE, stat.S_IFDIR: EntryKind.FOLDER, stat.S_IFLNK: EntryKind.LINK}
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


class FarFiles:
    """The far tree as one session sees it; ``rel`` paths lie below the remote root."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sftp = session.sftp
        self._closing: set[asyncio.Future[None]] = set()

    async def marker(self) -> bytes | None:
        """The identity marker, if there is one."""
        return await self.read(MARKER_NAME, MARKER_LIMIT)

    async def stamp(self) -> tuple[int, int] | None:
        """Size and time of the marker: as long as they are the same, so is the marker."""
        attributes = await self._look(MARKER_NAME)
        return None if attributes is None else (attributes.size or 0, _mtime_ns(attributes))

    async def root_is_there(self) -> bool:
        """Whether the remote root is a folder."""
        attributes = await self._look("", follow=True)
        return attributes is not None and _kind(attributes) is EntryKind.FOLDER

    async def find(self, rel: str) -> RemoteEntry | None:
        """What lies at *rel*, links not followed."""
        attributes = await self._look(rel)
        return None if attributes is None else _entry(rel, attributes)

    async def _look(self, rel: str, *, follow: bool = False) -> asyncssh.SFTPAttrs | None:
        path = self._session.path(rel)
        try:
            return await (self._sftp.stat(path) if follow else self._sftp.lstat(path))
        except asyncssh.SFTPError as error:
            if number_of(error) in _ABSENT:
                return None
            raise

    async def pages(self, rel: str) -> AsyncGenerator[list[RemoteEntry], None]:
        """Everything below *rel* in the order of path bytes; folders further down are listed ahead."""
        page: list[RemoteEntry] = []
        waiting: list[tuple[bytes, asyncssh.SFTPAttrs | None]] = [(b"", None)]
        ahead: dict[bytes, asyncio.Task[list[tuple[bytes, asyncssh.SFTPAttrs | None]]]] = {}
        try:
            while waiting:
                name, attributes = waiting.pop()
                if attributes is not None:
                    page.append(_entry(os.fsdecode(name), attributes))
                else:
                    listing = ahead.pop(name, None) or asyncio.create_task(self._listing(rel, name))
                    waiting += await listing
                    for coming, leaf in islice(reversed(waiting), _LOOKED_AHEAD):
                        if leaf is None and coming not in ahead and len(ahead) < _LISTED_AHEAD:
                            ahead[coming] = asyncio.create_task(self._listing(rel, coming))
                if len(page) == _PAGE:
                    yield page
                    page = []
            if page:
                yield page
        finally:
            for task in ahead.values():
                task.cancel()
            await asyncio.gather(*ahead.values(), return_exceptions=True)

    async def _listing(self, rel: str, below: bytes) -> list[tuple[bytes, asyncssh.SFTPAttrs | None]]:
        """Names in one folder, last first; a folder stands twice: for itself, and as ``name/`` for its content."""
        found: list[tuple[bytes, asyncssh.SFTPAttrs | None]] = []
        async for one in self._sftp.scandir(self._session.path(rel) + b"/" + below):
            assert isinstance(one.filename, bytes)  # noqa: S101  # it answers in the type that it was asked in
            if one.filename in (b".", b".."):
                continue
            found.append((below + one.filename, one.attrs))
            if _kind(one.attrs) is EntryKind.FOLDER:
                found.append((below + one.filename + b"/", None))
        if len(found) > _SORTED_HERE:
            await asyncio.to_thread(found.sort, key=itemgetter(0), reverse=True)
        else:
            found.sort(key=itemgetter(0), reverse=True)
        return found

    async def make_folders(self, rel: str, wanted: Iterable[str]) -> bool:
        """Make folders below *rel*, and the folders above them; a link on the way is refused.

        Whether the last one was not there before.
        """
        chains = dict.fromkeys(
            "/".join(path[: depth + 1]) for each in wanted for path in [each.split("/")] for depth in range(len(path))
        )
        places = [f"{rel}/{each}" if rel else each for each in chains]
        made = [asyncio.ensure_future(self._sftp.mkdir(self._session.path(place))) for place in places]
        try:
            await self.refuse_links(places)  # asked for behind them on the same channel, without waiting in between
        except FileNotFoundError:
            await asyncio.gather(*made)  # says why there is none
            raise
        finally:
            results = await asyncio.gather(*made, return_exceptions=True)
        return bool(results) and results[-1] is None

    async def refuse_links(self, rels: Iterable[str]) -> None:
        """``ENOTDIR`` if one of these is a link, or anything else that is no folder; ``ENOENT`` if it is not there."""
        for entry in await asyncio.gather(*(self.find(rel) for rel in rels)):
            if entry is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            if entry.kind != EntryKind.FOLDER:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    async def open_incoming(self, incoming: str, owner: Owner) -> None:
        """Make the incoming folder, its owner file and the assembly, or take our own up again."""
        incoming_above(incoming)
        fresh = await self.make_folders("", [incoming])
        names = set() if fresh else await self._first_names(incoming) - {_temporary(OWNER_NAME)}
        if OWNER_NAME in names:
            if owner_in(await self.read(f"{incoming}/{OWNER_NAME}", OWNER_LIMIT)) != owner:
                raise foreign(self._session.access.title, incoming)
        elif names:
            raise taken(f"{self._session.access.title}/{safe_text(incoming)}")
        else:
            await self.write(incoming, OWNER_NAME, owner_text(owner))
        await self.make_folders(incoming, [ASSEMBLY])

    async def _first_names(self, rel: str) -> set[str]:
        found = await self._sftp.listdir(self._session.path(rel))
        return {os.fsdecode(name) for name in found} - {".", ".."}

    async def name_rules(self, folder: str) -> Capabilities:
        """Which names are the same there; tried out in a folder of ours."""
        space, tells_case, tells_form = await asyncio.gather(
            self._session.space(), self._tells_apart(folder, *_TWO_CASES), self._tells_apart(folder, *_TWO_FORMS)
        )
        return Capabilities(
            case_sensitive=tells_case,
            keeps_normalisation=tells_form,
            max_name_bytes=space.longest_name if space else 255,
        )

    async def _tells_apart(self, folder: str, name: str, other: str) -> bool:
        path = self._session.path(f"{folder}/{name}")
        try:
            file = await self._sftp.open(path, asyncssh.FXF_WRITE | asyncssh.FXF_CREAT, encoding=None)
        except asyncssh.SFTPFailure:  # it does not take such a name at all
            return True
        _, there = await asyncio.gather(file.close(), self.find(f"{folder}/{other}"))
        await self._sftp.remove(path)
        return there is None

    async def write(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file atomically and, where the server can, durably; an older one of ours is replaced."""
        below, _, name = rel.rpartition("/")
        if below:
            await self.make_folders(folder, [below])
        place = f"{folder}/{below}" if below else folder
        part = await self._written(place, name, data)
        final = self._session.path(f"{place}/{name}")
        try:
            await self._sftp.posix_rename(part, final)
        except asyncssh.SFTPOpUnsupported:
            with suppress(asyncssh.SFTPNoSuchFile):
                await self._sftp.remove(final)
            await self._sftp.rename(part, final)

    async def write_new(self, name: str, data: bytes) -> bool:
        """Write a small file at the root; false if something has that name."""
        part = await self._written("", name, data)
        try:
            await self._sftp.rename(part, self._session.path(name))
        except asyncssh.SFTPError:
            await self._sftp.remove(part)
            if await self._look(name) is None:
                raise
            return False
        return True

    async def _written(self, folder: str, name: str, data: bytes) -> bytes:
        path = self._session.path(f"{folder}/{_temporary(name)}" if folder else _temporary(name))
        try:
            file = await self._sftp.open(path, _NEW, encoding=None)
        except asyncssh.SFTPError:
            await self._sftp.remove(path)  # what an earlier attempt left; if it was not that, this tells
            file = await self._sftp.open(path, _NEW, encoding=None)
        try:
            await file.write(data, 0)
        except BaseException:
            await file.close()
            raise
        await asyncio.gather(flush(file), file.close())
        return path

    async def read(self, rel: str, limit: int) -> bytes | None:
        """All bytes of a small file; nothing if there is no file."""
        opening = self._sftp.open(self._session.path(rel), asyncssh.FXF_READ, encoding=None)
        attributes, file = await asyncio.gather(self._look(rel), opening, return_exceptions=True)
        if isinstance(file, asyncssh.SFTPError) and number_of(file) in _ABSENT:
            return None
        if isinstance(file, BaseException):
            raise file
        try:
            if isinstance(attributes, BaseException):
                raise attributes
            if attributes is None or _kind(attributes) is not EntryKind.FILE:
                return None
            return await self._content(file, rel, attributes.size or 0, limit)
        finally:
            self._close_later(file)

    async def _content(self, file: asyncssh.SFTPClientFile, rel: str, expected: int, limit: int) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while piece := await file.read(min(_PIECE, limit + 1 - length), length):
            pieces.append(as_bytes(piece))
            length += len(piece)
            if length > limit:
                raise TransportError(
                    f"{self._session.access.title}/{safe_text(rel)} is larger than {size(limit)}; it was not read."
                )
            if length == expected:
                break
        return await asyncio.to_thread(b"".join, pieces)

    def _close_later(self, file: asyncssh.SFTPClientFile) -> None:
        """Nobody has to wait until a file that was read is closed, nor to hear that it could not be."""
        closing = asyncio.ensure_future(file.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Future[None]) -> None:
        self._closing.discard(closing)
        if not closing.cancelled():
            closing.exception()

    async def remove(self, rels: Iterable[str]) -> None:
        """Remove files; absent ones are fine."""

        async def one(rel: str) -> None:
            with suppress(asyncssh.SFTPNoSuchFile):
                await self._sftp.remove(self._session.path(rel))

        await in_order(one(rel) for rel in rels)

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly of ours."""
        refuse_outside(folder)
        await self.remove(f"{folder}/{checked_rel(rel)}" for rel in rels)

    async def move(self, old: str, new: str) -> None:
        """Rename without replacing anything, be it an empty folder.

        The rename of SFTP version 3 refuses an existing name; a server that would not is asked first.
        """
        if await self.find(new) is not None:
            raise taken(f"{self._session.access.title}/{safe_text(new)}")
        try:
            await self._sftp.rename(self._session.path(old), self._session.path(new))
        except asyncssh.SFTPError:
            if await self.find(new) is not None:
                raise taken(f"{self._session.access.title}/{safe_text(new)}") from None
            raise

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove our own incoming folder one name at a time, its owner file last, then an empty ``.exlab-incoming``."""
        above = incoming_above(incoming)
        if await self.find(incoming) is not None:
            names = await self._first_names(incoming)
            theirs = owner_in(await self.read(f"{incoming}/{OWNER_NAME}", OWNER_LIMIT))
            if theirs != owner and names:
                return
            await self._empty(incoming)
            await self.remove([f"{incoming}/{OWNER_NAME}"])
            await self._sftp.rmdir(self._session.path(incoming))
        if await self.find(above) is not None and not await self._first_names(above):
            with suppress(asyncssh.SFTPError):  # somebody has begun to assemble there in this moment
                await self._sftp.rmdir(self._session.path(above))

    async def _empty(self, top: str) -> None:
        """Remove everything in *top* but the owner file; links are removed, not followed."""
        folders: list[str] = []
        async for page in self.pages(top):
            folders += [entry.rel for entry in page if entry.kind == EntryKind.FOLDER]
            await self.remove(
                f"{top}/{entry.rel}" for entry in page if entry.kind != EntryKind.FOLDER and entry.rel != OWNER_NAME
            )
        for rel in reversed(folders):  # what is in a folder stands behind it
            await self._sftp.rmdir(self._session.path(f"{top}/{rel}"))


async def flush(file: asyncssh.SFTPClientFile) -> None:
    """``fsync@openssh.com`` where the server has it."""
    with suppress(asyncssh.SFTPOpUnsupported):
        await file.fsync()


async def in_order(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Carry out requests that are sent in this order, with many on their way; the first error is raised at the end."""
    running: set[asyncio.Task[None]] = set()
    errors: list[BaseException] = []
    try:
        for one in work:
            running.add(asyncio.create_task(one))
            if len(running) >= _AT_ONCE:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                errors += [error for each in done if (error := each.exception()) is not None]
        if running:
            done, running = await asyncio.wait(running)
            errors += [error for each in done if (error := each.exception()) is not None]
    finally:
        for each in running:
            each.cancel()
    if errors:
        raise errors[0]


def as_bytes(data: bytes | str) -> bytes:
    """What was read from a file that was opened without an encoding."""
    assert isinstance(data, bytes)  # noqa: S101  # asyncssh says so
    return data


def _temporary(name: str) -> str:
    return f".{name[:100]}.exlab-part"


def _kind(attributes: asyncssh.SFTPAttrs) -> EntryKind:
    return _KINDS.get(stat.S_IFMT(attributes.permissions or 0), EntryKind.SPECIAL)


def _mtime_ns(attributes: asyncssh.SFTPAttrs) -> int:
    return int(attributes.mtime or 0) * 1_000_000_000 + (attributes.mtime_ns or 0)


def _entry(rel: str, attributes: asyncssh.SFTPAttrs) -> RemoteEntry:
    kind = _kind(attributes)
    length = (attributes.size or 0) if kind in {EntryKind.FILE, EntryKind.LINK} else 0
    return RemoteEntry(rel, str(kind), length, _mtime_ns(attributes))
