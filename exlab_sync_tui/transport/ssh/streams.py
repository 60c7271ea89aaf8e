"""How many connections does a long line need? Each has only so much on its way, so that more are opened beside it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.transport.ssh.stream import NoAgentError, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

LONG_LINE = 0.01
"""Seconds of a round trip from which on a line is long.

OpenSSH lets a session have 2 MiB on its way (``CHAN_SES_WINDOW_DEFAULT`` in its ``channels.h``): that is 200 MB/s here.
"""

_ON_A_LONG_LINE = 3


def most_for(round_trip: float) -> int:
    """How many connections are worth it on a line with this *round_trip*, in seconds."""
    return _ON_A_LONG_LINE if round_trip >= LONG_LINE else 1


class Streams:
    """The agents of one account, *most* of them: the *first*, and others that *another* opens once there is a need."""

    def __init__(self, first: Stream, another: Callable[[], Awaitable[Stream]], most: int) -> None:
        self.first = first
        self.most = most
        self._another = another
        self._others: list[Stream] = []
        self._opening: list[asyncio.Task[None]] = []
        self._before: dict[Stream, int] = {}

    @property
    def all(self) -> list[Stream]:
        """Those that can be used now, the first even if it cannot."""
        return [self.first, *(stream for stream in self._others if stream.alive)]

    def widen(self) -> None:
        """Begin to open the others; one that cannot be opened is done without."""
        if not self._opening:
            self._opening = [asyncio.create_task(self._open()) for _ in range(1, self.most)]

    async def _open(self) -> None:
        try:
            stream = await self._another()
        except (NoAgentError, TransportError):
            return
        self._others.append(stream)

    @contextmanager
    def carrying(self, size: int) -> Iterator[Stream]:
        """The one with the fewest bytes before it, for *size* more."""
        stream = min(self.all, key=lambda each: self._before.get(each, 0))
        self._before[stream] = self._before.get(stream, 0) + size
        try:
            yield stream
        finally:
            self._before[stream] -= size

    async def end(self) -> None:
        """End them all at once; what was written there stays to be resumed. Idempotent."""
        for opening in self._opening:
            opening.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for stream in (self.first, *self._others):
            await stream.end()
