"""Does an engine that has sent many runs need more memory? ``python -m tests.benchmarks.memory`` prints the curve.

The real service beside one instrument: runs of a few small files appear in waves, and once a wave is verified the
service's resident memory is read (``proc(5)``). Its caches fill up at first; what counts is what comes after that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from tests.acceptance.bench_lab import Lab, adopt, instrument, write_exlab_run
from tests.benchmarks.measure import workplace
from tests.watchdog import resident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

RUNS = 10_000
WARM = 2_000
"""So many runs fill every cache; growth is counted from there on."""
_WAVE = 500
_LOOK_SECONDS = 0.2
_STILL_SECONDS = 120.0
_ROOM = 1 << 30
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Point:
    """Resident bytes of the service once *runs* were verified."""

    runs: int
    resident: int


def growth(curve: Sequence[Point], *, warm: int = WARM) -> float:
    """Bytes per run from *warm* runs on. Raises ``ValueError`` if the curve does not go beyond that."""
    known = [point for point in curve if point.runs >= warm]
    if len(known) < 2:  # a slope has two ends
        raise ValueError(f"the curve has fewer than two points from {warm} runs on")
    return (known[-1].resident - known[0].resident) / (known[-1].runs - known[0].runs)


async def curve_of(folder: Path, runs: int, wave: int, say: Callable[[Point], None]) -> list[Point]:
    """Let the service send *runs* runs. Raises ``RuntimeError`` if it ends or a run is not verified."""
    lab = _lab(folder)
    points = []
    with _service(lab) as process:
        for first in range(0, runs, wave):
            last = min(first + wave, runs)
            await asyncio.to_thread(_write, lab, first, last)
            await _until_verified(lab, process, last)
            points.append(Point(last, resident(process.pid)))
            say(points[-1])
    return points


def _lab(folder: Path) -> Lab:
    lab = Lab(folder)
    for place in (lab.local, lab.nas):
        place.mkdir(parents=True)
    adopt(lab.nas)
    return lab.configure(instrument("EXLAB_01", lab.local, lab.nas, layout="exlab"))


def _write(lab: Lab, first: int, last: int) -> None:
    """A hundred runs a project, each in its place all at once."""
    for number in range(first, last):
        run = write_exlab_run(lab.root / "made", f"Run_{number:06d}")
        (run / "data.raw").write_bytes(os.urandom(1_000))
        runs = lab.local / "EXLAB_01" / f"Project_{number // 100:04d}" / "Runs"
        runs.mkdir(parents=True, exist_ok=True)
        run.rename(runs / run.name)


@contextmanager
def _service(lab: Lab) -> Iterator[subprocess.Popen[bytes]]:
    log = lab.root / "service.txt"
    with log.open("wb") as told:
        process = subprocess.Popen(
            lab.command("run", "--json"), stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


async def _until_verified(lab: Lab, process: subprocess.Popen[bytes], wanted: int) -> None:
    loop = asyncio.get_running_loop()
    before, moved = -1, loop.time()
    while (now := await _verified(lab)) < wanted:
        if process.poll() is not None:
            told = (lab.root / "service.txt").read_text(errors="replace")
            raise RuntimeError(f"the service ended with {process.returncode}: {told[-1_000:]}")
        if now != before:
            before, moved = now, loop.time()
        elif loop.time() - moved > _STILL_SECONDS:
            raise RuntimeError(f"{wanted - now:,} runs were not verified for {_STILL_SECONDS:g} s")
        await asyncio.sleep(_LOOK_SECONDS)


async def _verified(lab: Lab) -> int:
    store = SQLiteStore(lab.state / "queue.db", read_only=True)
    try:
        await store.open()
    except NotFoundError:
        return 0
    try:
        counts = await store.counts()
    finally:
        await store.close()
    return sum(number for (_, state), number in counts.items() if state is SyncJobState.VERIFIED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how many runs are sent (default: {RUNS:,})")
    parser.add_argument("--wave", type=int, default=_WAVE, help=f"runs between two looks (default: {_WAVE})")
    parser.add_argument("--json", action="store_true", help="print the points as JSON")
    chosen = parser.parse_args(arguments)
    if chosen.wave < 1 or chosen.runs < WARM + chosen.wave:
        parser.error(f"there must be a wave after the first {WARM:,} runs, which fill the caches")
    with workplace(_ROOM) as folder:
        curve = asyncio.run(curve_of(folder, chosen.runs, chosen.wave, _say))
    slope = growth(curve)
    if chosen.json:
        print(json.dumps({"points": [asdict(point) for point in curve], "bytes_per_run": round(slope)}, indent=2))
    else:
        print(f"from run {WARM:,} on: {slope:,.0f} bytes a run")
    return 0


def _say(point: Point) -> None:
    print(f"{point.runs:7,} runs  {point.resident / _MIB:6.1f} MiB", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
