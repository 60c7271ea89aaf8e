"""What has happened to the selected run, and what happens next?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from exlab_sync_tui.text import duration
from exlab_sync_tui.tui.widgets.lines import WholeCells
from exlab_sync_tui.tui.widgets.pairs import pairs

if TYPE_CHECKING:
    from datetime import datetime

    from textual.app import ComposeResult

    from exlab_sync_tui.tui.detail import Detail


class StoryView(VerticalScroll):
    """The answer, a countdown, the facts, and every step, the newest first."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"story--label", "story--title", "story--next", "story--step"}

    def __init__(self) -> None:
        super().__init__()
        self._shown: Detail | None = None
        self._now: datetime | None = None

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, id="story-next")
        yield Static("", markup=False, id="story-text")

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

    def tick(self, now: datetime) -> None:
        """Count down."""
        self._now = now
        self._count()

    def notify_style_update(self) -> None:
        """Another theme: the colours are part of the text."""
        super().notify_style_update()
        if self.is_mounted and self._shown is not None:
            self._draw()

    def _draw(self) -> None:
        text = self.query_one("#story-text", Static)
        text.update(_NOBODY if self._shown is None else self._text(self._shown))
        self._count()

    def _count(self) -> None:
        line, until = self.query_one("#story-next", Static), self._shown.until if self._shown else None
        line.display = until is not None and self._now is not None
        if until is not None and self._now is not None:
            left = max(round((until - self._now).total_seconds()), 0)
            style = self.get_component_rich_style("story--next", partial=True)
            line.update(Text(f"Next look in {duration(left) if left >= 10 else f'{left} s'}.", style))  # whole seconds  # noqa: PLR2004  # whole seconds

    def _text(self, detail: Detail) -> Group:
        label, title, step = (
            self.get_component_rich_style(f"story--{name}", partial=True) for name in ("label", "title", "step")
        )
        parts: list[RenderableType] = [Text(detail.sentence), Text(), pairs(detail.facts, label)]
        if detail.lines:
            lines = [
                (line.moment, Text.assemble(line.sentence, (f"  {line.step}" if line.step else "", step)))
                for line in detail.lines
            ]
            parts += [Text(), Text("Story, newest first", title), pairs(lines, label)]
        if detail.more:
            parts.append(Text("Older lines are not shown here; `exlab-sync show` has all of them.", label))
        return Group(*parts)


_NOBODY = "No run is selected."
