"""What is safe and what is left over? The closing table of a run, and the glance of ``status``."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.headless.words import BAD, GOOD, Look, mood_of, spoken
from exlab_sync_tui.text import safe_text, utc

if TYPE_CHECKING:
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.operate.glance import Glance, OpenRun, Tally

_INDENT = " " * 15
_COUNTS = ("safe", "moving", "queued", "waiting", "blocked", "failed")


def summary_lines(seen: Glance, look: Look, *, width: int = 80) -> list[str]:
    """The answer in one sentence, counts per instrument, and a line and a reason for everything that is not safe."""
    mood = GOOD if seen.total.safe == seen.total.total else mood_of(seen.open_runs[0].word) if seen.open_runs else BAD
    lines = [f"{look.glyph(mood)} {seen.sentence}"]
    if seen.tallies:
        columns = [Column("instrument", shrinks=True), *(Column(name, right=True) for name in _COUNTS)]
        rows = [[equipment_id, *_numbers(tally)] for equipment_id, tally in seen.tallies.items()]
        lines += ["", *table(columns, rows, width=width, ellipsis=look.ellipsis).split("\n")]
    if seen.wider or seen.open_runs:
        lines += ["", "Not moving, and why:"]
        for line in (*(_wider(hold, look) for hold in seen.wider), *(_open(run, look) for run in seen.open_runs)):
            lines += wrap(line, width, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False)
    if seen.more:
        lines.append(f"  and {seen.more:,} more; `exlab-sync list` shows them all")
    return lines


def summary_data(seen: Glance) -> dict[str, object]:
    """The same for programs."""
    total = seen.total
    return {
        "sentence": seen.sentence,
        "exit_code": seen.code,
        "total": {name: getattr(total, name) for name in _COUNTS},
        "equipment": {
            equipment_id: {name: getattr(tally, name) for name in _COUNTS}
            for equipment_id, tally in seen.tallies.items()
        },
        "not_safe": [_open_data(run) for run in seen.open_runs],
        "more_not_safe": seen.more,
        "holds": [hold_data(hold) for hold in seen.wider],
    }


def hold_data(hold: Hold) -> dict[str, object]:
    """A hold for programs."""
    return {
        "scope": hold.scope.value,
        "key": hold.key,
        "kind": hold.kind.value,
        "sentence": hold.sentence,
        "since": utc(hold.since),
        "until": utc(hold.until) if hold.until else None,
        "next_step": hold.next_step,
        "equipment_id": hold.equipment_id,
    }


def _open_data(run: OpenRun) -> dict[str, object]:
    return {
        "run_path": run.run_path,
        "equipment_id": run.equipment_id,
        "state": run.word,
        "sentence": run.sentence,
        "exit_code": run.code,
    }


def _numbers(tally: Tally) -> list[str]:
    return [f"{number:,}" if (number := getattr(tally, name)) else "-" for name in _COUNTS]


def _wider(hold: Hold, look: Look) -> str:
    word = spoken(hold.kind.value)
    return f"  {look.glyph(mood_of(hold.kind.value))} {word:<9}  {hold.equipment_id}: {safe_text(hold.sentence)}"


def _open(run: OpenRun, look: Look) -> str:
    name = safe_text(run.run_path.rpartition("/")[2])
    glyph = look.glyph(mood_of(run.word))
    return f"  {glyph} {spoken(run.word):<9}  {run.equipment_id} {name}: {safe_text(run.sentence)}"
