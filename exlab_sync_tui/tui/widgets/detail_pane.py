"""What is known of the selected run?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.tui.widgets.lines import WholeCells

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from exlab_sync_tui.tui.detail import Detail

_LABEL = 12


class DetailPane(VerticalScroll):
    """Facts, proof and story of one run; scrolls by itself once it has the focus."""

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.display = False
        self._shown: Detail | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content("No run is selected."), markup=False, id="detail-text")

    def on_mount(self) -> None:
        self.vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # meant to be set on an instance

    def tell(self, detail: Detail | None) -> None:
        """Show a run; ``None`` for none."""
        if detail == self._shown and detail is not None:
            return
        if self._shown is None or detail is None or detail.run_path != self._shown.run_path:
            self.scroll_home(animate=False)
        self._shown = detail
        self.query_one("#detail-text", Static).update(_content(detail))


def _content(detail: Detail | None) -> Content:
    if detail is None:
        return Content("No run is selected.")
    parts = [Content.styled(detail.name, "bold"), Content(detail.sentence), Content("")]
    parts += [Content.assemble((f"{label:<{_LABEL}}", "$secondary"), value) for label, value in detail.facts]
    if detail.lines:
        parts += [Content(""), Content.styled("Story, newest first", "bold")]
        parts += [Content.assemble((f"{moment:<{_LABEL}}", "$secondary"), line) for moment, line in detail.lines]
    return Content("\n").join(parts)
