"""What does every dialog have? A panel in the middle, a title, keys that close it, and nothing that is markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static

from exlab_sync_tui.tui.widgets.lines import WholeCells

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import PurePath

    from textual.app import ComposeResult
    from textual.widget import Widget

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """Closed by escape, with ``None``."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Close", key_display="esc")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="dialog", can_focus=False):
            yield Static(self._title, markup=False, id="dialog-title")
            yield from self.content()
            with Horizontal(id="dialog-buttons"):
                yield from self.buttons()

    def content(self) -> Iterable[Widget]:
        """What stands between title and buttons."""
        return ()

    def buttons(self) -> Iterable[Widget]:
        """What can be done; the first one is the harmless one."""
        yield Button("Close", id="cancel", compact=True)

    def on_mount(self) -> None:
        for scrolling in [*self.query(VerticalScroll), *self.query(OptionList)]:
            scrolling.vertical_scrollbar.renderer = WholeCells

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "cancel":
            self.dismiss(None)
        else:
            self.chosen(event.button.id or "")

    def chosen(self, button: str) -> None:
        """A button other than the one that cancels was pressed."""

    def action_cancel(self) -> None:
        """Close; nothing is done."""
        self.dismiss(None)
