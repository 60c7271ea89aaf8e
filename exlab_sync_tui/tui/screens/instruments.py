"""How is each instrument doing, in full? What the lines on top have room for, and everything that they have not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.instrument import Sight, facts_of, state_of
from exlab_sync_tui.tui.screens.help import HelpScreen
from exlab_sync_tui.tui.widgets.pairs import pairs
from exlab_sync_tui.tui.widgets.spark import spark

if TYPE_CHECKING:
    from pathlib import PurePath

    from exlab_sync_tui.headless.words import Look

_BOLD, _DIM = Style(bold=True), Style(dim=True)
_SPARK = 24


class InstrumentsScreen(HelpScreen):
    """Any of the usual keys closes it; it stays true as long as it is open."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["help.tcss"]

    def __init__(self, sight: Sight, look: Look) -> None:
        super().__init__(_told(sight, look))
        self._look = look

    def show(self, sight: Sight) -> None:
        """Show another moment."""
        if self.is_mounted:
            self.query_one("#help Static", Static).update(_told(sight, self._look))


def _told(sight: Sight, look: Look) -> Group:
    parts: list[RenderableType] = []
    for one in sight.lab.instruments:
        mood, word = state_of(one, sight)
        course = spark(sight.live.rates.get(one.id, ()), _SPARK, unicode=look.unicode).strip()
        title = Text.assemble((safe_text(one.id), _BOLD), f"  {look.glyph(mood)} {word}  ", course)
        parts += [title, pairs(facts_of(one, sight), _DIM, indent=2), Text()]
    return (
        Group(*parts[:-1]) if parts else Group(Text("No instrument is configured yet: press A to add the first one."))
    )
