"""Does everything work here? Runs the engine once on a sample lab and judges every run against the plan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.folder import sample_folder
from exlab_sync_tui.demo.judge import judge
from exlab_sync_tui.demo.lab import TINY, build_lab
from exlab_sync_tui.demo.verdict import conclude
from exlab_sync_tui.engine.destinations import adopt
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.session import Session
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.settings.schema import Settings
from exlab_sync_tui.text import count, size

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui.demo.lab import SampleLab


def run_demo(*, seed: int = 1, keep: bool = False, tiny: bool = False, as_json: bool = False) -> int:
    """Make the lab, send its runs, print what became of each; 0 if every run ended as planned.

    Everything lies in one temporary folder, which goes away at the end unless *keep*.
    """
    with sample_folder(keep=keep) as root:
        return _demo(root, seed=seed, tiny=tiny, keep=keep, as_json=as_json)


def _demo(root: Path, *, seed: int, tiny: bool, keep: bool, as_json: bool) -> int:
    lab = build_lab(root, seed=seed, scale=TINY if tiny else None)
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
    return conclude(session.reporter, outcomes, config=lab.config_path if keep else None, code_of_run=ended.code)


def _greeting(lab: SampleLab) -> str:
    data = [path for run in lab.runs for path in run.path.rglob("*") if path.is_file()]
    bytes_in_all = sum(path.stat().st_size for path in data)
    instruments = len({run.instrument for run in lab.runs})
    return (
        f"A sample lab: {count(instruments, 'instrument')}, {count(len(lab.runs), 'run')},"
        f" {count(len(data), 'file')}, {size(bytes_in_all)}. One run has a broken name, and one lies where somebody"
        " already copied something else; both must stay here."
    )
