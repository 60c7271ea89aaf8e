"""What is below this line? One quiet line above each part of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from exlab_sync_tui.tui.widgets.columns import ColumnsOf


_SCROLL_BAR = 1


class Heading(Static):
    """A title on the left and a remark on the right."""

    def __init__(self, title: str, *, id: str) -> None:  # Textual's name  # noqa: A002  # Textual's name
        super().__init__(markup=False, id=id, classes="heading")
        self._title = title
        self._remark = ""

    def say(self, remark: str) -> None:
        """Change the remark, which must be safe to show."""
        if remark != self._remark:
            self._remark = remark
            self.refresh()

    def render(self) -> Content:
        gap = max(self.size.width - len(self._title) - len(self._remark), 1)
        return Content.assemble(self._title, " " * gap, self._remark)


class RunHeading(Heading):
    """Names of the columns of the list of runs."""

    def __init__(self, columns_of: ColumnsOf) -> None:
        super().__init__("", id="runs-heading")
        self._columns_of = columns_of

    def render(self) -> Content:
        return Content(self._columns_of(self.size.width - _SCROLL_BAR).titles())
