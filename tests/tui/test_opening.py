"""The console opens on a real terminal, leaves it as it was, and says goodbye."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.tui.widgets.health_line import HealthLine
from tests.tui.conftest import opened
from tests.tui.lab import FakeCockpit, busy_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.model.job import SyncJobState

ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, sys
from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.tui.console import run_console
from exlab_sync_tui.tui.options import ConsoleOptions
from tests.tui.lab import LAB, FakeCockpit, quiet_day

class Ended(FakeCockpit):
    async def broken(self):
        raise StoreError("The engine cannot go on.")

async def opening():
    cockpit = Ended() if "ended" in sys.argv else FakeCockpit()
    await quiet_day(cockpit)
    return cockpit

async def breaks(cockpit):
    await asyncio.sleep(0)
    raise StoreError("The disk is full; make room on it.")

beside = [breaks] if "breaks" in sys.argv else []
try:
    code = run_console(opening, LAB, ConsoleOptions("mira"), title="Room 2.14", beside=beside)
except StoreError as error:
    print(f"said: {error}")
    code = 1
sys.exit(code)
"""
ALTERNATE, NORMAL = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self.child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env=environ,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def until(self, text: str) -> str:
        """Read until *text* has been written, or the program has ended; everything that was seen so far."""
        while text not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], 30)
            assert ready, f"{text!r} was not written within 30 s: {self.seen[-2_000:]!r}"
            try:
                read = os.read(self._ours, 65_536)
            except OSError:
                break
            if not read:
                break
            self.seen += read.decode(errors="replace")
        return self.seen

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.child.kill()
        self.child.wait()
        os.close(self._ours)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    made = Terminal(*arguments)
    try:
        yield made
    finally:
        made.close()


def after_the_console(seen: str) -> str:
    return seen.rpartition(NORMAL)[2]


def test_q_ends_with_a_farewell_on_the_normal_screen() -> None:
    with terminal() as screen:
        screen.until("All 11 runs are safe")
        screen.type("q")
        seen = screen.until("without a console.")
        assert screen.child.wait(30) == 0
    assert seen.count(ALTERNATE) == seen.count(NORMAL) == 1
    assert "All 11 runs are safe. Nothing is watched until the next start" in after_the_console(seen)


def test_a_signal_ends_it_in_good_order() -> None:
    with terminal() as screen:
        screen.until("All 11 runs are safe")
        screen.child.send_signal(signal.SIGTERM)
        seen = screen.until("without a console.")
        assert screen.child.wait(30) == 128 + signal.SIGTERM
    assert "All 11 runs are safe." in after_the_console(seen)


def test_what_runs_beside_it_and_fails_closes_it_and_is_raised() -> None:
    with terminal("breaks") as screen:
        seen = screen.until("said: ")
        assert screen.child.wait(30) == 1
    assert "said: The disk is full; make room on it." in after_the_console(seen + screen.until("room on it."))


def test_an_engine_that_ends_by_itself_closes_it_and_says_why() -> None:
    with terminal("ended") as screen:
        seen = screen.until("said: ")
        assert screen.child.wait(30) == 1
    assert "said: The engine cannot go on." in after_the_console(seen + screen.until("cannot go on."))


class Brittle(MemoryStore):
    """A store whose disk fails for a while."""

    is_broken = False

    async def counts(self) -> dict[tuple[str, SyncJobState], int]:
        if self.is_broken:
            raise StoreError("The job store cannot be read \x1b; check the disk.")
        return await super().counts()


async def test_a_store_that_cannot_be_read_is_said_until_it_can() -> None:
    store = Brittle()
    cockpit = FakeCockpit(store=store)
    await busy_day(cockpit)
    async with opened(cockpit) as console:
        assert "2 runs need you" in console.words_in(HealthLine)
        store.is_broken = True
        await console.settle(6)
        assert "The job store cannot be read \\x1b; check the disk." in console.words_in(HealthLine)
        store.is_broken = False
        await console.settle(6)
        assert "2 runs need you" in console.words_in(HealthLine)


@pytest.mark.parametrize("size", [(40, 10), (20, 6), (80, 24), (300, 80)])
async def test_any_size_can_be_drawn_and_changed(size: tuple[int, int]) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=size) as console:
        await console.press("enter", "down", "slash", "r", "escape", "escape")
        await console.pilot.resize_terminal(100, 30)
        await console.settle(0.3)
        assert "2 runs need you" in console.words_in(HealthLine)
