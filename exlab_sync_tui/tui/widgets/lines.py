"""How are many lines drawn at the price of the visible ones? The base of the list of runs and of the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.style import Style
    from textual import events

    from exlab_sync_tui.headless.words import Look


class WholeCells(ScrollBarRender):
    """A scroll bar of whole cells: it needs no glyph, so it looks the same on every terminal."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class Lines(ScrollView, can_focus=True):
    """Lines of which only the visible ones are drawn, text as it is: markup has no meaning here."""

    ALLOW_SELECT = False

    def __init__(self, look: Look, *, id: str) -> None:  # Textual's name  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.look = look
        self._styles: dict[str, Style] = {}

    def part(self, name: str) -> Style:
        """The style of a component class, asked of the stylesheet once per look of the widget."""
        known = self._styles.get(name)
        if known is None:
            known = self._styles[name] = self.get_component_rich_style(name, partial=True)
        return known

    def notify_style_update(self) -> None:
        """Another theme, or another focus."""
        self._styles.clear()
        super().notify_style_update()

    def _on_mount(self, event: events.Mount) -> None:
        super()._on_mount(event)
        self.vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # meant to be set on an instance

    @property
    def across(self) -> int:
        """Cells of a line: the widget without its scroll bar."""
        return self.scrollable_content_region.width

    def resize_to(self, lines: int) -> None:
        """There are so many lines now; the width is always that of the widget."""
        self.virtual_size = Size(0, lines)

    def fit(self, text: str, width: int, *, right: bool = False) -> str:
        """*text* in exactly *width* cells, cut with an ellipsis or filled with blanks."""
        if width <= 0:
            return ""
        length = cell_len(text)
        if length > width:
            mark = self.look.ellipsis[:width]
            return set_cell_size(text, width - len(mark)) + mark
        blanks = " " * (width - length)
        return blanks + text if right else text + blanks

    def strip(self, parts: Iterable[tuple[str, Style]], width: int, base: Style) -> Strip:
        """A line of *width* cells from texts and their styles."""
        segments = [Segment(text, style) for text, style in parts if text]
        return Strip(segments).adjust_cell_length(width, base)
