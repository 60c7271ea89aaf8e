"""How did a rate go, in few cells? A line of blocks; plain digits of ink where there are no blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇"
_PLAIN = "_.-=+*#"


def spark(points: Sequence[float], width: int, *, unicode: bool) -> str:
    """The last *width* points, the highest as the tallest; filled with blanks on the left."""
    shown = list(points)[-width:]
    most = max(shown, default=0.0)
    inks = _BLOCKS if unicode else _PLAIN
    line = "".join(inks[min(int(point / most * len(inks)), len(inks) - 1)] if most else inks[0] for point in shown)
    return line.rjust(width)
