"""The console as people meet it: the real program on a terminal, real keys, real screen text."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, write_run
from tests.acceptance.terminals import needs_tmux, terminal

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = {**os.environ, "LC_ALL": "C.UTF-8"}


@needs_tmux
@pytest.mark.slow
def test_a_console_attaches_says_within_seconds_that_its_engine_is_lost_and_finds_the_next_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    write_run(lab.local / "Run_1", small=3)
    engine = lab.start("run")
    with terminal(tmp_path, LOCAL, lab.command()) as tmux:
        tmux.shows("attached to engine", str(engine.pid))
        tmux.shows("✓ verified", "Run_1")
        tmux.shows("The only run is safe on nas.")
        os.killpg(engine.pid, signal.SIGKILL)
        engine.communicate()
        tmux.shows("no engine")
        tmux.shows("No engine has been at work since", "nothing is lost")
        again = lab.start("run")
        try:
            tmux.shows("attached to engine", str(again.pid))
            write_run(lab.local / "Run_2", small=3)
            tmux.shows("All 2 runs are safe on nas.")
            tmux.press("q")
            tmux.shows("The engine goes on without this console.")
            tmux.shows("exit code 0")
        finally:
            again.terminate()
            again.communicate()


@needs_tmux
@pytest.mark.slow
def test_hostile_names_drive_no_terminal(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    goes = lab.local / "[b]\x9b2J\u202e\udcff$(touch owned)"
    stays = lab.local / "[stays] \u2066`id`"
    write_run(goes, small=2)
    (goes / "[bold]\x9b31m.tif").write_bytes(b"x")
    write_run(stays, small=2)
    (stays / "\x1b]0;owned\x07\x1b[2J\n.tif").write_bytes(b"x")
    with terminal(tmp_path, LOCAL, lab.command()) as tmux:
        tmux.shows("✓ verified", "[b]\\x9b2J\\u202e\\xff$(tou")
        tmux.shows("✗ blocked", "[stays] \\u2066`id`")
        tmux.shows("1 run needs you.")
        tmux.press("g", "Enter")
        tmux.shows("Story, newest first")
        tmux.shows("[stays] \\u2066`id` is not queued yet")
        tmux.press("]", "]")
        tmux.shows("\\x1b]0;owned\\x07\\x1b[2J\\n.tif")
        tmux.press("o")
        tmux.shows("Let findings pass in [stays] \\u2066`id`")
        tmux.press("Escape")  # alone: with the next key it would be another one
        tmux.shows("Story", "Files", "Findings 3", "Log")
        tmux.press("j", "[", "[")
        tmux.shows("Story, newest first")
        tmux.press("]")
        tmux.shows("✓ proved", "[bold]\\x9b31m.tif")
        tmux.press("[")
        tmux.shows("✓ verified", "[b]\\x9b2J\\u202e\\xff$(touch owned)")
        assert "No such" not in tmux.screen
        tmux.press("q")
        tmux.shows("exit code 0")
    assert not (tmp_path / "owned").exists()
