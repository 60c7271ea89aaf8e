"""How long was the event loop blocked, and how much memory did a process and its children take at most?"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class LoopWatch:
    """Beats on the running loop every *beat* seconds; ``longest`` is the most that a beat was late, in seconds.

    While a beat is overdue by more than *beat*, a thread looks at what the loop's thread is doing: ``stack`` is what it
    saw during the longest stall.
    """

    def __init__(self, *, beat: float = 0.005, clock: Callable[[], float] = time.perf_counter) -> None:
        self.longest = 0.0
        self.stack = ""
        self._beat = beat
        self._clock = clock
        self._due = 0.0
        self._seen = ""
        self._thread = 0
        self._ended = threading.Event()

    async def __aenter__(self) -> Self:
        self._thread = threading.get_ident()
        self._due = self._clock() + self._beat
        self._beating = asyncio.create_task(self._pulse())
        self._witness = threading.Thread(target=self._watch, daemon=True)
        self._witness.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._note()
        self._ended.set()
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        await asyncio.to_thread(self._witness.join)

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            self._note()
            self._due = self._clock() + self._beat

    def _note(self) -> None:
        late = self._clock() - self._due
        if late > self.longest:
            self.longest, self.stack = late, self._seen
        self._seen = ""

    def _watch(self) -> None:
        while not self._ended.wait(self._beat):
            if self._clock() - self._due > self._beat and (frame := sys._current_frames().get(self._thread)):
                self._seen = "".join(traceback.format_stack(frame))


class PeakMemory:
    """Samples the resident memory of a process and all its descendants; ``peak`` in bytes. Linux only (``/proc``)."""

    def __init__(self, pid: int | None = None, *, every: float = 0.02) -> None:
        self.peak = 0
        self._pid = pid or os.getpid()
        self._every = every
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.sample()
        self._sampler = threading.Thread(target=self._run, daemon=True)
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()
        self.sample()

    def sample(self) -> int:
        """The resident bytes right now; the peak is kept."""
        now = sum(resident(pid) for pid in (self._pid, *descendants(self._pid)))
        self.peak = max(self.peak, now)
        return now

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self.sample()


def resident(pid: int) -> int:
    """Resident bytes of one process, 0 if it has ended (``proc(5)``, statm)."""
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def descendants(pid: int) -> list[int]:
    """Process ids of all children, their children, and so on."""
    found: list[int] = []
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return found
    for thread in threads:
        try:
            children = [int(child) for child in (thread / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found
