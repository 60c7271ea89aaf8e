"""What does an engine cost that has nothing to do? ``python -m tests.benchmarks.idle`` says it beside many runs.

The real service beside a store of many runs: half of them are verified and lie there, half were cleaned long ago.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.tree.snapshot import fingerprint
from exlab_sync_tui.tree.walk import walk
from tests.acceptance.bench_lab import Lab, write_run
from tests.benchmarks.measure import workplace
from tests.watchdog import resident

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RUNS = 100_000
_FILES = 3
_LOOK_SECONDS = 5.0
_AT_REST = 0.1
"""Seconds of CPU between two looks at most, once the start is over."""
_PATIENCE_SECONDS = 300.0
_ROOM = 2 << 30
_TICKS = os.sysconf("SC_CLK_TCK")


def prepare(root: Path, runs: int) -> Lab:
    """A lab whose store knows *runs* finished runs; one goes the real way, SQL multiplies it."""
    lab = Lab(root).prepare()
    first = write_run(lab.local / "Run_0000000", small=_FILES)
    done = lab.run("run", "--once")
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    with closing(sqlite3.connect(lab.state / "queue.db")) as store, store:
        names = [f"Run_{number:07d}" for number in range(1, runs)]
        _multiply(store, first, names)
        store.executemany("INSERT INTO observations VALUES (?, ?, ?, ?, 1)", _observed(store, lab, first, names[::2]))
    return lab


def _multiply(store: sqlite3.Connection, first: Path, names: list[str]) -> None:
    """Every second one is cleaned, and its folder is gone."""
    columns = [row[1] for row in store.execute("PRAGMA table_info(jobs)") if row[1] != "seq"]
    fresh = {
        "id": "'copy-' || name",
        "run_path": "CAST(:folder || name AS BLOB)",
        "run_folded": "CAST(lower(:folder || name) AS BLOB)",
        "nas_path": "CAST('PLAIN_01/' || name AS BLOB)",
        "state": "CASE number % 2 WHEN 1 THEN 'cleaned' ELSE state END",
    }
    chosen = ", ".join(fresh.get(column, column) for column in columns)
    store.execute("CREATE TEMP TABLE copies (number INTEGER, name TEXT)")
    store.executemany("INSERT INTO copies VALUES (?, ?)", enumerate(names))
    store.execute(
        f"INSERT INTO jobs ({', '.join(columns)}) SELECT {chosen} FROM copies, jobs WHERE jobs.seq = 1",  # noqa: S608  # names of columns
        {"folder": f"{first.parent}/"},
    )


def _observed(store: sqlite3.Connection, lab: Lab, first: Path, names: list[str]) -> Iterator[tuple[object, ...]]:
    since, seen = store.execute("SELECT since, seen FROM observations").fetchone()
    data = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    for name in names:
        run = lab.local / name
        for rel, content in data.items():
            (run / rel).parent.mkdir(parents=True, exist_ok=True)
            (run / rel).write_bytes(content[:16])
        yield os.fsencode(run), fingerprint(walk(run)), since, seen


def measure(lab: Lab, seconds: float) -> dict[str, float]:
    """Percent of one core over *seconds*, once the start is over, and resident MiB."""
    with (lab.root / "service.txt").open("wb") as told:
        process = subprocess.Popen(lab.command("run"), stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        try:
            start = _rested(process.pid)
            time.sleep(seconds)
            used = _ticks(process.pid) - start
            if process.poll() is not None:
                raise RuntimeError((lab.root / "service.txt").read_text(errors="replace")[-1_000:])
            return {
                "start_cpu_seconds": round(start / _TICKS, 1),
                "percent_of_a_core": round(100 * used / _TICKS / seconds, 2),
                "resident_mib": round(resident(process.pid) / (1 << 20), 1),
            }
        finally:
            process.terminate()
            process.wait()


def _rested(pid: int) -> int:
    """The CPU time once the first look at everything is over."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    before = -_TICKS
    while (now := _ticks(pid)) - before > _AT_REST * _TICKS or now < _TICKS // 2:
        if time.monotonic() > deadline:
            raise RuntimeError("the engine never came to rest after its start")
        before = now
        time.sleep(_LOOK_SECONDS)
    return now


def _ticks(pid: int) -> int:
    """CPU time of the process, ``utime`` and ``stime`` (``proc(5)``)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(words[11]) + int(words[12])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.idle", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs in the store (default: {RUNS:,})")
    parser.add_argument("--seconds", type=float, default=130.0, help="how long is measured (default: 130)")
    chosen = parser.parse_args(arguments)
    with workplace(_ROOM) as folder:
        lab = prepare(folder, chosen.runs)
        print(json.dumps({"runs": chosen.runs} | measure(lab, chosen.seconds), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
