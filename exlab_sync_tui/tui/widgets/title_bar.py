"""Which lab is this, and who drives it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, Look
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.engine.cockpit.view import Pulse
    from exlab_sync_tui.tui.scene import Live


class TitleBar(Static):
    """The program's name and the lab's on the left, the engine on the right."""

    def __init__(self, title: str, look: Look) -> None:
        super().__init__(markup=False, id="title-bar")
        self._title = safe_text(title)
        self._look = look
        self._pulse: Pulse | None = None

    def fly(self, live: Live) -> None:
        """Show who drives."""
        if live.pulse != self._pulse:
            self._pulse = live.pulse
            self.refresh()

    def render(self) -> Content:
        mood, engine = _engine(self._pulse)
        sign = f"{self._look.glyph(mood)} " if mood else ""
        left = f"exlab-sync  {self._title}"
        gap = max(self.size.width - cell_len(left) - len(sign) - len(engine), 2)
        colour = {GOOD: "$success", BAD: "$error"}.get(mood, "")
        return Content.assemble(
            ("exlab-sync", "bold $primary"), f"  {self._title}", " " * gap, (sign, colour), (engine, "$secondary")
        )


def _engine(pulse: Pulse | None) -> tuple[str, str]:
    if pulse is None:
        return "", ""
    if not pulse.alive:
        return BAD, "no engine"
    if pulse.hosted:
        return GOOD, "engine in this console"
    host = f" on {safe_text(pulse.host)}" if pulse.host else ""
    return GOOD, f"attached to engine {pulse.process}{host}"
