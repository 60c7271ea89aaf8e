"""Which part of the runs is listed, and how many are in each? A line of choices; a click or a digit chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from exlab_sync_tui.tui.wanted import View, Wanted

if TYPE_CHECKING:
    from textual import events

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.tui.scene import Scene

_NAMES = {
    View.ALL: ("All", "All"),
    View.NEEDS: ("Needs you", "Needs you"),
    View.MOVING: ("On the way", "On way"),
    View.WRITING: ("Not finished", "Open"),
    View.SAFE: ("Safe", "Safe"),
}
_WITH_WORDS = 100


class ViewBar(Static):
    """The choices on the left, the order and what is marked on the right."""

    class Chosen(Message):
        """Another part is wanted."""

        def __init__(self, view: View) -> None:
            super().__init__()
            self.view = view

    def __init__(self, look: Look, scene: Scene) -> None:
        super().__init__(markup=False, id="view-bar")
        self._look = look
        self._scene = scene
        self._wanted = Wanted()
        self._remark = ""
        self._ranges: list[tuple[int, int, View]] = []

    def show(self, scene: Scene, wanted: Wanted, remark: str) -> None:
        """Show other numbers; *remark* must be safe to show."""
        if (scene, wanted, remark) != (self._scene, self._wanted, self._remark):
            self._scene, self._wanted, self._remark = scene, wanted, remark
            self.refresh()

    def render(self) -> Content:
        numbers, width = _numbers(self._scene, self._wanted.equipment_id), self.size.width
        needed = cell_len(self._remark) + 1
        room = width - (needed if self._remark else 0)
        everything = self._choices(numbers, tuple(_NAMES))
        if everything.cell_length > room:
            everything = self._choices(numbers, tuple(dict.fromkeys((self._wanted.view, View.NEEDS))))
        gap = width - everything.cell_length - needed
        if gap < 1:
            return everything
        return Content.assemble(everything, " " * gap, (self._remark, "$secondary"))

    def _choices(self, numbers: dict[View, int], views: tuple[View, ...]) -> Content:
        """These choices; the ranges of cells that a click may hit are those of the last ones made."""
        parts: list[Content | str] = ["  "]
        self._ranges, column = [], 2
        for place, (view, names) in enumerate(_NAMES.items(), start=1):
            if view not in views:
                continue
            name, number = names[0] if self.size.width >= _WITH_WORDS else names[1], f"{numbers[view]:,}"
            chosen, key = view is self._wanted.view, f"{place} "
            mark = "bold reverse" if chosen else "bold $error" if view is View.NEEDS and numbers[view] else ""
            parts += [Content.styled(key, "bold $primary"), Content.styled(name, mark)]
            parts += [Content.styled(f" {number}", mark or "$secondary"), "   "]
            length = len(key) + len(name) + len(number) + 4
            self._ranges.append((column, column + length, view))
            column += length
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        for first, last, view in self._ranges:
            if first <= event.x < last:
                self.post_message(self.Chosen(view))


def _numbers(scene: Scene, equipment_id: str) -> dict[View, int]:
    tally = scene.tally(equipment_id)
    mine = [run for run in scene.stuck if equipment_id in {"", run.equipment_id}]
    stuck_bare = sum(1 for run in mine if run.job is None)
    return {
        View.ALL: tally.total,
        View.NEEDS: tally.failed + len(mine),
        View.MOVING: tally.backlog,
        View.WRITING: tally.held - stuck_bare,
        View.SAFE: tally.safe,
    }
