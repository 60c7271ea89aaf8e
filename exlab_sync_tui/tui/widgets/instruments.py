"""How is each instrument doing?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look, spoken
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.tui.scene import Live
from exlab_sync_tui.tui.telling import mood_of_hold

if TYPE_CHECKING:
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.tui.options import Instrument, Lab
    from exlab_sync_tui.tui.scene import Scene, Tally

_COLOURS = {GOOD: "$success", BAD: "$error", WAIT: "$warning", MOVE: "$primary", NOTE: "$secondary"}
_NUMBERS = (("backlog", "to send"), ("held", "held"), ("failed", "failed"), ("safe", "safe"))
_RATE = 12
_SHOWN_AT_MOST = 8
_SHOWN_WHEN_SHORT = 4


class Instruments(Static):
    """A line per instrument: its state, what it has to send, and how fast it goes."""

    def __init__(self, look: Look, lab: Lab, scene: Scene) -> None:
        super().__init__(markup=False, id="instruments")
        self._look = look
        self._lab = lab
        self._scene = scene
        self._live = Live()

    def show(self, scene: Scene) -> None:
        """Show another picture of the store."""
        self._scene = scene
        self.refresh(layout=True)

    def fly(self, live: Live) -> None:
        """Show what moves."""
        self._live = live
        self.refresh()

    def render(self) -> Content:
        most = _SHOWN_WHEN_SHORT if self.screen.has_class("-short") else _SHOWN_AT_MOST
        ones = self._lab.instruments
        shown = ones if len(ones) <= most else ones[: most - 1]
        widest = max((len(one.id) for one in shown), default=0)
        lines = [self._line(one, widest) for one in shown]
        if len(shown) < len(ones):
            lines.append(Content.styled(f"and {len(ones) - len(shown)} more instruments", "$secondary"))
        return Content("\n").join(lines) if lines else Content("No instrument is configured.")

    def _line(self, one: Instrument, widest: int) -> Content:
        tally, flight = self._scene.tally(one.id), self._live.at(one.id)
        hold = self._scene.instrument_holds.get(one.id) or self._outage(one)
        mood, word = self._state(tally, hold, is_moving=flight is not None)
        rate = f"{size(round(flight.rate))}/s" if flight is not None and flight.rate else ""
        return Content.assemble(
            (f"{self._look.glyph(mood)} {set_cell_size(word, 10)}", _COLOURS[mood]),
            f"  {set_cell_size(safe_text(one.id), widest)}  ",
            (self._numbers(tally), "$secondary"),
            (f"{rate:>{_RATE}}", "$primary"),
        )

    def _outage(self, one: Instrument) -> Hold | None:
        return next((hold for hold in self._scene.destination_holds if one in self._lab.behind(hold)), None)

    def _state(self, tally: Tally, hold: Hold | None, *, is_moving: bool) -> tuple[str, str]:
        if hold is not None:
            return mood_of_hold(hold.kind.value), spoken(hold.kind.value)
        if is_moving:
            return MOVE, "sending"
        if tally.failed:
            return BAD, "failed"
        if tally.backlog:
            return NOTE, "queued"
        return (GOOD, "all safe") if tally.safe and not tally.held else (NOTE, "watching")

    def _numbers(self, tally: Tally) -> str:
        """One aligned column for each sort of which any instrument has runs."""
        if not tally.total:
            return "no runs yet"
        every = [self._scene.tally(one.id) for one in self._lab.instruments]
        columns = []
        for name, word in _NUMBERS:
            widest = max(getattr(one, name) for one in every)
            number = getattr(tally, name)
            width = len(f"{widest:,}")
            if widest:
                columns.append(f"{number:>{width},} {word}" if number else " " * (width + 1 + len(word)))
        return "  ".join(columns)
