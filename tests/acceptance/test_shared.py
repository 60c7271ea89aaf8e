"""One engine and several people: accounts of one group share the state folder, and each is named for what he does."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, wait_for, write_run

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
GROUP, SERVICE, ADA = 54_321, 54_322, 54_323
"""Numbers that nobody has; an account needs no name to work."""
PATIENCE = 120


def as_user(uid: int, *words: str) -> list[str]:
    """*words* as an account of the group, with nothing of root's left."""
    return ["setpriv", f"--reuid={uid}", f"--regid={GROUP}", "--clear-groups", *words]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(REPOSITORY), *(place for place in sys.path if place)])
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@functools.cache
def interpreter() -> str:
    """One that every account can start and that has what we need; empty if there is none."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None:
        return ""
    # the engine starts children of its own, so the account must be able to do that, too
    inner = "import aiosqlite, pydantic_core, watchfiles, exlab_sync_tui"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{inner}'], check=True)"
    for python in (sys.executable, "/usr/bin/python3"):
        words = as_user(ADA, python, "-c", outer)
        try:
            tried = subprocess.run(words, env=environment(), capture_output=True, check=False, timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if not tried.returncode:
            return python
    return ""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab where other accounts can go: pytest's own folders are closed to them."""
    if not interpreter():
        pytest.skip("needs root, setpriv, and a Python that other accounts can start")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        lab = Lab(root).prepare()
        for place in (lab.local, lab.nas, lab.nas / ".exlab-destination.json"):
            os.chown(place, SERVICE, GROUP)
        lab.state.mkdir()
        os.chown(lab.state, SERVICE, GROUP)
        lab.state.chmod(0o2770)
        yield lab


def verb(lab: Lab, uid: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = [interpreter(), "-m", "exlab_sync_tui", "--config", str(lab.config), "--state", str(lab.state), *words]
    return subprocess.run(
        as_user(uid, *command), env=environment(), umask=0o002, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=PATIENCE,
    )  # fmt: skip


def test_two_accounts_of_a_group_work_with_one_engine(lab: Lab) -> None:
    run = write_run(lab.local / "Run_A", small=2)
    options = ["--config", str(lab.config), "--state", str(lab.state)]
    command = as_user(SERVICE, interpreter(), "-m", "exlab_sync_tui", *options, "run")
    with subprocess.Popen(
        command, env=environment(), umask=0o002, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as engine:
        try:
            wait_for((lab.nas / lab.place(run)).exists, engine, within=60)
            paused = verb(lab, ADA, "pause", "PLAIN_01")
            assert paused.returncode == 0, paused.stdout + paused.stderr
            resumed = verb(lab, ADA, "--operator", "ada", "resume", "PLAIN_01")
            assert resumed.returncode == 0, resumed.stdout + resumed.stderr
            engine.send_signal(signal.SIGTERM)
            told, _ = engine.communicate(timeout=PATIENCE)
        finally:
            engine.kill()
    assert engine.returncode == 0, told
    assert f"Paused by {ADA}" in told
    assert "was resumed by ada" in told
    shown = json.loads(verb(lab, ADA, "show", "Run_A", "--json").stdout)
    assert shown["job"]["state"] == "verified"
    for place in ("queue.db", "log/exlab-sync.log", "engine.lock"):
        found = (lab.state / place).stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o060) == (SERVICE, GROUP, 0o060), place


def test_an_account_outside_the_group_sees_nothing_of_it(lab: Lab) -> None:
    command = [interpreter(), "-m", "exlab_sync_tui", "--config", str(lab.config), "--state", str(lab.state), "status"]
    outside = ["setpriv", f"--reuid={ADA}", f"--regid={ADA}", "--clear-groups", *command]
    done = subprocess.run(outside, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 2
    assert f"{lab.state}' is not readable" in done.stderr
