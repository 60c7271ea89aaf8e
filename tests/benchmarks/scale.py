"""What does it cost when the lab grows? ``python -m tests.benchmarks.scale`` prints curves, their growth, and plots.

Files in one run, runs that finish at once, instruments in one configuration, finished runs in the store: each is made
larger by tens, and the real engine, a process of its own, has to cope. Everything lies in memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tests.acceptance.bench_lab import SENTINEL, Lab, adopt, instrument
from tests.benchmarks import idle, report
from tests.benchmarks.curves import Curve, as_json
from tests.benchmarks.measure import workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUICK = {"files": (1_000, 10_000), "burst": (10, 100), "instruments": (1, 10), "store": (1_000, 10_000)}
FULL = {
    "files": (1_000, 10_000, 100_000, 1_000_000),
    "burst": (10, 100, 1_000),
    "instruments": (1, 10, 100),
    "store": (1_000, 10_000, 100_000),
}
_PER_FOLDER = 1_000
_FILES_OF_A_RUN = 10
_ROUNDS = 3
_ROOM = 3 << 30
_MIB = 1 << 20
_HOME = Path(__file__).parents[2]

Figures: TypeAlias = dict[str, float]


def files(folder: Path, size: int) -> Figures:
    """One run of *size* small files to VERIFIED; then a new engine that finds everything as it was."""
    lab = Lab(folder).prepare()
    run = lab.local / "Run_A"
    for number in range(size):
        place = run / f"part_{number // _PER_FOLDER:04d}"
        if number % _PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"tile_{number:07d}.bin").write_bytes(number.to_bytes(8, "big"))
    (run / SENTINEL).touch()
    first = _weighed(lab, 1)
    again = _weighed(lab, 1)
    return {
        "microseconds per file": first["seconds"] / size * 1e6,
        "peak MiB": first["peak"],
        "event loop blocked, ms": first["longest"],
        "seconds of a start without change": again["seconds"],
        "store, bytes per file": (lab.state / "queue.db").stat().st_size / size,
    }


def burst(folder: Path, size: int) -> Figures:
    """*size* runs of one instrument that are finished at the same time."""
    lab = Lab(folder).prepare()
    for number in range(size):
        _small_run(lab.local / f"Run_{number:05d}")
    told = _weighed(lab, size)
    return _of_runs(told, size)


def instruments(folder: Path, size: int) -> Figures:
    """*size* instruments in one configuration, each with a run that is finished."""
    lab = Lab(folder)
    lab.nas.mkdir(parents=True)
    adopt(lab.nas)
    blocks = []
    for number in range(size):
        name = f"PLAIN_{number:03d}"
        _small_run(lab.local / name / f"Run_{number:03d}")
        blocks.append(instrument(name, lab.local / name, lab.nas))
    lab.configure(*blocks)
    return _of_runs(_weighed(lab, size), size)


def store(folder: Path, size: int) -> Figures:
    """A store that knows *size* finished runs, half of whose folders are still there."""
    lab = idle.prepare(folder, size)
    taken = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        lab.run("status")
        taken.append(time.perf_counter() - begun)
    again = _weighed(lab, size)
    return {
        "seconds of `status`": statistics.median(taken),
        "seconds of a start without change": again["seconds"],
        "peak MiB": again["peak"],
        "event loop blocked, ms": again["longest"],
        "store, bytes per run": (lab.state / "queue.db").stat().st_size / size,
    }


_KINDS: dict[str, tuple[str, Callable[[Path, int], Figures]]] = {
    "files": ("files in a run", files),
    "burst": ("runs at once", burst),
    "instruments": ("instruments", instruments),
    "store": ("runs in the store", store),
}


def _small_run(run: Path) -> None:
    run.mkdir(parents=True)
    for number in range(_FILES_OF_A_RUN):
        (run / f"tile_{number}.bin").write_bytes(bytes([number]) * 1_000)
    (run / SENTINEL).touch()


def _of_runs(told: Figures, size: int) -> Figures:
    return {
        "milliseconds per run": told["seconds"] / size * 1e3,
        "peak MiB": told["peak"],
        "event loop blocked, ms": told["longest"],
    }


def _weighed(lab: Lab, runs: int) -> Figures:
    """What an engine took until nothing moved any more. Raises ``RuntimeError`` if a run is not safe then."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.weigh", str(lab.config), str(lab.state)],
        cwd=_HOME,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-1_000:])
    told = json.loads(done.stdout)
    states = told["states"]
    if sum(states.get(safe, 0) for safe in ("verified", "cleaned")) != runs:
        raise RuntimeError(f"{runs} runs should be safe, and they are: {states}")
    return {"seconds": told["seconds"], "peak": told["peak"] / _MIB, "longest": told["longest"] * 1e3}


def curves(kind: str, sizes: Sequence[int], say: Callable[[str], None]) -> list[Curve]:
    """The curves of one kind, a point for each of *sizes*."""
    things, measure = _KINDS[kind]
    points: list[Figures] = []
    with workplace(_ROOM) as folder:
        for size in sizes:
            place = folder / str(size)
            place.mkdir()
            points.append(measure(place, size))
            shutil.rmtree(place)
            say(f"{size:,} {things}: {', '.join(f'{name} {value:.4g}' for name, value in points[-1].items())}")
    return [Curve(things, name, things, sizes, [point[name] for point in points]) for name in points[0]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="two small points a curve (the default)")
    size.add_argument("--full", action="store_true", help="up to 1,000,000 files, 1,000 runs at once, 100 instruments")
    parser.add_argument("--only", choices=list(_KINDS), action="append", help="which curves (default: all)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args(arguments)
    sizes = FULL if chosen.full else QUICK
    found: list[Curve] = []
    for kind in chosen.only or _KINDS:
        found += curves(kind, sizes[kind], lambda sentence: print(sentence, file=sys.stderr, flush=True))
    if chosen.json:
        print(json.dumps({"about": report.machine(), "curves": as_json(found)}, indent=2))
    else:
        print("\n".join(f"{key}: {value}" for key, value in report.machine().items()), end="\n\n")
        print("\n\n".join(curve.plot() for curve in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
