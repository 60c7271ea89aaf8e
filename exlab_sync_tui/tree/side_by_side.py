"""How are two long listings compared without holding either? Both come in pages, in the order of path bytes."""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Named(Protocol):
    """Anything that has a path; ``rel`` as in ``Entry``."""

    @property
    def rel(self) -> str:
        """Path below the run."""
        ...


_Left = TypeVar("_Left", bound=Named)
_Right = TypeVar("_Right", bound=Named)
_Item = TypeVar("_Item", bound=Named)


async def side_by_side(
    left: AsyncIterator[Sequence[_Left]], right: AsyncIterator[Sequence[_Right]]
) -> AsyncIterator[tuple[Sequence[_Left], Sequence[_Right]]]:
    """Both listings in pieces that cover the same range of paths, so that equal paths always come together.

    A piece may be empty on one side. Errors of either listing pass through.
    """
    ours, theirs = _Rest(left), _Rest(right)
    while True:
        await ours.fill()
        await theirs.fill()
        if ours.items and theirs.items:
            end = min(_key(ours.items[-1]), _key(theirs.items[-1]))
            yield ours.take(end), theirs.take(end)
        elif ours.items or theirs.items:
            yield ours.take(), theirs.take()
        else:
            return


class _Rest(Generic[_Item]):
    """The part of a page that was not taken yet."""

    def __init__(self, pages: AsyncIterator[Sequence[_Item]]) -> None:
        self._pages = pages
        self.items: Sequence[_Item] = ()

    async def fill(self) -> None:
        """Have something, unless there is nothing more."""
        while not self.items:
            try:
                self.items = await anext(self._pages)
            except StopAsyncIteration:
                return

    def take(self, end: bytes | None = None) -> Sequence[_Item]:
        """What is not behind *end*, or everything."""
        cut = len(self.items) if end is None else bisect_right(self.items, end, key=_key)
        taken, self.items = self.items[:cut], self.items[cut:]
        return taken


def _key(item: Named) -> bytes:
    return os.fsencode(item.rel)
