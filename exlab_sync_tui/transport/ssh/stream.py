"""How does a run stream to a NAS that has a Python of its own? One ``ssh``, fed by a child, answered by an agent.

The bulk never passes the event loop: the feeding child (``feeder``) writes straight into the pipe of the system's
``ssh``, which encrypts on another processor; only the agent's answers (``agent``), a few bytes for each file, are read
here.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from exlab_sync_tui import platform
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import Pulse, RemoteEntry
from exlab_sync_tui.transport.copier.child import Child
from exlab_sync_tui.transport.copier.wire import Side
from exlab_sync_tui.transport.ssh import agent
from exlab_sync_tui.transport.ssh.access import ssh_command
from exlab_sync_tui.transport.ssh.words import OWN_FAILURE, from_ssh, last_words

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from exlab_sync_tui.transport.copier.wire import Told
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.ssh.access import SshAccess
    from exlab_sync_tui.transport.ssh.feeder import Part

_FEEDER = "exlab_sync_tui.transport.ssh.feeder"
_BOOT = "python3 -ISc 'incoming=open(0,\"rb\",262144);exec(incoming.read(int(incoming.readline())))'"
"""Short, quoted only once, and without anything that some login shell takes for its own."""

_NOISE = 64 << 10
"""Bytes that a login may print before the agent says hello."""

_PIPE = 1 << 20
_READ = 256 << 10
_SAID = 16 << 10
_PATIENCE = 20
_PAGE = 1_000
_PAGES_AHEAD = 6
_KINDS = {b"f": EntryKind.FILE, b"d": EntryKind.FOLDER, b"l": EntryKind.LINK, b"s": EntryKind.SPECIAL}


class NoAgentError(Exception):
    """The far side runs no Python for us; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent said of one request: an error number (0 for none), a number, a digest, a page."""

    error: int
    number: int
    digest: bytes
    more: bytes = b""


@dataclass(slots=True)
class _Pending:
    """A task that the agent has not ended yet."""

    pulse: Pulse
    done: asyncio.Future[list[Answer]]
    answers: list[Answer] = field(default_factory=list)
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch: for each file the digest of what was read here and what the agent found; the trouble."""

    outcomes: list[tuple[bytes, Answer | None]]
    trouble: Told | None


