"""Where does a process spend its CPU time? Each thread's time, as the kernel counts it, goes to the code it is in.

``python -m tests.benchmarks.sampler REPORT WORD…`` runs ``exlab-sync WORD…`` and writes what it saw to REPORT as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

import exlab_sync_tui
from exlab_sync_tui.cli import main as program

if TYPE_CHECKING:
    from types import FrameType

_HOME = Path(exlab_sync_tui.__file__).parent
_BEAT = 0.02
"""Seconds between two looks; the kernel counts CPU time in steps of half of that (``sysconf(_SC_CLK_TCK)``)."""
_ELSEWHERE = "libraries"


class Sampler:
    """While it is entered a thread of its own counts ticks by place, and ``own_seconds`` of CPU that this takes."""

    def __init__(self) -> None:
        self.ticks: Counter[str] = Counter()
        self.own_seconds = 0.0
        self._seen: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        own = threading.get_ident()
        while not self._ended.wait(_BEAT):
            frames = sys._current_frames()
            for thread in threading.enumerate():
                frame = frames.get(thread.ident or 0)
                if frame is None or thread.native_id is None or thread.ident == own:
                    continue
                now = _ticks(thread.native_id)
                used = now - self._seen.get(thread.native_id, now)
                self._seen[thread.native_id] = now
                if used:
                    self.ticks[place_of(frame)] += used
        self.own_seconds = time.thread_time()


def place_of(frame: FrameType) -> str:
    """The innermost code of ours on the stack, ``room/module.function``, and the library that it has called."""
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    below: FrameType | None = frame
    while below is not None:
        file = Path(below.f_code.co_filename)
        if file.is_relative_to(_HOME):
            place = f"{file.relative_to(_HOME).with_suffix('')}.{below.f_code.co_name}"
            return place if below is frame else f"{place} > {package}"
        below = below.f_back
    return f"{_ELSEWHERE}/{package}"


def by_room(ticks: Counter[str]) -> Counter[str]:
    """The same by the first folder of each place."""
    rooms: Counter[str] = Counter()
    for place, used in ticks.items():
        rooms[place.partition("/")[0]] += used
    return rooms


def _ticks(thread: int) -> int:
    """CPU time of a thread of this process, ``utime`` and ``stime`` (``proc(5)``); 0 if it has ended."""
    try:
        words = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0
    return int(words[11]) + int(words[12])


if __name__ == "__main__":
    report, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    sampler = Sampler()
    try:
        with sampler:
            program()
    finally:
        Path(report).write_text(json.dumps({"ticks": sampler.ticks, "own_seconds": sampler.own_seconds}))
