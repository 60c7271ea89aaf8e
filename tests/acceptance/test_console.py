"""The console as people meet it: the real program on a terminal, real keys, real screen text."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, write_run
from tests.acceptance.terminals import needs_tmux, terminal

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "[/red]$(reboot) \x1b[31m"
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
def test_a_run_with_a_hostile_name_is_looked_into_and_let_pass_by_key(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    write_run(lab.local / HOSTILE, small=2)
    with terminal(tmp_path, LOCAL, lab.command()) as tmux:
        tmux.shows("engine in this console")
        tmux.shows("✗ blocked", r"[/red]$(reboot) \x1b[31m")
        tmux.shows("1 run needs you.")
        tmux.press("Enter")
        tmux.shows("Here", r"[/red]$(reboot) \x1b[31m")
        tmux.press("]", "]")
        tmux.shows("illegal_filesystem_character", "keeps the run here")
        tmux.press("o")
        tmux.shows("Let findings pass in [/red]$(reboot)")
        tmux.press("-l", "the vendor names it so")
        tmux.press("Enter", "Enter")
        tmux.shows("✓ verified", r"[/red]$(reboot) \x1b[31m")
        tmux.press("[", "[")
        tmux.shows("override of illegal_filesystem_character")
        tmux.press("q")
        tmux.shows("The only run is safe.")
    assert (lab.nas / lab.place(lab.local / HOSTILE)).is_dir()


@needs_tmux
@pytest.mark.slow
def test_without_a_configuration_it_asks_three_questions_and_begins(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    write_run(lab.local / "Plate_1", small=2)
    lab.nas.mkdir()
    with terminal(tmp_path, LOCAL, lab.command()) as tmux:
        tmux.shows("Your first instrument")
        tmux.press("-l", str(lab.local))
        tmux.shows("1 run in it")
        tmux.press("Tab", "Tab", "Tab", "Tab")
        tmux.press("-l", str(lab.nas))
        tmux.shows("is no mounted share")
        tmux.press("Tab", "Space")
        tmux.shows("It answers: a mounted share")
        tmux.press("C-s")
        tmux.shows("engine in this console")
        tmux.shows("acquiring", "Plate_1")
        tmux.press("e")
        tmux.shows("Queue Plate_1 now?")
        tmux.press("y")
        tmux.shows("✓ verified", "Plate_1")
        tmux.press("q")
        tmux.shows("exit code 0")
    assert re.search(r"^  - id: DATA$", lab.config.read_text(), re.MULTILINE)
