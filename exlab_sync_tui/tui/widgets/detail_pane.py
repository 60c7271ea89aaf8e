"""What is known of the selected run?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from exlab_sync_tui.tui.widgets.lines import WholeCells
from exlab_sync_tui.tui.widgets.pairs import pairs

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from exlab_sync_tui.tui.detail import Detail


class DetailPane(VerticalScroll):
    """Facts, proof and story of one run; scrolls by itself once it has the focus."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"detail--label", "detail--title"}

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.display = False
        self._shown: Detail | None = None

    def compose(self) -> ComposeResult:
        yield Static(_NOBODY, markup=False, id="detail-text")

    def on_mount(self) -> None:
        self.vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # meant to be set on an instance

    def tell(self, detail: Detail | None) -> None:
        """Show a run; ``None`` for none."""
        if detail == self._shown:
            return
        if self._shown is None or detail is None or detail.run_path != self._shown.run_path:
            self.scroll_home(animate=False)
        self._shown = detail
        self._draw()

    def notify_style_update(self) -> None:
        """Another theme: the colours are part of the text."""
        super().notify_style_update()
        if self.is_mounted and self._shown is not None:
            self._draw()

    def _draw(self) -> None:
        self.query_one("#detail-text", Static).update(_NOBODY if self._shown is None else self._text(self._shown))

    def _text(self, detail: Detail) -> Group:
        label = self.get_component_rich_style("detail--label", partial=True)
        title = self.get_component_rich_style("detail--title", partial=True)
        parts: list[RenderableType] = [Text(detail.name, title, overflow="fold"), Text(detail.sentence), Text()]
        parts.append(pairs(detail.facts, label))
        if detail.lines:
            parts += [Text(), Text("Story, newest first", title), pairs(detail.lines, label)]
        return Group(*parts)


_NOBODY = "No run is selected."
