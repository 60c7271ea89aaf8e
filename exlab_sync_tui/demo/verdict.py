"""How is the outcome of a demo told? A table, one closing sentence, and what became of the lab."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.lab import Expected
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.headless.words import BAD, GOOD, Look
from exlab_sync_tui.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exlab_sync_tui.demo.judge import Outcome
    from exlab_sync_tui.headless.reporter import Reporter

_WIDTH = 80


def conclude(
    reporter: Reporter, outcomes: Sequence[Outcome], *, config: Path | None, code_of_run: int | None = None
) -> int:
    """Write what became of every run; 0 if that was the plan. *config* is the configuration of a lab that stays."""
    right = all(outcome.as_planned for outcome in outcomes)
    reporter.write_json(
        {
            "event": "demo",
            "as_planned": right,
            "exit_code_of_run": code_of_run,
            "folder": str(config.parent) if config else None,
            "runs": [outcome.as_data() for outcome in outcomes],
        }
    )
    shown = Look.of(sys.stdout)
    for line in ("", *_table(outcomes, shown), "", _closing(outcomes, shown), what_stays(config)):
        reporter.write(line)
    return 0 if right else 1


def what_stays(config: Path | None) -> str:
    """Whether the lab is still there, and where."""
    if config is None:
        return "The sample lab has been removed again."
    return f"The sample lab stays in {config.parent}; its configuration is {config.name} there."


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
    ends = (
        (Expected.VERIFIED, "are on the sample NAS and proven file by file"),
        (Expected.BLOCKED, "was kept here by the gate"),
        (Expected.CONFLICT, "was refused because its place on the NAS is taken"),
    )
    parts = [f"{planned.count(end)} {words}" for end, words in ends if end in planned]
    return f"{shown.glyph(GOOD)} All {count(len(outcomes), 'run')} ended as planned: {', '.join(parts)}."
