"""Which runs are there, and what happens next with each?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT
from exlab_sync_tui.text import duration, safe_text, size
from exlab_sync_tui.tui.commands import MOVES, bindings
from exlab_sync_tui.tui.listing import Listing, Row
from exlab_sync_tui.tui.scene import Live
from exlab_sync_tui.tui.telling import Telling, tell
from exlab_sync_tui.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events
    from textual.binding import BindingType

    from exlab_sync_tui.engine.cockpit.view import Flight
    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.scene import Scene

_MARK, _GLYPH, _WORD, _GAP = 2, 2, 10, 2
_INSTRUMENT_NEEDS = 70
_DATED_NAME = 22
_WIDE_STORY = 44


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells; an ``instrument`` of 0 is not shown."""

    name: int
    instrument: int
    story: int

    @classmethod
    def of(cls, width: int, longest_id: int) -> Columns:
        """Share *width* out: the name gets what a dated name needs, the story the rest."""
        instrument = max(min(longest_id, 16), len("Instrument")) if width >= _INSTRUMENT_NEEDS else 0
        rest = width - _MARK - _GLYPH - _WORD - _GAP - (instrument + _GAP if instrument else 0) - _GAP
        name = max(min(max(rest * 3 // 10, _DATED_NAME), rest // 2), 0)
        return cls(name, instrument, max(rest - name, 0))


class RunList(Lines):
    """The list. It shows what it is given, says which rows are visible, and which run is selected."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(MOVES)]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"runs--{mood}" for mood in (GOOD, BAD, WAIT, MOVE, NOTE)),
        "runs--cursor",
        "runs--name",
        "runs--story",
        "runs--empty-bar",
    }
    cursor: reactive[int] = reactive(0)

    class Visible(Message):
        """Other rows are visible now."""

        def __init__(self, first: int, last: int) -> None:
            super().__init__()
            self.first = first
            self.last = last

    class Selected(Message):
        """Another run is selected; ``None``: there is none."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    class Opened(Message):
        """The selected run was clicked a second time."""

    def __init__(self, look: Look, lab: Lab, scene: Scene) -> None:
        super().__init__(look, id="runs")
        self._lab = lab
        self._scene = scene
        self._listing = Listing()
        self._live = Live()
        self._selected: Row | None = None
        self._anchor = ""

    @property
    def selected(self) -> Row | None:
        """The run that commands act on."""
        return self._listing.row(self.cursor)

    @property
    def columns(self) -> Columns:
        """The widths at this moment; the heading uses them too."""
        return Columns.of(self.across, max((len(one.id) for one in self._lab.instruments), default=10))

    def show(self, scene: Scene, listing: Listing) -> None:
        """Show another picture. The cursor stays on its run as long as that is near."""
        same = listing.wanted == self._listing.wanted
        before = self._anchor if same else ""
        was_visible = self.scroll_offset.y <= self.cursor < self.scroll_offset.y + self.size.height
        self._scene, self._listing = scene, listing
        self.resize_to(listing.total)
        place = listing.place_of(before) if before else None
        top = min(self.cursor, max(listing.total - 1, 0)) if same else 0
        self.set_reactive(RunList.cursor, top if place is None else place)
        if was_visible:
            self._reveal()
        self._announce()
        self.refresh()

    def fly(self, live: Live) -> None:
        """Show how far transfers are."""
        self._live = live
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index, width = self.scroll_offset.y + y, self.across
        base = self.rich_style
        if index >= self._listing.total:
            return Strip.blank(width, base)
        chosen = index == self.cursor
        if chosen:
            base += self.get_component_rich_style("runs--cursor", partial=True)
        row = self._listing.row(index)
        mark = (">" if not self.look.unicode else "▸") if chosen else ""
        parts = [(self.fit(mark, _MARK), base)]
        if row is None:
            parts.append((self.look.ellipsis, self._on(base, NOTE)))
        else:
            parts += self._row(row, tell(row, self._scene, self._live, self._lab), base)
        return self.strip(parts, width, base)

    def _row(self, row: Row, told: Telling, base: Style) -> list[tuple[str, Style]]:
        columns = self.columns
        mood, name, story = (self._on(base, part) for part in (told.mood, "name", "story"))
        parts = [
            (self.fit(self.look.glyph(told.mood), _GLYPH) + self.fit(told.word, _WORD), mood),
            (" " * _GAP + self.fit(row.name, columns.name) + " " * _GAP, name),
        ]
        if columns.instrument:
            parts.append((self.fit(safe_text(row.equipment_id), columns.instrument) + " " * _GAP, story))
        if told.flight is not None:
            return parts + self._progress(told.flight, columns.story, base)
        return [*parts, (self.fit(told.story, columns.story), story)]

    def _progress(self, flight: Flight, width: int, base: Style) -> list[tuple[str, Style]]:
        share = min(flight.moved / flight.size, 1.0) if flight.size else 0.0
        cells = 16 if width >= _WIDE_STORY else 8
        full = int(share * cells)
        blocks = ("━", "─") if self.look.unicode else ("#", "-")
        words = [f"{share:4.0%}"]
        if flight.rate:
            words.append(f"{size(round(flight.rate))}/s")
        if flight.eta is not None and width >= _WIDE_STORY:
            words.append(f"{duration(flight.eta)} left")
        return [
            (blocks[0] * full, self._on(base, MOVE)),
            (blocks[1] * (cells - full), self._on(base, "empty-bar")),
            (self.fit(" " + "  ".join(words), width - cells), self._on(base, "story")),
        ]

    def _on(self, base: Style, name: str) -> Style:
        """The style of a part on *base*; the text of the selected row keeps the cursor's own colour."""
        style = self.get_component_rich_style(f"runs--{name}", partial=True)
        is_text = name in {"name", "story"}
        return base if is_text and base.bgcolor != self.rich_style.bgcolor else base + style

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._say_what_is_visible()

    def on_resize(self) -> None:
        self._reveal()
        self._say_what_is_visible()

    def watch_cursor(self) -> None:
        self._anchor = ""
        self._reveal()
        self._announce()
        self.refresh()

    def validate_cursor(self, value: int) -> int:
        return max(0, min(value, self._listing.total - 1))

    def action_move(self, by: int) -> None:
        """Select a run so many rows further."""
        self.cursor += by

    def action_page(self, pages: int) -> None:
        """Select a run so many pages further."""
        self.cursor += pages * max(self.size.height - 1, 1)

    def action_first(self) -> None:
        """Select the first run."""
        self.cursor = 0

    def action_last(self) -> None:
        """Select the last run."""
        self.cursor = self._listing.total - 1

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y
        if index < self._listing.total:
            if index == self.cursor:
                self.post_message(self.Opened())
            self.cursor = index

    def _reveal(self) -> None:
        height, top = self.size.height, self.scroll_offset.y
        if height and not top <= self.cursor < top + height:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - height + 1, animate=False)

    def _say_what_is_visible(self) -> None:
        top = self.scroll_offset.y
        self.post_message(self.Visible(top, top + self.size.height))

    def _announce(self) -> None:
        row = self.selected
        if row is None and self._listing.total:
            return  # its page is on the way
        self._anchor = row.run_path if row is not None else ""
        if row != self._selected:
            self._selected = row
            self.post_message(self.Selected(row))
