"""The engine steps back, with all that it starts, and never comes forward."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

_TELL = """
import json, subprocess, sys, psutil
from exlab_sync_tui.operate.priority import step_back
before = sys.argv[2]
if before:
    psutil.Process().nice(int(before))
step_back(sys.argv[1])
child = "import json, psutil; me = psutil.Process(); print(json.dumps([me.nice(), list(me.ionice())]))"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="asks Linux for the priorities of a process")


def of_a_child(priority: str, before: str = "") -> list[object]:
    """Nice value, then class and level for the disk, of what a process starts that has stepped back."""
    command = [sys.executable, "-c", _TELL, priority, before]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert isinstance(told, list)
    return told


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("low", [10, [int(psutil.IOPRIO_CLASS_BE), 7]]),
        ("idle", [19, [int(psutil.IOPRIO_CLASS_IDLE), 0]]),
    ],
)
def test_what_the_engine_starts_steps_back_too(priority: str, expected: list[object]) -> None:
    assert of_a_child(priority) == expected


def test_normal_changes_nothing() -> None:
    me = psutil.Process()
    assert of_a_child("normal") == [me.nice(), list(me.ionice())]


def test_what_was_started_lower_stays_there() -> None:
    assert of_a_child("low", before="15")[0] == 15
