"""Is it ticked? A box and a choice that say so by their sign, never by colour alone."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox, RadioButton

_ON, _OFF = "x", " "


class Tick(Checkbox):
    """``[x]`` or ``[ ]``."""

    @property
    def _button(self) -> Content:
        return Content.styled(f"[{_ON if self.value else _OFF}]", "bold" if self.value else "")


class Choice(RadioButton):
    """``(x)`` or ``( )``."""

    @property
    def _button(self) -> Content:
        return Content.styled(f"({_ON if self.value else _OFF})", "bold" if self.value else "")
