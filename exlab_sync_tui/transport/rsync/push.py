"""How does rsync send a batch into an assembly, under a limit that may change while it runs?"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.transport.listing import told_to
from exlab_sync_tui.transport.rsync.names import given, plain
from exlab_sync_tui.transport.rsync.words import VANISHED, trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import PushPlan
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.rsync.account import Account, Ended
    from exlab_sync_tui.transport.rsync.far import FarFolder

PARTIAL = ".exlab-partial"
"""Folder beside a file in which rsync keeps what has arrived of it until it is whole."""

_PROGRESS = re.compile(rb" *(\d+) +\d+% ")
_LOOK_SECONDS = 0.5
_SEND = ("-t", f"--partial-dir={PARTIAL}", "--info=progress2", "--outbuf=N")


@dataclass(frozen=True, slots=True)
class Sending:
    """The ``FarSide`` of a plan; without *far* nothing can lie there."""

    account: Account
    far: FarFolder | None
    plan: PushPlan
    limiter: Limiter
    proving: Callable[[Sequence[FileRecord]], Awaitable[Sequence[FileRecord]]]

    async def present(self) -> dict[str, int]:
        """What an earlier attempt has left; a beginning of a file is rsync's own to take up."""
        if self.far is None:
            return {}
        found = await self.far.everything(self.plan.folder, told_to(self.plan.pulse))
        return {entry.rel: entry.size for entry in found if entry.kind == EntryKind.FILE}

    def refuse(self, batch: Sequence[FileRecord]) -> None:
        """rsync takes any name."""

    async def replace(self, rels: Sequence[str]) -> None:
        """rsync replaces them itself."""

    async def prove(self, records: Sequence[FileRecord]) -> Sequence[FileRecord]:
        """Fresh far digests."""
        return await self.proving(records)

    async def copy(self, records: Sequence[FileRecord]) -> None:
        """Send files whatever lies there; started anew, with what has arrived kept, when the limit changes."""
        counted = _Counted(self.plan, sum(record.size for record in records))
        names = given([record.rel for record in records])
        first: tuple[str, ...] = (
            "-I",
        )  # size and time prove nothing; what this very call has sent, it need not send again
        while True:
            rate = self.limiter.rate
            limit = () if rate is None else (f"--bwlimit={max(rate, 1)}",)
            places = (f"{self.plan.source}/", self.account.argument(self.plan.folder))
            command = await self.account.command((*_SEND, *first, *limit), places, own_line=True)
            ended = await self._while_limit_is(rate, command, names, counted)
            if ended is not None:
                break
            first = ()
            counted.begin_anew()
        if ended.status not in (0, VANISHED):  # what has vanished is found where the files are read here
            raise trouble(self.account.access, ended.status, ended.said)
        counted.end()

    async def _while_limit_is(
        self, rate: int | None, command: Sequence[str], names: bytes, counted: _Counted
    ) -> Ended | None:
        running = asyncio.create_task(self.account.run(command, names, counted.hear))
        try:
            while not running.done() and self.limiter.rate == rate:
                await asyncio.wait({running}, timeout=_LOOK_SECONDS)
            return running.result() if running.done() else None
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class _Counted:
    """Carries rsync's own count of bytes (``--info=progress2``) over into the pulse of a plan."""

    def __init__(self, plan: PushPlan, size: int) -> None:
        self._pulse = plan.pulse
        self._size = size
        self._most = 0
        self._seen = 0
        self._rest = b""

    def hear(self, piece: bytes) -> None:
        """Output of rsync: lines with names, and figures that overwrite each other."""
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + piece)
        for line in lines:
            if figure := _PROGRESS.match(line):
                self._reach(int(figure[1]))
            elif line and not line.endswith(b"/"):
                self._pulse.current = plain(line)

    def begin_anew(self) -> None:
        """rsync starts again and counts from nothing."""
        self._seen = 0

    def end(self) -> None:
        """All has arrived."""
        self._reach(self._size)

    def _reach(self, count: int) -> None:
        self._seen = min(count, self._size)
        if self._seen > self._most:
            self._pulse.sent_bytes += self._seen - self._most
            self._most = self._seen
