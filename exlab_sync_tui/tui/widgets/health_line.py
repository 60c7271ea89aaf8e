"""Is my data safe? One glance."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, WAIT, Look
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.health import Health

_COLOURS = {GOOD: "$success", BAD: "$error", WAIT: "$warning", MOVE: "$primary"}


class HealthLine(Static):
    """The glyph and the sentence; trouble with the store takes its place until it is over."""

    def __init__(self, look: Look) -> None:
        super().__init__(Content("Looking at the store" + look.ellipsis), markup=False, id="health")
        self._look = look
        self._health: Health | None = None
        self._trouble = ""

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
            badge = Content.styled(f" {self._look.glyph(shown.mood)} ", f"bold reverse {colour}")
            self.update(
                Content.assemble(badge, "  ", (shown.sentence, f"bold {colour}" if shown.mood == BAD else "bold"))
            )
