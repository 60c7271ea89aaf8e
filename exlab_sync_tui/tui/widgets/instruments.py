"""How is each instrument doing? Aligned columns: state, backlog, rate, what is left, the limit, room on both disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look
from exlab_sync_tui.text import count, duration, safe_text, size
from exlab_sync_tui.tui.instrument import Sight, is_scarce, limit_words, state_of
from exlab_sync_tui.tui.premises import Survey
from exlab_sync_tui.tui.scene import Live, seconds_left
from exlab_sync_tui.tui.widgets.spark import spark

if TYPE_CHECKING:
    from textual import events

    from exlab_sync_tui.engine.cockpit.room import Room
    from exlab_sync_tui.engine.cockpit.view import Flight
    from exlab_sync_tui.tui.options import Instrument, Lab
    from exlab_sync_tui.tui.scene import Scene

COLOURS = {GOOD: "$success", BAD: "$error", WAIT: "$warning", MOVE: "$primary", NOTE: "$secondary"}
_MARGIN, _SIGN, _WORD, _GAP = 2, 2, 13, 2
_NUMBERS = (9, 10, 8)
_RATE, _LEFT, _LIMIT, _HERE, _THERE = 11, 13, 26, 12, 13
_WORDED = 13
_SPARK_LEAST, _SPARK_MOST = 6, 24
_SHOWN_AT_MOST = 8
_SHOWN_WHEN_SHORT = 3


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

    @property
    def sight(self) -> Sight:
        """What is shown of all instruments."""
        return Sight(self._lab, self._scene, self._live, self._survey)

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
            more = count(len(every) - len(shown), "more instrument")
            lines.append(Content.styled(f"{' ' * _MARGIN}and {more}; I shows all", "$secondary"))
        return Content("\n").join(lines)

    def _line(self, one: Instrument, columns: _Columns) -> Content:
        tally, flight = self._scene.tally(one.id), self._live.at(one.id)
        sight = self.sight
        mood, word = state_of(one, sight)
        needing = sight.needing(one)
        parts: list[str | tuple[str, str]] = [
            " " * _MARGIN,
            (f"{self._look.glyph(mood)} {set_cell_size(word, _WORD)}", COLOURS[mood]),
            columns.cut(safe_text(one.id), columns.name) + " " * _GAP,
            *self._numbers(tally.backlog, needing, tally.safe),
            " " * _GAP,
            *self._course(one, flight, columns),
        ]
        if columns.left:
            left = seconds_left(self._scene, self._live, one.id)
            parts.append(f"{duration(left) if left is not None else '':>{_LEFT}}")
        if columns.limit:
            limit = limit_words(self._survey.limits.get(one.id), self._scene.at)
            parts.append((" " * _GAP + columns.cut(limit, _LIMIT), "$secondary"))
        if columns.room:
            parts += [
                _room(self._survey.here.get(one.id), _HERE),
                _room(self._survey.there.get(one.id), _THERE),
            ]
        return Content.assemble(*parts)

    def _course(self, one: Instrument, flight: Flight | None, columns: _Columns) -> list[tuple[str, str]]:
        """The rate and how it went; while it rests, a disk that is nearly full where the disks have no columns."""
        rate = f"{size(round(flight.rate))}/s" if flight is not None and flight.rate else ""
        scarce = "" if rate or columns.room else self._scarce(one)
        if scarce:
            return [(f"{scarce:>{columns.spark + _RATE}}", "$warning bold")]
        course = spark(self._live.rates.get(one.id, ()), columns.spark, unicode=self._look.unicode)
        return [(course, "$primary"), (f"{rate:>{_RATE}}", "$primary" if rate else "")]

    def _scarce(self, one: Instrument) -> str:
        for rooms, where in ((self._survey.here, "here"), (self._survey.there, "on NAS")):
            room = rooms.get(one.id)
            if room is not None and is_scarce(room):
                return f"! {size(room.free)} {where}"
        return ""

    def _numbers(self, backlog: int, needing: int, safe: int) -> list[tuple[str, str]]:
        """Below the titles only numbers; where there are no titles, words with them."""
        urgent = "$error bold" if needing else ""
        if self._is_worded:
            needs = "needs you" if needing == 1 else "need you"
            return [(_worded(backlog, "to send"), ""), (_worded(needing, needs), urgent)]
        numbers = ((backlog, ""), (needing, urgent), (safe, "$secondary"))
        return [
            (f"{f'{number:,}' if number else '':>{width}}", style)
            for (number, style), width in zip(numbers, _NUMBERS, strict=True)
        ]


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


def _room(room: Room | None, width: int) -> tuple[str, str]:
    if room is None:
        return f"{'-':>{width}}", "$secondary"
    scarce = is_scarce(room)
    return f"{('! ' if scarce else '') + size(room.free):>{width}}", "$warning bold" if scarce else "$secondary"
