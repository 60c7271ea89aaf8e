"""What would one type to do the same?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from exlab_sync_tui.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget


class CommandLineScreen(Dialog[str]):
    """The line that is to be copied."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy")]

    def __init__(self, run_name: str, lines: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"In a shell, for {run_name}")
        self._lines = list(lines)

    def content(self) -> Iterable[Widget]:
        """The lines."""
        options = [
            Option(Content.assemble((f"{line}\n", "bold"), (f"  {meaning}", "$secondary")))
            for meaning, line in self._lines
        ]
        chosen = OptionList(*options, markup=False, compact=True)
        chosen.highlighted = 0
        yield chosen
        yield Static(Text("Enter copies the line, where the terminal allows that."), classes="hint")

    def buttons(self) -> Iterable[Widget]:
        """Copy, or not."""
        yield Button("Copy  y", id="copy", compact=True)
        yield Button("Close  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(OptionList).focus()

    def chosen(self, button: str) -> None:  # there is only one  # noqa: ARG002  # there is only one
        """Copy it."""
        self.action_copy()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_copy()

    def action_copy(self) -> None:
        """Copy the chosen line."""
        self.dismiss(self._lines[self.query_one(OptionList).highlighted or 0][1])
