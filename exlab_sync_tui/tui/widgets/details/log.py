"""What has been written into the selected run's own log?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from exlab_sync_tui.operate.run_log import RunLog
from exlab_sync_tui.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.strip import Strip

    from exlab_sync_tui.headless.words import Look

_LINE = re.compile(r"(?P<moment>\S{20}) \[(?P<level>.{5})\] (?:\[(?:host|equip|proj|kind):[^]]*\] )*(?P<text>.*)")
"""As in ``FORMATS.md`` §3; the marks are the same on every line of a run, so they are not shown."""
_LOUD = frozenset({"WARN", "ERROR", "FATAL"})


class LogView(Lines):
    """The last lines, the newest below; it stays at the end unless somebody has scrolled back."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"run-log--time", "run-log--bad"}

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="run-log-rows")
        self._run_path = ""
        self._read = RunLog()

    def show(self, run_path: str, log: RunLog) -> None:
        """Show this log."""
        follows = run_path != self._run_path or round(self.scroll_y) >= self.max_scroll_y
        if (run_path, log) == (self._run_path, self._read):
            return
        self._run_path, self._read = run_path, log
        self.resize_to(len(log.lines))
        if follows:
            self.call_after_refresh(lambda: self.scroll_to(y=self.max_scroll_y, animate=False))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index, width, base = self.scroll_offset.y + y, self.across, self.rich_style
        style = base + self.part("run-log--time")
        if index >= len(self._read.lines):
            text = self._read.problem if y == 0 and not self._read.lines else ""
            return self.strip([(self.fit(text, width), style)], width, base)
        found = _LINE.fullmatch(self._read.lines[index])
        if found is None:
            return self.strip([(self.fit(self._read.lines[index], width), base)], width, base)
        moment, level, text = found["moment"], found["level"], found["text"]
        loud = self.part("run-log--bad") if level.strip() in _LOUD else self.part("run-log--time")
        parts = [(f"{moment}  ", style), (f"{level}  ", base + loud)]
        return self.strip([*parts, (self.fit(text, width - len(moment) - len(level) - 4), base)], width, base)
