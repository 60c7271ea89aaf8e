"""How long does the gate look at a large run, and what does it open? ``python -m tests.benchmarks.gate`` tells."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.model.run import EquipmentFolder, Layout, RunFolder
from tests.benchmarks.measure import workplace
from tests.watchdog import LoopWatch

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = 100_000
RENDERED = ("notes/run.md", "notes/plan.txt", "settings.ini")
_FOLDER = 1_000
_ROOM = 1 << 30


@dataclass(frozen=True, slots=True)
class Judged:
    """Seconds of one judgement and of the longest stall of the loop; ``opened`` are files below the run."""

    files: int
    seconds: float
    stall: float
    opened: tuple[str, ...]
    findings: int


def make_run(root: Path, files: int) -> RunFolder:
    """An exlab run of *files* small files, three of which its template rendered, and one broken name at the bottom."""
    equipment = EquipmentFolder("BENCH_01", root / "BENCH_01", Layout.EXLAB)
    below = PurePosixPath("Kelp", "Runs", "Run_1")
    run, template = equipment.root / below, root / "template"
    for number in range(files - len(RENDERED) - 1):
        if number % _FOLDER == 0:
            (run / f"tile_{number // _FOLDER:04d}").mkdir(parents=True)
        (run / f"tile_{number // _FOLDER:04d}" / f"read_{number:07d}.txt").touch()
    for rel in RENDERED:
        for place in (run / rel, template / f"{rel}.jinja"):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("---\nsample: kelp\n---\n")
    (run / "tile_0000" / "<date>.raw").touch()
    creation = {
        "schema_version": "1.4",
        "paths": {},
        "run_kind": "experimental",
        "template": {"name": "imaging", "source_path": str(template)},
    }
    for folder in (run, run.parents[1]):
        (folder / ".exlab-wizard").mkdir(parents=True)
        (folder / ".exlab-wizard" / "creation.json").write_text(json.dumps(creation))
    return RunFolder(run, equipment, below)


async def judge(run: RunFolder, files: int) -> Judged:
    """Judge it in a thread, as the engine does."""
    opened: list[str] = []
    sys.addaudithook(lambda event, details: _note(event, details, run, opened))
    async with LoopWatch() as watch:
        begun = time.perf_counter()
        verdict = await asyncio.to_thread(Validator().judge, run, at=datetime(2025, 6, 1, tzinfo=UTC))
        seconds = time.perf_counter() - begun
    return Judged(files, seconds, watch.longest, tuple(opened), len(verdict.findings))


def _note(event: str, details: tuple[Any, ...], run: RunFolder, opened: list[str]) -> None:
    """Files are opened by their names relative to an open folder; folders do not count."""
    if event != "open" or not isinstance(details[0], str) or details[2] & os.O_DIRECTORY:
        return
    place = Path(details[0])
    if not place.is_absolute() or place.is_relative_to(run.path):
        opened.append(place.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gate", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help=f"files of the run (default: {FILES:,})")
    parser.add_argument("--folder", type=Path, help="make the run here instead of in a temporary folder")
    chosen = parser.parse_args(arguments)
    with workplace(_ROOM) as folder:
        run = make_run(chosen.folder or folder, chosen.files)
        print(json.dumps(asdict(asyncio.run(judge(run, chosen.files)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
