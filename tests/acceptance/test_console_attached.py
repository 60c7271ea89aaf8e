"""The console in a real terminal, beside an engine of another process that is killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, arriving, instrument, wait_for, write_run
from tests.acceptance.terminals import needs_tmux, terminal
from tests.checker import check_sides
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.program import Program

SLOW_MBPS = 16.0


@contextlib.contextmanager
def engine(lab: Lab) -> Iterator[Program]:
    process = lab.start("run", "--json")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate()


@needs_tmux
@pytest.mark.slow
def test_a_console_sees_its_engine_killed_and_back_again_and_the_run_verified(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(mbps=SLOW_MBPS)
    run = write_run(lab.local / "Run_A", large_mib=64)
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    with engine(lab) as first, contextlib.ExitStack() as open_until_the_end:
        wait_for(arriving(lab.nas, "stack.raw", 1 << 20), first)
        tmux = open_until_the_end.enter_context(terminal(tmp_path, environ, lab.command()))
        tmux.shows("sending", run.name)
        first.send_signal(signal.SIGKILL)
        tmux.shows("No engine", "nothing is lost")
        tmux.shows("`exlab-sync run` starts one")
        tmux.press("p")  # nobody is there to do it, and that is said
        tmux.shows("This was not done.")
        lab.configure(instrument("PLAIN_01", lab.local, lab.nas))
        with engine(lab) as second:
            tmux.shows("✓ verified", run.name)
            tmux.press("q")
            tmux.shows("The engine goes on without this console.")
            tmux.shows("exit code 0")
            assert second.poll() is None
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
