"""Does the store cost the same at any size? ``python -m tests.benchmarks.store`` measures claims, steps, records."""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import NewJob
from tests.benchmarks.measure import workplace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIZES = (10, 1_000, 100_000, 1_000_000)
EQUIPMENT = "BENCH_01"
_AT = datetime(2025, 3, 9, 8, 15, tzinfo=UTC)
_WHO = "benchmark"
_CLAIMS = 100
_BATCH = 5_000
_ROOM = 2 << 30


@dataclass(frozen=True, slots=True)
class ClaimTime:
    """Median and slowest of the claims, in milliseconds, in a store of ``rows`` jobs."""

    rows: int
    median_ms: float
    slowest_ms: float


async def _queue(store: SQLiteStore, name: str) -> str:
    new = NewJob(str(uuid.uuid4()), f"/lab/{EQUIPMENT}/{name}", EQUIPMENT, f"{EQUIPMENT}/{name}")
    job, _ = await store.enqueue(new, at=_AT, who=_WHO)
    return job.id


async def _cleaned(store: SQLiteStore, job_id: str) -> None:
    state = SyncJobState
    for step in (state.RUNNING, state.AWAITING_VERIFY, state.VERIFIED, state.CLEANUP_ELIGIBLE, state.CLEANED):
        await store.move(job_id, step, at=_AT, who=_WHO, what="benchmark")


async def _fill(path: Path, rows: int) -> None:
    """Half of the jobs cleaned, a fifth waiting, a fifth held, the rest ready; and enough ready ones to claim.

    The store itself makes one job of each kind; SQL multiplies them, or this would take a million durable steps.
    """
    store = SQLiteStore(path)
    await store.open()
    kinds = [await _queue(store, f"kind_{number}") for number in range(10)]
    for job_id in kinds[:5]:
        await _cleaned(store, job_id)
    for job_id in kinds[5:7]:
        await store.amend(job_id, next_attempt_at=_AT + timedelta(days=1))
    for job_id in kinds[7:9]:
        await store.amend(job_id, held=True)
    await store.close()
    await asyncio.to_thread(_multiply, path, rows)
    await store.open()
    for number in range(_CLAIMS):
        await _queue(store, f"ready_{number}")
    await store.close()


def _multiply(path: Path, rows: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)") if row[1] != "seq"]
        fresh = {
            "id": "jobs.id || '-' || copy",
            "run_path": "CAST(jobs.run_path || '-' || copy AS BLOB)",
            "run_folded": "CAST(jobs.run_folded || '-' || copy AS BLOB)",
        }
        chosen = ", ".join(fresh.get(column, column) for column in columns)
        connection.execute("CREATE TEMP TABLE copies (copy INTEGER)")
        connection.executemany("INSERT INTO copies VALUES (?)", ((copy,) for copy in range(1, rows // 10)))
        connection.execute(
            f"INSERT INTO jobs ({', '.join(columns)}) SELECT {chosen} FROM copies, jobs WHERE jobs.seq <= 10"  # noqa: S608  # names of columns
        )


async def claim_time(folder: Path, rows: int) -> ClaimTime:
    """How long the next job takes to be claimed among *rows*."""
    path = folder / f"claims-{rows}.db"
    await _fill(path, rows)
    store = SQLiteStore(path)
    await store.open()
    taken = []
    for _ in range(_CLAIMS):
        start = time.perf_counter()
        job = await store.claim(EQUIPMENT, at=_AT)
        taken.append((time.perf_counter() - start) * 1_000)
        if job is None:
            raise RuntimeError("the store has fewer ready jobs than were queued")
    await store.close()
    path.unlink()
    return ClaimTime(rows, statistics.median(taken), max(taken))


async def steps_per_second(folder: Path, jobs: int = 300) -> float:
    """Durable state transitions per second, one after the other."""
    store = SQLiteStore(folder / "steps.db")
    await store.open()
    ids = [await _queue(store, f"run_{number}") for number in range(jobs)]
    start = time.perf_counter()
    for job_id in ids:
        await _cleaned(store, job_id)
    taken = time.perf_counter() - start
    await store.close()
    return jobs * 5 / taken


async def records_per_second(folder: Path, files: int = 200_000) -> float:
    """File records written per second in batches, their totals read at the end."""
    store = SQLiteStore(folder / "files.db")
    await store.open()
    job_id = await _queue(store, "run")
    records = [FileRecord(f"Data/C{n // 100:05d}/tile_{n:07d}.bcl", 4_096, n, n, bytes(32)) for n in range(files)]
    start = time.perf_counter()
    for first in range(0, files, _BATCH):
        await store.put_files(job_id, records[first : first + _BATCH])
    taken = time.perf_counter() - start
    totals = await store.file_totals(job_id)
    await store.close()
    if totals.files != files:
        raise RuntimeError(f"the store has {totals.files} of {files} records")
    return files / taken


async def _measure(folder: Path, sizes: Sequence[int]) -> dict[str, object]:
    claims = [await claim_time(folder, rows) for rows in sizes]
    return {
        "claims": [
            {"rows": each.rows, "median_ms": round(each.median_ms, 3), "slowest_ms": round(each.slowest_ms, 3)}
            for each in claims
        ],
        "steps_per_second": round(await steps_per_second(folder)),
        "records_per_second": round(await records_per_second(folder)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes of the store, in jobs")
    chosen = parser.parse_args(arguments)
    with workplace(_ROOM) as folder:
        print(json.dumps(asyncio.run(_measure(folder, chosen.rows)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
