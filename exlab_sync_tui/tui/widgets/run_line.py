"""How does one run look on one line?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.headless.words import MOVE
from exlab_sync_tui.text import duration, safe_text, size
from exlab_sync_tui.tui.detail import project_of
from exlab_sync_tui.tui.telling import proof
from exlab_sync_tui.tui.widgets.columns import GAP, GLYPH, WORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.style import Style

    from exlab_sync_tui.engine.cockpit.view import Flight
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.telling import Telling
    from exlab_sync_tui.tui.widgets.columns import Columns
    from exlab_sync_tui.tui.widgets.lines import Lines

_WIDE_STORY, _SHORT_STORY = 44, 28
_BAR, _SHORT_BAR, _STUB = 20, 10, 6

Part = tuple[str, "Style"]


def run_line(row: Row, told: Telling, columns: Columns, lines: Lines, styled: Callable[[str], Style]) -> list[Part]:
    """The parts of the line behind the cursor's mark, each with its style."""
    mood, name, story, gap = styled(told.mood), styled("name"), styled("story"), " " * GAP
    parts = [
        (lines.fit(lines.look.glyph(told.mood), GLYPH) + lines.fit(told.word, WORD), mood),
        (gap + lines.fit(row.name, columns.name) + gap, name),
    ]
    if columns.instrument:
        parts.append((lines.fit(safe_text(row.equipment_id), columns.instrument) + gap, story))
    if columns.project:
        parts.append((lines.fit(project_of(row.run_path, row.equipment_id), columns.project) + gap, story))
    if columns.amount:
        parts.append((lines.fit(told.amount, columns.amount, right=True) + gap, story))
        parts.append((lines.fit(told.age, columns.age, right=True) + gap, story))
    if columns.proof:
        parts.append((lines.fit(proof(row), columns.proof) + gap, story))
    if told.flight is not None:
        return parts + _progress(told.flight, columns.story, lines, styled)
    words = told.story
    if not columns.amount:
        words = told.brief or told.story
    elif columns.proof and told.after is not None:
        words = told.after
    return [*parts, (lines.fit(words, columns.story), story)]


def _progress(flight: Flight, width: int, lines: Lines, styled: Callable[[str], Style]) -> list[Part]:
    share = min(flight.moved / flight.size, 1.0) if flight.size else 0.0
    cells = _BAR if width >= _WIDE_STORY else _SHORT_BAR if width >= _SHORT_STORY else _STUB
    gap = " " if cells == _STUB else "  "
    full = int(share * cells)
    blocks = ("━", "─") if lines.look.unicode else ("#", "-")
    words = [f"{share:4.0%}"]
    if flight.rate:
        words.append(f"{size(round(flight.rate))}/s")
    if flight.eta is not None and width >= _WIDE_STORY:
        words.append(f"{duration(flight.eta)} left")
    return [
        (blocks[0] * full, styled(MOVE)),
        (blocks[1] * (cells - full), styled("empty-bar")),
        (lines.fit(" " + gap.join(words), max(width - cells, 0)), styled("story")),
    ]
