"""Which runs are wanted? A line to type into, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult


class FilterBar(Horizontal):
    """Hidden until it is asked for; what is typed acts at once."""

    class Changed(Message):
        """Another text."""

        def __init__(self, typed: str) -> None:
            super().__init__()
            self.typed = typed

    class Done(Message):
        """The list has the keys again."""

    def __init__(self) -> None:
        super().__init__(id="filter")
        self.display = False

    def compose(self) -> ComposeResult:
        yield Static("Filter", markup=False, id="filter-label")
        yield Input(placeholder="part of a name, an instrument, or: failed queued sending safe", compact=True)
        yield Static("esc clears", markup=False, id="filter-hint")

    @property
    def typed(self) -> str:
        """What stands there."""
        return self.query_one(Input).value

    def ask(self) -> None:
        """Come up and take the keys."""
        self.display = True
        self.query_one(Input).focus()

    def clear(self) -> None:
        """Forget the filter and go."""
        self.query_one(Input).value = ""
        self.display = False

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value:
            self.display = False
        self.post_message(self.Done())
