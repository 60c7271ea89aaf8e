"""How do rows of text line up on a terminal? Plain columns by display width, cut to the width that there is."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; ``right`` aligns figures; ``shrinks`` lets the column be cut where the terminal is narrow."""

    title: str
    right: bool = False
    shrinks: bool = False


def display_width(text: str) -> int:
    """Cells that *text* takes on a terminal: wide characters two, combining marks none."""
    return sum(_cells(char) for char in text)


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """*text* in at most *width* cells, its end replaced by *ellipsis* if something had to go."""
    if display_width(text) <= width:
        return text
    return _first(text, width - display_width(ellipsis)) + ellipsis


def cut_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """The same with its middle replaced: names of runs often differ only at their end."""
    if display_width(text) <= width:
        return text
    room = width - display_width(ellipsis)
    end = _first(text[::-1], room // 2)[::-1]
    return _first(text, room - room // 2) + ellipsis + end


def _first(text: str, width: int) -> str:
    """As many characters from the start as fit into *width* cells."""
    used = 0
    for place, char in enumerate(text):
        used += _cells(char)
        if used > width:
            return text[:place]
    return text


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int = 80, ellipsis: str = "…") -> str:
    """Lines of a table with a heading, every cell made safe; *width* in cells is kept where columns may shrink."""
    cells = [[column.title for column in columns], *([safe_text(cell) for cell in row] for row in rows)]
    widths = [max(display_width(row[place]) for row in cells) for place in range(len(columns))]
    _shrink(widths, columns, width)
    return "\n".join(_line(row, widths, columns, ellipsis) for row in cells)


def _shrink(widths: list[int], columns: Sequence[Column], width: int) -> None:
    """Take what is too much from the columns that may shrink, from the widest first."""
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        able = [place for place, column in enumerate(columns) if column.shrinks and widths[place] > _NARROWEST]
        if not able:
            return
        widest = max(able, key=lambda place: widths[place])
        widths[widest] -= 1
        excess -= 1


def _line(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column], ellipsis: str) -> str:
    parts = []
    for cell, width, column in zip(row, widths, columns, strict=True):
        shown = cut_middle(cell, width, ellipsis)
        blanks = " " * (width - display_width(shown))
        parts.append(blanks + shown if column.right else shown + blanks)
    return _GAP.join(parts).rstrip()


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