class Stream:
    """One agent. Tasks are carried out in the order in which they are given; several may be under way."""

    def __init__(self, access: SshAccess, process: asyncio.subprocess.Process, child: Child) -> None:
        self._access = access
        self._process = process
        self._child = child
        self._folder: bytes | None = None
        self._pending: deque[_Pending] = deque()
        self._error: TransportError | None = None
        self._said = bytearray()
        self._hello = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._listen_to_words())]

    @classmethod
    async def open(cls, access: SshAccess, limiter: Limiter) -> Stream:
        """Start one. Raises ``NoAgentError`` if the account runs no Python, or ``ssh`` does not get there."""
        reading, writing = os.pipe()
        try:
            platform.widen_pipe(writing, _PIPE)
            manner = "free" if limiter.always_unlimited else "limited"
            child = await Child.start(_FEEDER, (str(writing), manner), limiter, inherited=(writing,))
            try:
                process = await _started(access, reading)
            except BaseException:
                await child.end()
                raise
        finally:
            os.close(reading)
            os.close(writing)
        stream = cls(access, process, child)
        try:
            await stream._greet()
        except BaseException:
            await stream.end()
            raise
        return stream

    async def _greet(self) -> None:
        text = await asyncio.to_thread(Path(agent.__file__).read_bytes)
        greeting = asyncio.ensure_future(self._child.do(("ask", b"%d\n" % len(text) + text), Pulse()))
        try:
            async with asyncio.timeout(self._access.connect_seconds + _PATIENCE):
                await self._hello
        except TimeoutError:
            raise NoAgentError("it did not answer when a command was sent") from None
        finally:
            greeting.cancel()

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return self._error is None

    async def where(self, path: bytes, name: bytes, content: bytes) -> bytes:
        """The agent's own path of the folder that SFTP calls *path*: the one with such a file in it.

        Raises ``NoAgentError`` if there is none.
        """
        digest = hashlib.sha256(content).digest()
        try:
            answers = await self._ask(None, [(agent.WHERE, b"\0".join((path, name, digest)), 0, 0, 0)], Pulse())
        except OSError:
            raise NoAgentError("the folder is not where SFTP shows it") from None
        return answers[0].more

    async def put(self, folder: bytes, near: str, parts: Sequence[Part], pulse: Pulse) -> Sent:
        """Send files of the folder *near* into *folder*, flush them there and let them be hashed; ``OSError`` of it."""
        pending = self._submit(pulse)
        before, behind = self._entering(folder), agent.REQUEST.pack(agent.DONE, 0, 0, 0, 0)
        feeding = asyncio.ensure_future(self._child.do(("put", before, near, list(parts), behind), pulse))
        answers = iter(await self._done(pending, feeding))
        digests, trouble = feeding.result()
        if trouble is not None and trouble[0] == Side.FAR:
            raise self._error or self._lost("")
        return Sent([(digest, next(answers) if sent else None) for digest, sent in digests], trouble)

    async def digests(self, folder: bytes, wanted: Sequence[tuple[str, int, int]], pulse: Pulse) -> list[Answer]:
        """The digest of at most so many bytes of each file: path, bytes, and the time that a whole one gets or -1."""
        return await self._ask(
            folder, [(agent.DIGEST, os.fsencode(rel), limit, 0, mtime) for rel, limit, mtime in wanted], pulse
        )

    async def pages(self, folder: bytes) -> AsyncGenerator[list[RemoteEntry], None]:
        """Everything below *folder* in the order of path bytes; nothing else may be asked for until it ends."""
        more = (agent.MORE, b"", _PAGE, 0, 0)
        coming = deque([asyncio.ensure_future(self._ask(folder, [(agent.LIST, b"", 0, 0, 0), more], Pulse()))])
        try:
            while coming:
                while len(coming) < _PAGES_AHEAD:  # a long line is not waited for page by page
                    coming.append(asyncio.ensure_future(self._ask(folder, [more], Pulse())))
                page = _entries((await coming.popleft())[0].more)
                if page:
                    yield page
                if len(page) < _PAGE:
                    return
        finally:
            for request in coming:
                request.cancel()
            await asyncio.gather(*coming, return_exceptions=True)

    async def make_folders(self, folder: bytes, rels: Sequence[str]) -> None:
        """Make folders below *folder*, durably."""
        requests = [(agent.MAKE, os.fsencode(rel), 0, 0, 0) for rel in rels]
        await self._ask(folder, [*requests, (agent.SYNC, b"", 0, 0, 0)], Pulse())

    async def flush(self, folder: bytes) -> None:
        """Make everything that was written to the file system of *folder* outlast a power cut."""
        await self._ask(folder, [(agent.SYNC, b"", 0, 0, 0)], Pulse())

    async def end(self) -> None:
        """End it at once; what was written there stays to be resumed. Idempotent."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._child.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail(self._lost("the connection was closed"))
        await self._process.wait()

    async def _ask(
        self, folder: bytes | None, requests: Sequence[tuple[bytes, bytes, int, int, int]], pulse: Pulse
    ) -> list[Answer]:
        pending = self._submit(pulse)
        data = bytearray() if folder is None else bytearray(self._entering(folder))
        for op, name, *numbers in [*requests, (agent.DONE, b"", 0, 0, 0)]:
            data += agent.REQUEST.pack(op, len(name), *numbers) + name
        return await self._done(pending, asyncio.ensure_future(self._child.do(("ask", bytes(data)), pulse)))

    def _submit(self, pulse: Pulse) -> _Pending:
        if self._error is not None:
            raise self._error
        pending = _Pending(pulse, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        return pending

    def _entering(self, folder: bytes) -> bytes:
        """The request that changes to *folder*, if the agent works elsewhere."""
        if folder == self._folder:
            return b""
        self._folder = folder
        return agent.REQUEST.pack(agent.FOLDER, len(folder), 0, 0, 0) + folder

    async def _done(self, pending: _Pending, feeding: asyncio.Future[Any]) -> list[Answer]:
        try:
            await asyncio.wait({feeding, pending.done}, return_when=asyncio.FIRST_EXCEPTION)
            for future in (pending.done, feeding):
                if future.done():
                    future.result()
        finally:
            feeding.cancel()
        if pending.failed:
            self._folder = None
            raise OSError(pending.failed, os.strerror(pending.failed))
        return pending.answers

    async def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # it was started with a pipe
        data = bytearray()
        greeted = False
        while more := await self._process.stdout.read(_READ):
            data += more
            if not greeted:
                at = data.find(agent.HELLO)
                if at < 0 and len(data) < _NOISE:
                    continue
                if at < 0:
                    break
                del data[: at + len(agent.HELLO)]
                greeted = True
                if not self._hello.done():
                    self._hello.set_result(None)
            del data[: self._heard(data)]
        await self._process.wait()
        await asyncio.gather(self._tasks[1], return_exceptions=True)
        said = self._said.decode(errors="replace")
        if not self._hello.done():
            self._hello.set_exception(self._no_hello(said))
        self._fail(self._lost(said))

    def _heard(self, data: bytearray) -> int:
        """Take the answers that are complete; how many bytes they are."""
        at, size = 0, agent.ANSWER.size
        while len(data) - at >= size:
            kind, error, number, digest = agent.ANSWER.unpack_from(data, at)
            behind = at + size
            more = b""
            if kind in (agent.PAGE, agent.FOUND) and not error:
                if len(data) - behind < number:
                    break
                more = bytes(data[behind : behind + number])
                behind += number
            at = behind
            self._take(kind, Answer(error, number, digest, more))
        return at

    def _take(self, kind: bytes, answer: Answer) -> None:
        pending = self._pending[0]
        if kind == agent.GOT:
            pending.pulse.sent_bytes += answer.number
        elif kind == agent.CHECKED:
            pending.pulse.checked_bytes += answer.number
        elif kind == agent.FAILED:
            pending.failed = pending.failed or answer.error or errno.EIO
        elif kind == agent.END:
            self._pending.popleft()
            if not pending.done.done():
                pending.done.set_result(pending.answers)
        else:
            pending.answers.append(answer)

    async def _listen_to_words(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  # it was started with a pipe
        while more := await self._process.stderr.read(_SAID):
            self._said = (self._said + more)[-_SAID:]

    def _fail(self, error: TransportError) -> None:
        self._error = self._error or error
        for pending in self._pending:
            if not pending.done.done():
                pending.done.set_exception(self._error)
                pending.done.exception()  # whoever waits gets it; nobody has to
        self._pending.clear()

    def _no_hello(self, said: str) -> NoAgentError:
        return NoAgentError(last_words(said) or f"python3 ended with status {self._process.returncode}")

    def _lost(self, said: str) -> TransportError:
        status = self._process.returncode
        if status == OWN_FAILURE or not said:
            why = last_words(said) or "the connection ended"
            return from_ssh(self._access, OWN_FAILURE, why)
        return from_ssh(self._access, status, said)


async def _started(access: SshAccess, stdin: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *ssh_command(access, [_BOOT]),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # ctrl+c is for the engine
        )
    except FileNotFoundError:
        raise NoAgentError("this PC has no ssh command") from None
    except OSError as error:
        _unstartable(error)


def _unstartable(error: OSError) -> NoReturn:
    raise TransportError(
        f"ssh could not be started ({safe_text(error.strerror)}); this PC is short of memory or of processes. It is"
        " tried again.",
        TransportErrorKind.UNKNOWN,
    ) from error


def _entries(data: bytes) -> list[RemoteEntry]:
    found = []
    at, size = 0, agent.ENTRY.size
    while at < len(data):
        kind, length, mtime, name = agent.ENTRY.unpack_from(data, at)
        at += size
        found.append(RemoteEntry(os.fsdecode(data[at : at + name]), str(_KINDS[kind]), length, mtime))
        at += name
    return found
