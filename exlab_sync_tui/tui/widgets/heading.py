"""What is below this line? One quiet line above each part of the screen."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.tui.widgets.run_list import Columns


class Heading(Static):
    """A title on the left and a remark on the right."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002  # Textual's name
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
        return Content.assemble((self._title, "bold"), " " * gap, self._remark)


class RunHeading(Heading):
    """Names of the columns of the list of runs."""

    def render(self) -> Content:
        width = self.size.width
        columns = Columns.of(width, self._longest_id)
        titles = "    State".ljust(16) + "Run".ljust(columns.name + 2)
        if columns.instrument:
            titles += "Instrument".ljust(columns.instrument + 2)
        titles += "What happens"
        gap = max(width - len(titles) - len(self._remark), 1)
        return Content.assemble((titles, "bold"), " " * gap, self._remark)

    def __init__(self, longest_id: int) -> None:
        super().__init__("", id="runs-heading")
        self._longest_id = longest_id
