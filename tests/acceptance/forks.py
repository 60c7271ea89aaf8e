"""The program, started often and killed at exact or random moments."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.acceptance.program import Program

if TYPE_CHECKING:
    from tests.acceptance.bench_lab import Lab

_LONGEST = 120.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code (negative for a signal), what it said, and the names of its steps."""

    code: int
    output: str
    steps: tuple[str, ...] = ()

    @property
    def died(self) -> bool:
        """Whether it was killed."""
        return self.code == -signal.SIGKILL


@dataclass
class Forks:
    """Runs verbs of the program in the lab that ``lab`` names at the time."""

    lab: Lab

    def run(
        self, *words: str, kill_at: int = 0, kill_on: str = "", kill_after: float = 0, count: bool = False
    ) -> Ended:
        """Run one verb to its end, or until it is killed: before step *kill_at*, before the first step with *kill_on*
        in its name, or after *kill_after* seconds. Its children must end by themselves."""
        steps = self.lab.root / "steps.txt"
        steps.unlink(missing_ok=True)
        environ = {"COLUMNS": "200"}
        if kill_at or kill_on or count:
            environ |= {"KILL_STEPS": str(steps), "KILL_AT": str(kill_at), "KILL_ON": kill_on}
        program = Program(self.lab.words(*words), environ=environ)
        try:
            program.wait(kill_after or _LONGEST)
        except subprocess.TimeoutExpired:
            program.kill()
        out, err = program.communicate()
        _wait_for_group(program.pid)
        taken = steps.read_text().splitlines() if steps.exists() else []
        return Ended(program.wait(), out + err, tuple(line.split(" ", 1)[1] for line in taken))


def _wait_for_group(group: int, *, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.005)
    raise AssertionError("children of a killed engine did not end by themselves")
