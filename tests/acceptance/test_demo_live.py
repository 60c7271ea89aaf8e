"""The live demo as people meet it: on a terminal with keys, as lines, and ended in every way there is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.acceptance import terminals
from tests.acceptance.terminals import Tmux, needs_tmux, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO = [sys.executable, "-m", "exlab_sync_tui", "demo"]


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


@contextmanager
def as_lines(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*DEMO, "--headless", "--tiny", *more],
        env=environ(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"the demo ended without saying {text!r}")


def test_as_lines_the_story_is_played_to_its_end_and_the_outcome_is_checked(tmp_path: Path) -> None:
    with as_lines(tmp_path, "--speed", "8") as process:
        told, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    moments = (
        "A made-up lab at work",
        "blocked    CONFOCAL_01 Run_2025-03-03T13-00",
        "failed     CONFOCAL_01 Run_2025-03-03T16-30",
        "Somebody switches the NAS off",
        "away       ",
        "The NAS is on again",
        "can be used again",
        "Somebody repaired the names in Run_2025-03-03T13-00.",
        "That was the story",
        "All 10 runs ended as planned: 10 are on the sample NAS and proven file by file.",
        "The sample lab has been removed again.",
    )
    places = [told.find(moment) for moment in moments]
    assert -1 not in places, told
    assert places == sorted(places), told
    assert is_empty(tmp_path)


def test_for_programs_every_line_is_json_and_a_lab_that_is_kept_can_be_looked_at(tmp_path: Path) -> None:
    with as_lines(tmp_path, "--speed", "8", "--json", "--keep") as process:
        told, _ = process.communicate(timeout=120)
    last = [json.loads(line) for line in told.splitlines()][-1]
    assert (process.returncode, last["event"], last["as_planned"]) == (0, "demo", True)
    assert {run["outcome"] for run in last["runs"]} == {"verified"}
    (root,) = tmp_path.iterdir()
    assert last["folder"] == str(root)
    assert {"config.yaml", "data", "nas", "plates", "state"} <= {path.name for path in root.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_it_nothing_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    with as_lines(tmp_path) as process:
        read_until(process, "CONFOCAL_01 Run_2025-03-03T09-12")  # it is being written now
        assert not is_empty(tmp_path)
        process.send_signal(number)
        process.communicate(timeout=240)
    assert process.returncode == (-number if number is signal.SIGKILL else 128 + number)
    until(lambda: is_empty(tmp_path), lambda: str(list(tmp_path.rglob("*"))), within=20)


def test_without_a_terminal_it_says_how_to_go_on(tmp_path: Path) -> None:
    done = subprocess.run(
        DEMO, env=environ(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "The console needs a terminal. `exlab-sync demo --headless` tells the same as lines." in done.stderr
    assert is_empty(tmp_path)


@dataclass
class Console(Tmux):
    """The demo in such a terminal."""

    def select(self, name: str) -> None:
        """Go up and down the list until the cursor is on *name*, whatever moves meanwhile, one step at a time."""
        left = ""

        def is_selected() -> bool:
            nonlocal left
            lines = self.screen.splitlines()
            cursor = next((number for number, line in enumerate(lines) if line.startswith("▸")), None)
            wanted = next((number for number, line in enumerate(lines) if name in line and line[2:3] == "✗"), None)
            if cursor is None or wanted is None or cursor == wanted:
                return cursor is not None and cursor == wanted
            here = lines[cursor][16:58]  # the run and its instrument
            if here != left:  # the key before this one has been heard
                left = here
                self.press("Down" if cursor < wanted else "Up")
            return False

        until(is_selected, lambda: f"{name} was never selected:\n{self.screen}")


@contextmanager
def terminal(tmp_path: Path, *more: str) -> Iterator[tuple[Console, Path]]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with terminals.terminal(tmp_path, environ(folder), [*DEMO, *more]) as tmux:
        yield Console(tmux.socket, tmux.environ), folder


@needs_tmux
@pytest.mark.slow
def test_on_the_console_somebody_retries_the_failed_run_by_key_and_sees_it_become_verified(tmp_path: Path) -> None:
    run = "Run_2025-03-03T16-30"
    with terminal(tmp_path, "--speed", "4") as (tmux, folder):
        tmux.shows("✗ failed", run)
        assert not is_empty(folder)
        tmux.shows(f"Select {run} and press r to try again.")
        tmux.select(run)
        tmux.press("r")
        tmux.shows("✓ verified", run, "read back")
        tmux.shows("All 10 runs are safe on nas01.")
        tmux.shows("That was the story: every run is safe on the NAS.")
        tmux.press("q")
        tmux.shows("All 10 runs are safe.")
        tmux.shows("The sample lab has been removed again.")
        tmux.shows("exit code 0")
        assert is_empty(folder)


@needs_tmux
@pytest.mark.slow
def test_a_terminal_that_is_closed_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with terminal(tmp_path, "--speed", "4") as (tmux, folder):
        tmux.shows("acquiring")
        assert not is_empty(folder)
        tmux.ask("kill-server")
        until(lambda: is_empty(folder), lambda: f"left behind: {list(folder.iterdir())}", within=30)
