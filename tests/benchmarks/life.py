"""What does the engine do all day? ``python -m tests.benchmarks.life`` lets a lab live for an hour, and profiles it.

Three instruments beside the real service: a microscope that writes a stack every ten minutes, a sequencer whose one run
grows for the whole hour, a plate reader with a few small files every minute. Time goes by *pace* times as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.acceptance.bench_lab import SENTINEL, Lab, adopt, instrument, wait_for
from tests.benchmarks import report
from tests.benchmarks.measure import workplace
from tests.benchmarks.sampler import by_room

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INSTRUMENTS = ("MICROSCOPE_01", "SEQUENCER_01", "READER_01")
_SETTLE = 2
_KIB = 1 << 10
_MIB = 1 << 20
_ROOM = 3 << 30
_PATIENCE_SECONDS = 120.0
_SHOWN = 12
_BLOCK = os.urandom(_MIB)


@dataclass(frozen=True, slots=True)
class Write:
    """A file that an instrument writes *at* so many seconds after the start; the sentinel ends its run."""

    at: float
    run: str
    rel: str
    size: int


def hour(minutes: int) -> list[Write]:
    """What the three instruments write in so many minutes, in the order of time."""
    return sorted([*_microscope(minutes), *_sequencer(minutes), *_reader(minutes)], key=lambda write: write.at)


def _microscope(minutes: int) -> Iterator[Write]:
    for begun in range(0, minutes, 10):
        run = f"MICROSCOPE_01/Stack_{begun:04d}"
        for plane in range(240):
            yield Write(60 * begun + plane, run, f"stack/z{plane:03d}.tif", 512 * _KIB)
        yield Write(60 * begun + 241, run, SENTINEL, 0)


def _sequencer(minutes: int) -> Iterator[Write]:
    run = "SEQUENCER_01/Flowcell"
    for cycle in range(minutes - 5):
        for tile in range(40):
            yield Write(60 * cycle + tile, run, f"C{cycle:03d}/s_{tile:02d}.bcl", 64 * _KIB)
    yield Write(60 * (minutes - 5), run, SENTINEL, 0)


def _reader(minutes: int) -> Iterator[Write]:
    for minute in range(minutes - 1):
        run = f"READER_01/Plate_{minute:04d}"
        for well in range(5):
            yield Write(60 * minute + well, run, f"well_{well}.csv", 20 * _KIB)
        yield Write(60 * minute + 6, run, SENTINEL, 0)


def live(lab: Lab, writes: Sequence[Write], pace: float) -> dict[str, float]:
    """Write in time; when each run was finished, in seconds since the epoch."""
    finished: dict[str, float] = {}
    begun = time.time()
    for write in writes:
        wait = begun + write.at / pace - time.time()
        if wait > 0:
            time.sleep(wait)
        path = lab.local / write.run / write.rel
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_BLOCK[: write.size])
        if write.rel == SENTINEL:
            finished[path.parent.name] = time.time()
    return finished


def measure(folder: Path, minutes: int, pace: float) -> dict[str, object]:
    """Raises ``RuntimeError`` if the service ends, or a run is not verified in time."""
    lab = Lab(folder)
    for name in _INSTRUMENTS:
        (lab.local / name).mkdir(parents=True)
    lab.nas.mkdir()
    adopt(lab.nas)
    lab.configure(
        *(instrument(name, lab.local / name, lab.nas, settle_seconds=_SETTLE) for name in _INSTRUMENTS),
    )
    profile = folder / "profile.json"
    log = folder / "service.txt"
    with log.open("wb") as told:
        command = [sys.executable, "-m", "tests.benchmarks.sampler", str(profile), *lab.words("run", "--json")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, text=True)
        try:
            wait_for(lambda: log.stat().st_size > 0, process)  # its first event: the store is open
            begun = time.monotonic()
            finished = live(lab, hour(minutes), pace)
            verified = _until_verified(lab, process, len(finished))
            cost = _cost(process.pid)
            lived = time.monotonic() - begun
        finally:
            process.terminate()
            process.wait()
    seen = json.loads(profile.read_text())
    late = sorted(verified[name] - at for name, at in finished.items())
    return {
        "runs": len(finished),
        "seconds lived": round(lived, 1),
        "seconds from finished to VERIFIED, median": round(late[len(late) // 2], 2),
        "the same, longest": round(late[-1], 2),
        **cost,
        "of that for this profile": round(seen["own_seconds"], 1),
        "ticks": Counter(seen["ticks"]),
    }


def _until_verified(lab: Lab, process: subprocess.Popen[str], wanted: int) -> dict[str, float]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(found := _verified(lab)) < wanted:
        if process.poll() is not None or time.monotonic() > deadline:
            told = (lab.root / "service.txt").read_text(errors="replace")
            raise RuntimeError(f"{len(found)} of {wanted} runs were verified: {told[-1_000:]}")
        time.sleep(0.1)
    return found


def _verified(lab: Lab) -> dict[str, float]:
    """When each run was verified, in seconds since the epoch."""
    with closing(sqlite3.connect(f"file:{lab.state / 'queue.db'}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT run_path, verified_at FROM jobs WHERE verified_at IS NOT NULL").fetchall()
    return {Path(os.fsdecode(path)).name: datetime.fromisoformat(at).timestamp() for path, at in rows}


def _cost(pid: int) -> dict[str, float]:
    """CPU seconds of the engine and of its children so far, and resident MiB of the engine."""
    engine = psutil.Process(pid)
    used = engine.cpu_times()
    children = [child.cpu_times() for child in engine.children(recursive=True)]
    return {
        "CPU seconds of the engine": round(used.user + used.system, 1),
        "CPU seconds of its children": round(
            used.children_user + used.children_system + sum(child.user + child.system for child in children), 1
        ),
        "resident MiB of the engine": round(engine.memory_info().rss / _MIB, 1),
    }


def _table(ticks: Counter[str]) -> Iterator[str]:
    whole = sum(ticks.values()) or 1
    yield "room                 share of the engine's CPU time"
    for room, used in by_room(ticks).most_common():
        yield f"{room:20s} {100 * used / whole:5.1f} %"
    yield ""
    for place, used in ticks.most_common(_SHOWN):
        yield f"{100 * used / whole:5.1f} %  {place}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Live, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.life", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="how long the lab lives (default: 60)")
    parser.add_argument("--pace", type=float, default=30.0, help="how many times as fast (default: 30)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args(arguments)
    with workplace(_ROOM) as folder:
        found = measure(folder, chosen.minutes, chosen.pace)
    if chosen.json:
        print(json.dumps({"about": report.machine(), **found}, indent=2))
        return 0
    ticks = found.pop("ticks")
    assert isinstance(ticks, Counter)
    print("\n".join(f"{name}: {value}" for name, value in {**report.machine(), **found}.items()), end="\n\n")
    print("\n".join(_table(ticks)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
