"""The program, started often and killed at exact or random moments, by way of ``zygote.py``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from tests.acceptance.bench_lab import Lab

_ROOT = Path(__file__).parents[2]


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


class Zygote:
    """Runs verbs of the program in the lab that ``lab`` names at the time."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.zygote"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str, kill_at: int = 0, kill_on: str = "", kill_after: float = 0, count: bool = False
    ) -> Ended:
        """Run one verb to its end, or until it is killed: before step *kill_at*, before the first step with *kill_on*
        in its name, or after *kill_after* seconds. Its children must end by themselves."""
        output, steps = self.lab.root / "output.txt", self.lab.root / "steps.txt"
        for file in (output, steps):
            file.unlink(missing_ok=True)
        output.touch()
        environ = {"COLUMNS": "200"}
        if kill_at or kill_on or count:
            environ |= {"KILL_STEPS": str(steps), "KILL_AT": str(kill_at), "KILL_ON": kill_on}
        request = {
            "words": [*words, "--config", str(self.lab.config), "--state", str(self.lab.state)],
            "environ": environ,
            "output": str(output),
            "kill_after": kill_after,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        _wait_for_group(answer["process"])
        taken = steps.read_text().splitlines() if steps.exists() else []
        return Ended(answer["code"], output.read_text(), tuple(line.split(" ", 1)[1] for line in taken))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _wait_for_group(group: int, *, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.005)
    raise AssertionError("children of a killed engine did not end by themselves")
