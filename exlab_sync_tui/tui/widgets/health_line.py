"""Is my data safe? One glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, WAIT, Look
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.health import Health

if TYPE_CHECKING:
    from textual.app import ComposeResult

_COLOURS = {GOOD: "$success", BAD: "$error", WAIT: "$warning", MOVE: "$primary"}


class HealthLine(Horizontal):
    """The glyph and the sentence; trouble with the store takes its place until it is over."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="health")
        self._look = look
        self._health: Health | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, id="health-badge")
        yield Static("Looking at the store" + self._look.ellipsis, markup=False, id="health-sentence")

    def say(self, health: Health) -> None:
        """Show how things stand."""
        if health != self._health:
            self._health = health
            self._show()

    def complain(self, trouble: str) -> None:
        """Show that the store cannot be read; an empty sentence ends it."""
        self._trouble = safe_text(trouble)
        self._show()

    def _show(self) -> None:
        shown = Health(BAD, self._trouble) if self._trouble else self._health
        if shown is not None:
            colour = _COLOURS.get(shown.mood, "$secondary")
            badge, sentence = self.query_one("#health-badge", Static), self.query_one("#health-sentence", Static)
            badge.update(Content.styled(f" {self._look.glyph(shown.mood)} ", f"bold reverse {colour}"))
            sentence.update(Content.styled(shown.sentence, f"bold {colour}" if shown.mood == BAD else "bold"))
