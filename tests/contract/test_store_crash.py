"""What was acknowledged is there after SIGKILL, whole; and nothing is there by half."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import JobFilter
from tests.contract.store_victim import FILES

ORDER = [SyncJobState.QUEUED, SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY, SyncJobState.VERIFIED]
ROOT = Path(__file__).parents[2]


def killed_after(lines: int, path: Path, generation: str) -> dict[str, SyncJobState]:
    """Run the victim, kill it once it has said so many lines; the last state that it said of each job."""
    command = [sys.executable, "-m", "tests.contract.store_victim", str(path), generation]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        said = [victim.stdout.readline() for _ in range(lines)]
        victim.send_signal(signal.SIGKILL)
        said += victim.stdout.readlines()
    assert victim.returncode == -signal.SIGKILL
    whole = [line.split() for line in said if line.endswith("\n")]
    return {job_id: SyncJobState(state) for job_id, state in whole}


@pytest.mark.parametrize("seed", range(3))
async def test_acknowledged_steps_survive_being_killed(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    path = tmp_path / "queue.db"
    said: dict[str, SyncJobState] = {}
    for generation in "ABC":
        said |= killed_after(choose.randrange(1, 200), path, generation)
    store = SQLiteStore(path)
    await store.open()
    jobs = {job.id: job for job in await store.jobs(JobFilter(), limit=10_000)}
    for job_id, state in said.items():
        assert ORDER.index(jobs[job_id].state) >= ORDER.index(state)
    for job in jobs.values():
        passed = ORDER[: ORDER.index(job.state) + 1]
        assert [line.after for line in await store.history(job.run_path)] == [state.value for state in passed]
        assert (await store.file_totals(job.id)).files in (
            [0, FILES] if len(passed) == 2 else [FILES * (len(passed) > 2)]
        )
        owed = [debt.value for debt in await store.debts(job.run_path)]
        assert owed == ([job.state.value] if len(passed) > 2 else [])
    assert await store.counts() == Counter((job.equipment_id, job.state) for job in jobs.values())
    await store.close()


def test_a_killed_creation_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert killed_after(1, path, "A") != {}
