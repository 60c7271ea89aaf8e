"""How is a run sent where no command may be run, or the NAS has no Python? By pipelined SFTP writes, proved afterwards.

Small files are read and hashed a batch at a time in a thread and written with many requests on their way; of a large
file a few pieces are always on their way. Digests come from a tool of the NAS where one may run (``ssh.hashing``), else
what was written is read again over the connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import asyncssh

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.copier.wire import Trouble
from exlab_sync_tui.transport.sentences import from_child
from exlab_sync_tui.transport.sftp.files import as_bytes, flush
from exlab_sync_tui.transport.sftp.near import PIECE, LargeSource, read_small
from exlab_sync_tui.transport.sftp.streamed import Standing, batches, ended

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import Pulse, PushPlan
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.sftp.files import FarFiles
    from exlab_sync_tui.transport.sftp.session import Session
    from exlab_sync_tui.transport.ssh.hashing import FarHasher

_Result = TypeVar("_Result")
LARGE = 8 << 20
BATCH_FILES = 128
_FILES_AT_ONCE = 32
_PIECES_AT_ONCE = 4
_NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_MODE = 0o666


class Refused(Exception):  # noqa: N818  # becomes a TransportError where the session is at hand
    """The server refused something at a path."""

    def __init__(self, error: asyncssh.Error | OSError, path: str) -> None:
        super().__init__(error, path)
        self.error = error
        self.path = path


class WrittenWay:
    """Sends and checks over the SFTP channel of *session*; *hasher* computes digests there, if there is one.

    *largest* bytes of a file may be read back where there is none.
    """

    def __init__(
        self,
        session: Session,
        files: FarFiles,
        limiter: Limiter,
        hasher: FarHasher | None,
        *,
        explain: Callable[[asyncssh.Error | OSError, str], Awaitable[TransportError]],
        largest: int | None,
    ) -> None:
        self._session = session
        self._files = files
        self._limiter = limiter
        self._hasher = hasher
        self._explain = explain
        self._largest = largest
        self._room = asyncio.Semaphore(_FILES_AT_ONCE)
        self._made: set[str] = set()

    @property
    def rung(self) -> EvidenceLevel:
        """What its digests stand on."""
        return EvidenceLevel.REMOTE_HASH if self._hasher else EvidenceLevel.READ_BACK

    def _refuse_oversize(self, records: Iterable[FileRecord]) -> None:
        """``OVERSIZE`` for a file that could only be proved by reading more back than is allowed."""
        largest = self._largest
        for record in records:
            if largest is not None and record.size > largest and self._hasher is None:
                raise TransportError(
                    f"{safe_text(record.rel)} has {size(record.size)}, and {self._session.access.title} can only be"
                    f" proved by reading back, which verify.max_stream_bytes allows up to {size(largest)}; raise it, or"
                    " let the account run commands.",
                    TransportErrorKind.OVERSIZE,
                )

    async def push(self, plan: PushPlan) -> AsyncGenerator[list[FileRecord], None]:
        """Send the plan; the digests of a batch are taken while the next one is on its way."""
        standing = Standing(self._files.pages(plan.folder))
        checking: deque[asyncio.Task[list[FileRecord]]] = deque()
        try:
            async for batch in ended(batches(plan.pages, files=BATCH_FILES)):
                trouble = None
                self._refuse_oversize(batch)
                if batch:
                    sent, trouble = await self._send(plan, batch, await standing.of(batch))
                    checking.append(asyncio.create_task(self._checked(plan.folder, sent, plan.pulse)))
                while len(checking) > (1 if batch and not trouble else 0):
                    done = await checking.popleft()
                    plan.pulse.files_done += len(done)
                    if done:
                        yield done
                if trouble:
                    raise trouble
        finally:
            await standing.close()
            for task in checking:
                task.cancel()
            await asyncio.gather(*checking, return_exceptions=True)

    async def digests(
        self, folder: str, records: Sequence[FileRecord], pulse: Pulse
    ) -> AsyncGenerator[list[FileRecord], None]:
        """Fresh digests of what lies in *folder* now."""
        self._refuse_oversize(records)
        for start in range(0, len(records), BATCH_FILES):
            checked = await self._checked(folder, records[start : start + BATCH_FILES], pulse)
            pulse.files_done += len(checked)
            pulse.current = checked[-1].rel
            yield checked

    async def _send(
        self, plan: PushPlan, batch: list[FileRecord], there: dict[str, int]
    ) -> tuple[list[FileRecord], TransportError | None]:
        """Send what is missing of a batch: the records of what is whole there, and what kept it from the rest."""
        try:
            await self._make_folders(plan.folder, batch)
            if len(batch) == 1 and batch[0].size >= LARGE:
                return [await self._send_large(plan, batch[0], there.get(batch[0].rel, 0))], None
            return await self._send_small(plan, batch, there)
        except Trouble as trouble:
            return [], self._near(plan, trouble)
        except Refused as refused:
            return [], await self._explain(refused.error, refused.path)
        except (asyncssh.Error, OSError) as error:
            return [], await self._explain(error, plan.folder)

    def _near(self, plan: PushPlan, trouble: Trouble) -> TransportError:
        title = self._session.access.title
        return from_child(trouble.told, title=title, far=plan.folder, near=os.fspath(plan.source), free=None)

    async def _make_folders(self, folder: str, batch: Iterable[FileRecord]) -> None:
        wanted = dict.fromkeys(record.rel.rpartition("/")[0] for record in batch)
        missing = [rel for rel in wanted if rel and f"{folder}/{rel}" not in self._made]
        await self._files.make_folders(folder, missing)
        self._made.update(f"{folder}/{rel}" for rel in missing)

    async def _send_small(
        self, plan: PushPlan, batch: list[FileRecord], there: dict[str, int]
    ) -> tuple[list[FileRecord], TransportError | None]:
        contents, trouble = await asyncio.to_thread(read_small, os.fspath(plan.source), batch)
        whole = [record for record in batch[: len(contents)] if there.get(record.rel) == record.size]
        far = {record.rel: record.far_sha256 for record in await self._checked(plan.folder, whole, plan.pulse)}
        sent, work = [], []
        for record, (content, digest) in zip(batch, contents, strict=False):
            sent.append(record._replace(sha256=digest))
            if record.rel in far and far[record.rel] == digest:
                plan.pulse.skipped_bytes += record.size
                work.append(self._touch(plan, record))
            else:
                work.append(self._write_small(plan, record, content))
        await _all(work)
        return sent, self._near(plan, trouble) if trouble else None

    async def _touch(self, plan: PushPlan, record: FileRecord) -> None:
        async with self._room:
            await self._set_time(self._session.path(f"{plan.folder}/{record.rel}"), record)

    async def _set_time(self, path: bytes, record: FileRecord) -> None:
        try:
            await self._session.sftp.utime(path, ns=(record.mtime_ns, record.mtime_ns))
        except asyncssh.SFTPError:
            return  # a server that keeps no times keeps the bytes all the same

    async def _write_small(self, plan: PushPlan, record: FileRecord, content: bytes) -> None:
        path = f"{plan.folder}/{record.rel}"
        async with self._room:
            try:
                file = await self._created(path)
                at = 0
                async with self._closing(file):
                    while at < len(content):
                        count = await self._limiter.acquire(len(content) - at)
                        await self._answered(file.write(content[at : at + count], at))
                        at += count
                        plan.pulse.sent_bytes += count
                    await flush(file)
                await self._set_time(self._session.path(path), record)
            except (asyncssh.Error, OSError) as error:
                raise Refused(error, path) from error
            plan.pulse.current = record.rel

    async def _created(self, path: str) -> asyncssh.SFTPClientFile:
        """A new file; what lies in its place, in our own incoming folder, is taken away."""
        far = self._session.path(path)
        try:
            return await self._session.sftp.open(far, _NEW, encoding=None)
        except asyncssh.SFTPError:
            entry = await self._files.find(path)
            if entry is None:
                raise
            if entry.kind == "folder":
                await self._session.sftp.rmdir(far)
            else:
                await self._session.sftp.remove(far)
            return await self._session.sftp.open(far, _NEW, encoding=None)

    async def _send_large(self, plan: PushPlan, record: FileRecord, there: int) -> FileRecord:
        source = await asyncio.to_thread(LargeSource, os.fspath(plan.source), record)
        try:
            return await self._stream(plan, record, source, there)
        finally:
            await asyncio.to_thread(source.close)

    async def _stream(self, plan: PushPlan, record: FileRecord, source: LargeSource, there: int) -> FileRecord:
        path = f"{plan.folder}/{record.rel}"
        plan.pulse.current = record.rel
        offset = await self._confirmed(path, source, there, plan.pulse)
        try:
            if offset:
                file = await self._session.sftp.open(self._session.path(path), asyncssh.FXF_WRITE, encoding=None)
            else:
                file = await self._created(path)
            async with self._closing(file):
                await self._write_on(plan, record, source, file, offset)
                await flush(file)
            await asyncio.to_thread(source.check_unchanged)
            await self._set_time(self._session.path(path), record)
        except (asyncssh.Error, OSError) as error:
            raise Refused(error, path) from error
        return record._replace(sha256=source.digest())

    async def _confirmed(self, path: str, source: LargeSource, there: int, pulse: Pulse) -> int:
        """How many of the bytes that are there equal the source's beginning; the source stands behind them."""
        if not there:
            return 0
        try:
            far = await self._read_back(path, there, pulse)
        except (asyncssh.Error, OSError) as error:
            raise Refused(error, path) from error
        if await asyncio.to_thread(source.hash_beginning, there) == far:
            pulse.skipped_bytes += there
            return there
        await asyncio.to_thread(source.rewind)
        return 0

    async def _write_on(
        self, plan: PushPlan, record: FileRecord, source: LargeSource, file: asyncssh.SFTPClientFile, offset: int
    ) -> None:
        """Write from *offset* on. Pieces go out in their order, so that what is there is a beginning at any time."""
        under_way: deque[asyncio.Task[int]] = deque()

        async def landed() -> None:
            plan.pulse.sent_bytes += await under_way.popleft()

        try:
            while offset < record.size:
                wanted = await self._limiter.acquire(min(record.size - offset, PIECE))
                piece = await asyncio.to_thread(source.next_piece, wanted)
                under_way.append(asyncio.create_task(file.write(piece, offset)))
                offset += len(piece)
                if len(under_way) == _PIECES_AT_ONCE:
                    await landed()
            while under_way:
                await landed()
        except asyncio.CancelledError:
            self._session.abort()
            raise
        finally:
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _checked(self, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> list[FileRecord]:
        """The records with fresh far digests."""
        if self._hasher is not None:
            names = [os.fsencode(f"{folder}/{record.rel}") for record in records]
            digests = await self._hasher.digests(names)
            pulse.checked_bytes += sum(record.size for record in records)
        else:
            digests = await _all([self._digest(f"{folder}/{record.rel}", pulse) for record in records])
        return [
            record._replace(far_sha256=far, rung=self.rung if far else None)
            for record, far in zip(records, digests, strict=True)
        ]

    async def _digest(self, path: str, pulse: Pulse) -> bytes | None:
        async with self._room:
            try:
                return await self._read_back(path, None, pulse)
            except asyncssh.SFTPError as error:
                entry = await self._files.find(path)
                if entry is None or entry.kind != "file":
                    return None
                raise await self._explain(error, path) from error

    async def _read_back(self, path: str, limit: int | None, pulse: Pulse) -> bytes | None:
        """SHA-256 of all that the file holds, or of its first *limit* bytes, read over the connection."""
        entry = await self._files.find(path)
        if entry is None or entry.kind != "file":
            return None
        sha, at, until = hashlib.sha256(), 0, entry.size if limit is None else limit
        file = await self._session.sftp.open(self._session.path(path), asyncssh.FXF_READ, encoding=None)
        async with self._closing(file):
            while at < until:
                wanted = await self._limiter.acquire(min(until - at, PIECE))
                piece = await self._answered(file.read(wanted, at))
                if not piece:
                    break
                data = as_bytes(piece)
                if len(data) > _HASHED_HERE:
                    await asyncio.to_thread(sha.update, data)
                else:
                    sha.update(data)
                at += len(piece)
                pulse.checked_bytes += len(piece)
        return sha.digest()

    async def _answered(self, work: Coroutine[None, None, _Result]) -> _Result:
        """What asyncssh asks in several requests at once: broken off, they end, as the connection is given up."""
        asking = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._session.abort()
            await asyncio.gather(asking, return_exceptions=True)
            raise

    @asynccontextmanager
    async def _closing(self, file: asyncssh.SFTPClientFile) -> AsyncIterator[None]:
        """Close *file* in the end; what is broken off waits for no answer, as a line that stands still gives none."""
        try:
            yield
        except asyncio.CancelledError:
            self._session.abort()
            raise
        except BaseException:
            await file.close()
            raise
        await file.close()


_HASHED_HERE = 256 << 10
"""Bytes that are hashed on the event loop: it takes less than handing them to a thread."""


async def _all(work: Iterable[Coroutine[None, None, _Result]]) -> list[_Result]:
    """The results of everything, once all have ended; the first error is raised then."""
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]
