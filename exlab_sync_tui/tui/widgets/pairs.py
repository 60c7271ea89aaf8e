"""How do labels and their texts stand beside each other, in any width?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style

_LABEL = 12


def pairs(rows: Sequence[tuple[str, str | Text]], label: Style, *, indent: int = 0) -> Table:
    """Two columns; a text that is too long goes on below its own beginning. Nothing in it is markup."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=_LABEL + indent)
    table.add_column(ratio=1, overflow="fold")
    for name, text in rows:
        shown = Text(text) if isinstance(text, str) else text
        shown.overflow = "fold"
        table.add_row(Text(" " * indent + name, label), shown)
    return table
