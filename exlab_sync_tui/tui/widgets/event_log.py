"""What has happened since the console was opened?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from textual.strip import Strip

from exlab_sync_tui.headless.reporter import named
from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, OF_EVENT, WAIT, spoken
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.telling import mood_of_hold
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
        self._follows = True

    def add(self, event: Event) -> None:
        """Put one more line below the others."""
        if event.kind is EventKind.HOLD_CLEARED and event.data.get("hold") == HoldKind.ACQUIRING.value:
            return  # the line that queues the run says it
        self._events.append(event)
        self.resize_to(len(self._events))
        if self._follows:
            self.call_after_refresh(self._to_the_end)
        self.refresh()

    def on_resize(self) -> None:
        if self._follows:
            self._to_the_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = round(new_value) >= self.max_scroll_y

    def _to_the_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False)

    def render_line(self, y: int) -> Strip:
        index, width, base = self.scroll_offset.y + y, self.across, self.rich_style
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
            mood, word = (mood_of_hold(kind), spoken(kind)) if kind else (mood, word)
        sign = f"{self.look.glyph(mood)} {self.fit(safe_text(word), _WORD)}  "
        return [
            (f"  {event.at.astimezone():%H:%M:%S}  ", base + self._style("time")),
            (sign, base + self._style(mood)),
            (self.fit(named(event), width - _TIME - 2 - len(sign)), base + self._style("sentence")),
        ]

    def _style(self, name: str) -> Style:
        return self.part(f"log--{name}")
