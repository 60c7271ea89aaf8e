"""What has happened since the console was opened?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from textual.strip import Strip

from exlab_sync_tui.headless.reporter import named
from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, OF_EVENT, WAIT, mood_of, spoken
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from datetime import datetime

    from rich.style import Style

    from exlab_sync_tui.headless.words import Look

_KEPT = 1_000
_TIME, _WORD = 10, 10


class EventLog(Lines):
    """The newest lines of the event stream; it follows them unless somebody has scrolled back."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"log--{mood}" for mood in (GOOD, BAD, WAIT, MOVE, NOTE)),
        "log--time",
        "log--sentence",
    }

    def __init__(self, look: Look, opened_at: datetime) -> None:
        super().__init__(look, id="log")
        self._opened_at = opened_at
        self._events: deque[Event] = deque(maxlen=_KEPT)

    def add(self, event: Event) -> None:
        """Put one more line below the others."""
        follows = self.scroll_offset.y >= self.max_scroll_y
        self._events.append(event)
        self.resize_to(len(self._events))
        if follows:
            self.scroll_to(y=max(len(self._events) - self.size.height, 0), animate=False)
        self.refresh()

    def on_resize(self) -> None:
        self.scroll_end(animate=False)

    def render_line(self, y: int) -> Strip:
        index, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if not self._events and y == 0:
            text = f"  Nothing has happened since {self._opened_at.astimezone():%H:%M}."
            return self.strip([(self.fit(text, width), base + self._style("time"))], width, base)
        if index >= len(self._events):
            return Strip.blank(width, base)
        return self.strip(self._line(self._events[index], width, base), width, base)

    def _line(self, event: Event, width: int, base: Style) -> list[tuple[str, Style]]:
        mood, word = OF_EVENT[event.kind]
        if event.kind is EventKind.HOLD_SET:
            kind = str(event.data.get("hold", ""))
            mood, word = (mood_of(kind), spoken(kind)) if kind else (mood, word)
        sign = f"{self.look.glyph(mood)} {self.fit(word, _WORD)}  "
        return [
            (f"  {event.at.astimezone():%H:%M:%S}  ", base + self._style("time")),
            (sign, base + self._style(mood)),
            (self.fit(named(event), width - _TIME - 2 - len(sign)), base + self._style("sentence")),
        ]

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"log--{name}", partial=True)
