"""A terminal that a test can read and type into: tmux."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="a terminal that can be read needs tmux")


def until(condition: Callable[[], bool], what: Callable[[], str], *, within: float = 240) -> None:
    """Look again and again: nothing wakes us when another process has changed something."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"within {within:g} s this never came:\n{what()}")
        time.sleep(0.05)


@dataclass
class Tmux:
    """A terminal of 120 by 36 cells with a program in it; the shell around it says the exit code and stays."""

    socket: Path
    environ: dict[str, str]

    def ask(self, *words: str) -> str:
        command = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False).stdout

    @property
    def screen(self) -> str:
        return self.ask("capture-pane", "-p", "-t", "shown")

    def shows(self, *texts: str) -> None:
        """Wait until one line of the screen has all these texts."""
        until(
            lambda: any(all(text in line for text in texts) for line in self.screen.splitlines()),
            lambda: f"{texts} on:\n{self.screen}",
        )

    def press(self, *keys: str) -> None:
        self.ask("send-keys", "-t", "shown", *keys)


@contextmanager
def terminal(folder: Path, environ: dict[str, str], command: Sequence[str]) -> Iterator[Tmux]:
    """*command* in a terminal of its own, whose socket lies in *folder*."""
    sized_elsewhere = {"COLUMNS", "LINES"}  # what runs the tests may have set them, and Textual believes them
    tmux = Tmux(folder / "tmux", {name: value for name, value in environ.items() if name not in sized_elsewhere})
    said = f"{shlex.join(command)}; echo exit code $?; exec sleep 600"
    tmux.ask("new-session", "-d", "-s", "shown", "-x", "120", "-y", "36", said)
    try:
        yield tmux
    finally:
        tmux.ask("kill-server")
