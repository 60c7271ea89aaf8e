"""Which keys are there, and what do the signs mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look
from exlab_sync_tui.tui.commands import COMMANDS, MOVES
from exlab_sync_tui.tui.widgets.lines import WholeCells
from exlab_sync_tui.tui.widgets.pairs import pairs

if TYPE_CHECKING:
    from textual.app import ComposeResult

_SIGNS = (
    (GOOD, "safe: every byte was compared with the destination"),
    (MOVE, "on the way: being sent or compared"),
    (NOTE, "queued: goes by itself when its turn comes"),
    (WAIT, "waits for something; the line says for what, and goes on by itself"),
    (BAD, "needs you: failed, blocked or damaged"),
)


class HelpScreen(ModalScreen[None]):
    """The registry of commands, as text."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "Close", key_display="esc")
    ]

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(_text(self._look), markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # per instance

    async def action_dismiss(self, result: None = None) -> None:
        """Close."""
        self.dismiss(result)


def _text(look: Look) -> Group:
    keys = [(" ".join(_plain(key) for key in one.keys.split(",")), one.help) for one in (*COMMANDS, *MOVES)]
    signs = [(look.glyph(mood), meaning) for mood, meaning in _SIGNS]
    bold = Style(bold=True)
    return Group(Text("Keys", bold), pairs(keys, bold), Text(), Text("Signs", bold), pairs(signs, bold))


def _plain(key: str) -> str:
    return _KEYS.get(key, key)


_KEYS = {"question_mark": "?", "slash": "/", "escape": "esc", "pageup": "pgup", "pagedown": "pgdn", "f1": "F1"}
