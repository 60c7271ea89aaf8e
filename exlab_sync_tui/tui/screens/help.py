"""Which keys are there, and what do the signs mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look
from exlab_sync_tui.tui.commands import COMMANDS, MOVES
from exlab_sync_tui.tui.widgets.lines import WholeCells

if TYPE_CHECKING:
    from textual.app import ComposeResult

_SIGNS = (
    (GOOD, "$success", "safe: every byte was compared with the destination"),
    (MOVE, "$primary", "on the way: being sent or compared"),
    (NOTE, "$secondary", "queued: goes by itself when its turn comes"),
    (WAIT, "$warning", "waits for something; the line says for what, and goes on by itself"),
    (BAD, "$error", "needs you: failed, blocked or damaged"),
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


def _text(look: Look) -> Content:
    lines = [Content.styled("Keys", "bold")]
    for command in (*COMMANDS, *MOVES):
        keys = " ".join(_plain(key) for key in command.keys.split(","))
        lines.append(Content.assemble((f"  {keys:<13}", "bold $primary"), command.help))
    lines += [Content(""), Content.styled("Signs", "bold")]
    lines += [Content.assemble((f"  {look.glyph(mood):<13}", colour), text) for mood, colour, text in _SIGNS]
    lines += [Content(""), Content.styled("Any key of these closes: esc, enter, q, ?", "$secondary")]
    return Content("\n").join(lines)


def _plain(key: str) -> str:
    return _KEYS.get(key, key)


_KEYS = {"question_mark": "?", "slash": "/", "escape": "esc", "pageup": "pgup", "pagedown": "pgdn", "f1": "F1"}
