"""How is each instrument doing? Aligned columns: state, backlog, rate, what is left, the limit, room on both disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look
from exlab_sync_tui.text import duration, safe_text, size
from exlab_sync_tui.tui.moments import soon
from exlab_sync_tui.tui.premises import Survey
from exlab_sync_tui.tui.scene import Live, seconds_left
from exlab_sync_tui.tui.telling import mood_of_hold, word_of
from exlab_sync_tui.tui.widgets.spark import spark

if TYPE_CHECKING:
    from textual import events

    from exlab_sync_tui.engine.cockpit.room import Room
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.tui.options import Instrument, Lab
    from exlab_sync_tui.tui.premises import Limit
    from exlab_sync_tui.tui.scene import Scene, Tally

COLOURS = {GOOD: "$success", BAD: "$error", WAIT: "$warning", MOVE: "$primary", NOTE: "$secondary"}
_MARGIN, _SIGN, _WORD, _GAP = 2, 2, 13, 2
_NUMBERS = (9, 10, 8)
_RATE, _LEFT, _LIMIT, _HERE, _THERE = 11, 13, 26, 12, 13
_WORDED = 13
_SPARK_LEAST, _SPARK_MOST = 6, 24
_SHOWN_AT_MOST = 8
_SHOWN_WHEN_SHORT = 3
_SCARCE = 0.05
"""A disk with less than this share free is shown as a warning."""
_KIBPS_PER_MBPS = 128


class Instruments(Static):
    """A line per instrument. A click on one lists its runs alone."""

    class Picked(Message):
        """An instrument was clicked."""

        def __init__(self, equipment_id: str) -> None:
            super().__init__()
            self.equipment_id = equipment_id

    def __init__(self, look: Look, lab: Lab, scene: Scene) -> None:
        super().__init__(markup=False, id="instruments")
        self._look = look
        self._lab = lab
        self._scene = scene
        self._live = Live()
        self._survey = Survey()

    def show(self, scene: Scene) -> None:
        """Show another picture of the store."""
        self._scene = scene
        self.refresh(layout=True)

    def fly(self, live: Live) -> None:
        """Show what moves."""
        self._live = live
        self.refresh()

    def place(self, survey: Survey) -> None:
        """Show disks and limits."""
        self._survey = survey
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        index = event.y - (0 if self._is_worded else 1)
        shown = self._shown
        if 0 <= index < len(shown):
            self.post_message(self.Picked(shown[index].id))

    @property
    def _is_short(self) -> bool:
        return self.screen.has_class("-short")

    @property
    def _is_worded(self) -> bool:
        """Whether words beside the numbers save the line of titles."""
        return self._is_short and self.screen.has_class("-narrow")

    @property
    def _shown(self) -> tuple[Instrument, ...]:
        most = _SHOWN_WHEN_SHORT if self._is_short else _SHOWN_AT_MOST
        ones = self._lab.instruments
        return ones if len(ones) <= most else ones[: most - 1]

    def render(self) -> Content:
        shown, every = self._shown, self._lab.instruments
        if not every:
            return Content.styled(f"{' ' * _MARGIN}No instrument yet.", "$secondary")
        columns = _Columns(self.size.width, max(cell_len(safe_text(one.id)) for one in shown), self._look)
        lines = [] if self._is_worded else [Content.styled(columns.titles(), "$secondary")]
        lines += [self._line(one, columns) for one in shown]
        if len(shown) < len(every):
            more = len(every) - len(shown)
            lines.append(
                Content.styled(
                    f"{' ' * _MARGIN}and {more} more {'instruments' if more > 1 else 'instrument'}", "$secondary"
                )
            )
        return Content("\n").join(lines)

    def _line(self, one: Instrument, columns: _Columns) -> Content:
        tally, flight = self._scene.tally(one.id), self._live.at(one.id)
        hold = self._scene.instrument_holds.get(one.id) or self._outage(one)
        stuck = sum(1 for run in self._scene.stuck if run.equipment_id == one.id)
        mood, word = self._state(one, tally, hold, is_moving=flight is not None)
        rate = f"{size(round(flight.rate))}/s" if flight is not None and flight.rate else ""
        needing = tally.failed + stuck
        parts: list[str | tuple[str, str]] = [
            " " * _MARGIN,
            (f"{self._look.glyph(mood)} {set_cell_size(word, _WORD)}", COLOURS[mood]),
            columns.cut(safe_text(one.id), columns.name) + " " * _GAP,
            *self._numbers(tally.backlog, needing, tally.safe),
            " " * _GAP,
            (spark(self._live.rates.get(one.id, ()), columns.spark, unicode=self._look.unicode), "$primary"),
            (f"{rate:>{_RATE}}", "$primary" if rate else ""),
        ]
        if columns.left:
            left = seconds_left(self._scene, self._live, one.id)
            parts.append(f"{duration(left) if left is not None else '':>{_LEFT}}")
        if columns.limit:
            parts.append(
                (" " * _GAP + columns.cut(_limit(self._survey.limits.get(one.id), self._scene), _LIMIT), "$secondary")
            )
        if columns.room:
            parts += [
                _room(self._survey.here.get(one.id), _HERE),
                _room(self._survey.there.get(one.id), _THERE),
            ]
        return Content.assemble(*parts)

    def _numbers(self, backlog: int, needing: int, safe: int) -> list[tuple[str, str]]:
        """Below the titles only numbers; where there are no titles, words with them."""
        urgent = "$error bold" if needing else ""
        if self._is_worded:
            return [(_worded(backlog, "to send"), ""), (_worded(needing, "need you"), urgent)]
        numbers = ((backlog, ""), (needing, urgent), (safe, "$secondary"))
        return [
            (f"{f'{number:,}' if number else '':>{width}}", style)
            for (number, style), width in zip(numbers, _NUMBERS, strict=True)
        ]

    def _outage(self, one: Instrument) -> Hold | None:
        return next((hold for hold in self._scene.destination_holds if one in self._lab.behind(hold)), None)

    def _state(self, one: Instrument, tally: Tally, hold: Hold | None, *, is_moving: bool) -> tuple[str, str]:
        if hold is not None:
            return mood_of_hold(hold.kind.value), word_of(hold.kind.value)
        if is_moving:
            return MOVE, "sending"
        if tally.backlog and not self._live.pulse.alive:
            return WAIT, "stopped"
        if tally.backlog:
            return NOTE, "queued"
        if any(held.equipment_id == one.id and held.kind.value == "acquiring" for held in self._scene.bare):
            return NOTE, "acquiring"
        return NOTE, "idle"


class _Columns:
    """What fits beside each other, and how wide; what is over goes to the course of the rate."""

    def __init__(self, width: int, longest: int, look: Look) -> None:
        self._look = look
        self.name = max(min(longest, 24), len("Instrument"))
        numbers = sum(_NUMBERS) + _GAP + _RATE
        rest = width - (2 * _MARGIN - 1 + _SIGN + _WORD + self.name + _GAP + numbers + _SPARK_LEAST)
        self.left = rest >= _LEFT
        rest -= _LEFT if self.left else 0
        self.room = self.left and rest >= _HERE + _THERE
        rest -= _HERE + _THERE if self.room else 0
        self.limit = self.room and rest >= _GAP + _LIMIT
        rest -= _GAP + _LIMIT if self.limit else 0
        self.spark = min(_SPARK_LEAST + max(rest, 0), _SPARK_MOST)

    def titles(self) -> str:
        """The names of the columns."""
        send, need, safe = _NUMBERS
        text = f"{' ' * _MARGIN}{' ' * _SIGN}{'State':<{_WORD}}{'Instrument':<{self.name + _GAP}}"
        text += f"{'To send':>{send}}{'Need you':>{need}}{'Safe':>{safe}}"
        text += " " * _GAP + f"{'Rate':>{self.spark + _RATE}}"
        text += f"{'All sent in':>{_LEFT}}" if self.left else ""
        text += " " * _GAP + f"{'Limit':<{_LIMIT}}" if self.limit else ""
        return text + (f"{'Free here':>{_HERE}}{'Free on NAS':>{_THERE}}" if self.room else "")

    def cut(self, text: str, width: int) -> str:
        """*text* in exactly *width* cells."""
        if cell_len(text) > width:
            text = set_cell_size(text, width - len(self._look.ellipsis)) + self._look.ellipsis
        return set_cell_size(text, width)


def _worded(number: int, words: str) -> str:
    return f"{f'{number:,} {words}' if number else '':>{_WORDED}}"


def _limit(limit: Limit | None, scene: Scene) -> str:
    if limit is None or (limit.now is None and limit.until is None):
        return "no limit"
    text = _speed(limit.now)
    return text if limit.until is None else f"{text} until {soon(limit.until, scene.at)}"


def _speed(kibps: int | None) -> str:
    return "no limit" if kibps is None else f"{kibps / _KIBPS_PER_MBPS:,.4g} Mbit/s"


def _room(room: Room | None, width: int) -> tuple[str, str]:
    if room is None:
        return f"{'-':>{width}}", "$secondary"
    scarce = room.total > 0 and room.free < room.total * _SCARCE
    return f"{('! ' if scarce else '') + size(room.free):>{width}}", "$warning bold" if scarce else "$secondary"
