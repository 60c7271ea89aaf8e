"""Do the watchdogs see a blocked loop and a greedy child?"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from tests.watchdog import LoopWatch, PeakMemory, descendants, resident

GREEDY = "import sys; held = bytearray(b'x') * (64 << 20); print('ready', flush=True); sys.stdin.read()"


class JumpingClock:
    """Stands still until it is told to jump: the loop seems blocked for that long."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_the_longest_stall_is_how_late_a_beat_was() -> None:
    clock = JumpingClock()
    async with LoopWatch(beat=0.001, clock=clock) as watch:
        clock.now += 7
    assert 6.9 < watch.longest <= 7


async def test_a_loop_whose_clock_stands_still_was_never_blocked() -> None:
    async with LoopWatch(clock=JumpingClock()) as watch:
        await asyncio.sleep(0)
    assert watch.longest == 0
    assert watch.stack == ""


def test_the_memory_of_a_child_counts_and_ends_with_it() -> None:
    with (
        PeakMemory() as memory,
        subprocess.Popen([sys.executable, "-c", GREEDY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in descendants(os.getpid())
        assert memory.sample() > resident(child.pid) > 64 << 20
        child.communicate()
        assert resident(child.pid) == 0
    assert memory.peak > 64 << 20
