"""Which keys are there, and what do the signs mean? All of it, or only what has the keys right now."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look
from exlab_sync_tui.tui.commands import COMMANDS, MOVES, Command
from exlab_sync_tui.tui.commands import Group as Heading
from exlab_sync_tui.tui.widgets.lines import WholeCells
from exlab_sync_tui.tui.widgets.pairs import pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePath

    from textual.app import ComposeResult

_SIGNS = (
    (GOOD, "safe: every byte was compared with the destination"),
    (MOVE, "on the way: being sent or compared"),
    (NOTE, "queued: goes by itself when its turn comes"),
    (WAIT, "waits for something; the line says for what, and goes on by itself"),
    (BAD, "needs you: failed, blocked or damaged"),
)
_BOLD, _DIM = Style(bold=True), Style(dim=True)
_KEYS, _NAMES = 8, 16


class HelpScreen(ModalScreen[None]):
    """Text that any of the usual keys closes."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["help.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "Close", key_display="esc")
    ]

    def __init__(self, text: RenderableType) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._text, markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # per instance

    async def action_dismiss(self, result: None = None) -> None:
        """Close."""
        self.dismiss(result)


def everything(look: Look, keymap: Mapping[str, str]) -> Group:
    """The registry of commands, by group, and the signs."""
    parts: list[RenderableType] = []
    for heading in Heading:
        commands = [one for one in (*COMMANDS, *MOVES) if one.group is heading]
        parts += [Text(heading.value, _BOLD), keys_of(commands, keymap), Text()]
    return Group(*parts, Text("Signs", _BOLD), signs(look))


def keys_of(commands: Iterable[Command], keymap: Mapping[str, str]) -> RenderableType:
    """Keys, names and sentences of commands."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=_KEYS)
    table.add_column(width=_NAMES)
    table.add_column(ratio=1, overflow="fold")
    for one in commands:
        table.add_row(Text(one.shown(keymap), _BOLD), Text(one.name), Text(one.help, _DIM, overflow="fold"))
    return table


def signs(look: Look) -> RenderableType:
    """What each glyph means."""
    return pairs([(look.glyph(mood), meaning) for mood, meaning in _SIGNS], _BOLD)
