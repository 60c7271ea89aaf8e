"""Does everything work here? Runs the engine once on a sample lab and judges every run against the plan."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.judge import Outcome, judge
from exlab_sync_tui.demo.lab import TINY, Expected, build_lab
from exlab_sync_tui.engine.destinations import adopt
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.session import Session
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.headless.words import BAD, GOOD, Look
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.settings.schema import Settings
from exlab_sync_tui.text import count, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.demo.lab import SampleLab
    from exlab_sync_tui.headless.session import Ended

_WIDTH = 80


def run_demo(*, seed: int = 1, keep: bool = False, tiny: bool = False, as_json: bool = False) -> int:
    """Make the lab, send its runs, print what became of each; 0 if every run ended as planned.

    Everything lies in one temporary folder, which goes away at the end unless *keep*.
    """
    root = Path(tempfile.mkdtemp(prefix="exlab-sync-demo-")).resolve()
    try:
        return _demo(root, seed=seed, tiny=tiny, keep=keep, as_json=as_json)
    finally:
        if not keep:
            shutil.rmtree(root)


def _demo(root: Path, *, seed: int, tiny: bool, keep: bool, as_json: bool) -> int:
    lab = build_lab(root / "lab", seed=seed, scale=TINY if tiny else None)
    settings = Settings.model_validate(lab.config)
    store_path = root / "state" / STORE_NAME
    session = Session.on_terminal(settings, store_path, as_json=as_json)
    session.reporter.write(_greeting(lab))
    for item in settings.equipment:
        asyncio.run(adopt(settings, item.id, local=True, store_path=store_path))
    with logging_to(store_path.parent, settings.logging):
        ended = session.run(once=True)
    if ended.by is not None:
        session.reporter.write(f"Stopped by {ended.by.name}.")
        return ended.code
    outcomes = asyncio.run(judge(lab, store_path))
    return _conclude(session, ended, outcomes, place=root if keep else None)


def _conclude(session: Session, ended: Ended, outcomes: Sequence[Outcome], *, place: Path | None) -> int:
    right = all(outcome.as_planned for outcome in outcomes)
    session.reporter.write_json(
        {
            "event": "demo",
            "as_planned": right,
            "exit_code_of_run": ended.code,
            "folder": str(place) if place else None,
            "runs": [outcome.as_data() for outcome in outcomes],
        }
    )
    shown = Look.of(sys.stdout)
    for line in ("", *_table(outcomes, shown), "", _closing(outcomes, shown)):
        session.reporter.write(line)
    if place is None:
        session.reporter.write("The sample lab has been removed again.")
    else:
        session.reporter.write(f"The sample lab stays in {place}; its configuration is lab/config.yaml.")
    return 0 if right else 1


def _greeting(lab: SampleLab) -> str:
    data = [path for run in lab.runs for path in run.path.rglob("*") if path.is_file()]
    bytes_in_all = sum(path.stat().st_size for path in data)
    instruments = len({run.instrument for run in lab.runs})
    return (
        f"A sample lab: {count(instruments, 'instrument')}, {count(len(lab.runs), 'run')},"
        f" {count(len(data), 'file')}, {size(bytes_in_all)}. One run has a broken name, and one lies where somebody"
        " already copied something else; both must stay here."
    )


def _table(outcomes: Sequence[Outcome], shown: Look) -> list[str]:
    columns = (Column("outcome"), Column("instrument"), Column("run", shrinks=True), Column("why", shrinks=True))
    rows = [
        (
            f"{shown.glyph(GOOD if outcome.as_planned else BAD)} {outcome.word}",
            outcome.run.instrument,
            outcome.run.path.name,
            outcome.sentence,
        )
        for outcome in outcomes
    ]
    return table(columns, rows, width=max(shutil.get_terminal_size().columns, _WIDTH), ellipsis=shown.ellipsis).split(
        "\n"
    )


def _closing(outcomes: Sequence[Outcome], shown: Look) -> str:
    wrong = [outcome for outcome in outcomes if not outcome.as_planned]
    if wrong:
        names = ", ".join(outcome.run.path.name for outcome in wrong)
        return f"{shown.glyph(BAD)} {count(len(wrong), 'run')} did not end as planned: {names}."
    planned = [outcome.run.expected for outcome in outcomes]
    return (
        f"{shown.glyph(GOOD)} All {count(len(outcomes), 'run')} ended as planned:"
        f" {planned.count(Expected.VERIFIED)} are on the sample NAS and proven file by file,"
        f" {planned.count(Expected.BLOCKED)} was kept here by the gate,"
        f" {planned.count(Expected.CONFLICT)} was refused because its place on the NAS is taken."
    )
