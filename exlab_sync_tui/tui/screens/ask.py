"""Is this really wanted? One question with its exact consequence; the harmless answer has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Button, Static

from exlab_sync_tui.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget


class AskScreen(Dialog[bool]):
    """``True`` if it is wanted. *question* and *consequence* must be safe to show."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes"),
        Binding("n", "cancel", "No"),
        Binding("left,right", "other", "The other button"),
    ]

    def __init__(self, question: str, consequence: str, yes: str, *, no: str = "No, leave it") -> None:
        super().__init__(question)
        self._consequence = consequence
        self._yes = yes
        self._no = no
        self.add_class("danger-dialog")

    def content(self) -> Iterable[Widget]:
        """The consequence."""
        yield Static(self._consequence, markup=False, classes="consequence")

    def buttons(self) -> Iterable[Widget]:
        """No, and yes."""
        yield Button(f"{self._no}  n", id="cancel", compact=True)
        yield Button(f"{self._yes}  y", id="yes", compact=True, classes="danger")

    def chosen(self, button: str) -> None:
        """It is wanted."""
        self.dismiss(button == "yes")

    def action_yes(self) -> None:
        """It is wanted."""
        self.dismiss(True)

    def action_other(self) -> None:
        """Give the other button the focus."""
        self.focus_next()
