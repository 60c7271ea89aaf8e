"""Is it ticked? A box and a choice that say so by their sign, never by colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Checkbox, RadioButton

if TYPE_CHECKING:
    from textual.content import Content

_ON, _OFF = "x", " "


class Tick(Checkbox):
    """``[x]`` or ``[ ]``."""

    BUTTON_LEFT, BUTTON_INNER, BUTTON_RIGHT = "[", _OFF, "]"

    def render(self) -> Content:
        """The box as it is now, and its label."""
        self.BUTTON_INNER = _ON if self.value else _OFF
        return super().render()


class Choice(RadioButton):
    """``(x)`` or ``( )``."""

    BUTTON_LEFT, BUTTON_INNER, BUTTON_RIGHT = "(", _OFF, ")"

    def render(self) -> Content:
        """The choice as it is now, and its label."""
        self.BUTTON_INNER = _ON if self.value else _OFF
        return super().render()
