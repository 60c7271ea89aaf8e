"""What does somebody type? One line, for a folder to queue or a run to go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Button, Input, Static

from exlab_sync_tui.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget


class LineScreen(Dialog[str]):
    """What was typed, without blanks around it; never empty."""

    def __init__(self, title: str, hint: str, *, placeholder: str = "", yes: str = "Go") -> None:
        super().__init__(title)
        self._hint = hint
        self._placeholder = placeholder
        self._yes = yes

    def content(self) -> Iterable[Widget]:
        """The line and its hint."""
        yield Input(placeholder=self._placeholder, compact=True)
        yield Static(self._hint, markup=False, classes="hint")

    def buttons(self) -> Iterable[Widget]:
        """Do it, or not."""
        yield Button(f"{self._yes}  enter", id="yes", compact=True)
        yield Button("Close  esc", id="cancel", compact=True)

    def chosen(self, button: str) -> None:  # there is only one  # noqa: ARG002  # there is only one
        """It is typed."""
        self._done()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._done()

    def _done(self) -> None:
        typed = self.query_one(Input).value.strip()
        if typed:
            self.dismiss(typed)
