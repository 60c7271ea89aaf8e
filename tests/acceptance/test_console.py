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
