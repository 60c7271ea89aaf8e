"""The program, killed right before one of its own steps."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.bench_lab import group_is_gone

if TYPE_CHECKING:
    from tests.acceptance.bench_lab import Lab

_KILLER = Path(__file__).with_name("killer")


def run_until(lab: Lab, *, at: int = 0, on: str = "") -> tuple[bool, list[str]]:
    """Run once and die before step number *at*, or before the first whose name has *on* in it.

    Whether it died, and the names of its steps (``killer/sitecustomize.py``).
    """
    log = lab.root / "steps.txt"
    log.unlink(missing_ok=True)
    environ = {"PYTHONPATH": str(_KILLER), "KILL_STEPS": str(log), "KILL_AT": str(at), "KILL_ON": on}
    process = lab.start("run", "--once", environ=environ)
    told, errors = process.communicate(timeout=120)
    assert group_is_gone(process)
    died = process.returncode == -signal.SIGKILL
    assert died or process.returncode == 0, told + errors
    return died, [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
