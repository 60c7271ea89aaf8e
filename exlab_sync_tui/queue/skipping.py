"""What becomes of a row that this version cannot read? It is kept, skipped, and said once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Skips:
    """Reads rows and leaves out those with a word that is not known (``FORMATS.md`` §6, Restart)."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def each(self, rows: Iterable[Any], read: Callable[[Any], T], noun: str) -> Iterator[T]:
        """The readable ones among *rows*; every other is logged as a warning, once while the store is open."""
        for row in rows:
            try:
                yield read(row)
            except ValueError as error:
                self._warn(f"A {noun} in the store is kept and skipped: {safe_text(_place(row))}: {safe_text(error)}.")

    def first(self, rows: Iterable[Any], read: Callable[[Any], T], noun: str) -> T | None:
        """The first readable one."""
        return next(self.each(rows, read, noun), None)

    def _warn(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            _log.warning(sentence)


def _place(row: Any) -> str:
    """What tells the row from others: its first two columns."""
    return ", ".join(str(value) for value in tuple(row)[:2])
