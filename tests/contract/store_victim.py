"""What does a program do until it is killed? Walks jobs through their states and says each step once it is durable."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Debt, DebtKind, NewJob

START = datetime(2025, 3, 9, tzinfo=UTC)
FILES = 50
"""Records that each job gets, in one transaction, before it is moved on from ``running``."""


async def walk(path: Path, generation: str) -> None:
    """Never ends."""
    store = SQLiteStore(path)
    await store.open()
    number = 0
    while True:
        number += 1
        at = START + timedelta(seconds=number)
        new = NewJob(f"{generation}-{number}", f"/lab/{generation}/{number}", generation, "nas")
        job, _ = await store.enqueue(new, at=at, who="monitor")
        say(job.id, job.state)
        claimed = await store.claim(generation, at=at)
        assert claimed is not None
        say(claimed.id, claimed.state)
        await store.put_files(job.id, [FileRecord(f"{n}", n, n) for n in range(FILES)])
        for state in (SyncJobState.AWAITING_VERIFY, SyncJobState.VERIFIED):
            debt = Debt(job.run_path, DebtKind.SYNC_STATUS, state.value, at)
            moved = await store.move(job.id, state, at=at, who="engine", what="went on", debts=[debt])
            say(moved.id, moved.state)


def say(job_id: str, state: SyncJobState) -> None:
    """One line that can be relied on."""
    sys.stdout.write(f"{job_id} {state.value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(walk(Path(sys.argv[1]), sys.argv[2]))
