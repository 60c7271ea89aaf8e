"""Which runs are there, and what happens next with each?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.commands import MOVES, bindings
from exlab_sync_tui.tui.listing import Listing, Row
from exlab_sync_tui.tui.scene import Live
from exlab_sync_tui.tui.telling import tell
from exlab_sync_tui.tui.widgets.columns import MARK, Columns
from exlab_sync_tui.tui.widgets.lines import Lines
from exlab_sync_tui.tui.widgets.run_line import run_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.style import Style
    from textual import events
    from textual.binding import BindingType

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.scene import Scene


class RunList(Lines):
    """The list. It shows what it is given, says which rows are visible, and which run is selected."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(MOVES)]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"runs--{mood}" for mood in (GOOD, BAD, WAIT, MOVE, NOTE)),
        "runs--cursor",
        "runs--name",
        "runs--story",
        "runs--empty-bar",
        "runs--marked",
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

    class Moved(Message):
        """Somebody has moved the cursor."""

    class Opened(Message):
        """The selected run was clicked a second time."""

    def __init__(self, look: Look, lab: Lab, scene: Scene) -> None:
        super().__init__(look, id="runs")
        self._lab = lab
        self._longest_id = max((cell_len(safe_text(one.id)) for one in lab.instruments), default=10)
        self._scene = scene
        self._listing = Listing()
        self._live = Live()
        self._selected: Row | None = None
        self._anchor = ""
        self.marked: dict[str, Row] = {}

    @property
    def selected(self) -> Row | None:
        """The run that commands act on."""
        return self._listing.row(self.cursor)

    def columns_of(self, width: int) -> Columns:
        """The widths for so many cells; the heading uses them too."""
        return Columns.of(width, self._longest_id)

    def show(self, scene: Scene, listing: Listing, place: int | None = None) -> None:
        """Show another picture. The cursor stays on its run, and the run on its line of the screen.

        *place*: where the run has gone, if it is not near any more.
        """
        same = listing.wanted == self._listing.wanted
        before, line, top = self._anchor if same else "", self.cursor - self.scroll_offset.y, self.scroll_offset.y
        self._scene, self._listing = scene, listing
        self.resize_to(listing.total)
        found = listing.place_of(before) if before else None
        new = found if found is not None else place
        kept = min(self.cursor, max(listing.total - 1, 0)) if same else 0
        moved = new is not None and new != self.cursor
        self.set_reactive(RunList.cursor, kept if new is None else new)
        if moved and 0 <= line < self.size.height and top:
            self.scroll_to(y=self.cursor - line, animate=False, immediate=True)
        if not same or 0 <= line < self.size.height:
            self._reveal()
        self._announce()
        self.refresh()

    def fly(self, live: Live) -> None:
        """Show how far transfers are."""
        self._live = live
        self.refresh()

    def put_cursor(self, place: int) -> None:
        """Select the run at this place."""
        self.cursor = place

    def mark(self, rows: Iterable[Row]) -> None:
        """Mark these runs, or unmark them if all of them are marked."""
        chosen = {row.run_path: row for row in rows}
        if chosen.keys() <= self.marked.keys():
            for run_path in chosen:
                del self.marked[run_path]
        else:
            self.marked |= chosen
        self.refresh()

    def unmark(self) -> None:
        """Mark nothing."""
        self.marked.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index, width, base = self.scroll_offset.y + y, self.across, self.rich_style
        if index >= self._listing.total:
            return Strip.blank(width, base)
        chosen = index == self.cursor
        if chosen:
            base += self.part("runs--cursor")
        row = self._listing.row(index)
        is_marked = row is not None and row.run_path in self.marked

        def styled(name: str) -> Style:
            """The style of a part; the text of the selected row keeps the cursor's own colour."""
            is_plain = chosen and (name in {"name", "story"} or self.app.native_ansi_color)
            return base if is_plain else base + self.part(f"runs--{name}")

        parts = [(self._mark(chosen=chosen, marked=is_marked), styled("marked") if is_marked else base)]
        if row is None:
            parts.append((self.look.ellipsis, styled(NOTE)))
        else:
            told = tell(row, self._scene, self._live, self._lab)
            parts += run_line(row, told, self.columns_of(width), self, styled)
        return self.strip(parts, width, base)

    def _mark(self, *, chosen: bool, marked: bool) -> str:
        cursor, mark = ("▸", "●") if self.look.unicode else (">", "*")
        return self.fit((cursor if chosen else " ") + (mark if marked else ""), MARK)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._say_what_is_visible()

    def on_resize(self) -> None:
        self._reveal()
        self._say_what_is_visible()

    def watch_cursor(self, before: int, after: int) -> None:
        self._anchor = ""
        self._reveal()
        self._announce()
        self.refresh_line(before)
        self.refresh_line(after)

    def validate_cursor(self, value: int) -> int:
        return max(0, min(value, self._listing.total - 1))

    def action_move(self, by: int) -> None:
        """Select a run so many rows further."""
        self._move_to(self.cursor + by)

    def action_page(self, pages: int) -> None:
        """Select a run so many pages further."""
        self._move_to(self.cursor + pages * max(self.size.height - 1, 1))

    def action_first(self) -> None:
        """Select the first run."""
        self._move_to(0)

    def action_last(self) -> None:
        """Select the last run."""
        self._move_to(self._listing.total - 1)

    def _move_to(self, place: int) -> None:
        self.post_message(self.Moved())
        self.cursor = place

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y
        if index < self._listing.total:
            self.post_message(self.Moved())
            if index == self.cursor:
                self.post_message(self.Opened())
            self.cursor = index

    def _reveal(self) -> None:
        height, top = self.size.height, self.scroll_offset.y
        if height and not top <= self.cursor < top + height:
            place = self.cursor if self.cursor < top else self.cursor - height + 1
            self.scroll_to(y=place, animate=False, immediate=True)

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
