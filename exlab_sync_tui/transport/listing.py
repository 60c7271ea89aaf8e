"""How does a listing that takes minutes show that it moves? By empty pages to whoever reads it, or in a pulse."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence

    from exlab_sync_tui.transport.base import Pulse, RemoteEntry

_PAGE = 1000


def unheard() -> None:
    """For a listing of a few names, on which nobody waits."""


def told_to(pulse: Pulse) -> Callable[[], None]:
    """A sign of life for this pulse; no two are alike, so that a watch that looks now and then sees each."""
    signs = count(1)

    def alive() -> None:
        pulse.current = f"listing ({next(signs)})"

    return alive


async def paged(
    work: Callable[[Callable[[], None]], Coroutine[None, None, Sequence[RemoteEntry]]],
) -> AsyncGenerator[Sequence[RemoteEntry], None]:
    """What *work* finds, in pages. Before, an empty page for the signs of life that it gives; none while it is mute."""
    sign = asyncio.Event()
    working = asyncio.ensure_future(work(sign.set))
    working.add_done_callback(lambda _: sign.set())
    try:
        while await sign.wait() and not working.done():
            sign.clear()
            yield ()
        found = working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    for start in range(0, len(found), _PAGE):
        yield found[start : start + _PAGE]


async def moving(
    pages: AsyncIterator[Sequence[RemoteEntry]], pulse: Pulse
) -> AsyncGenerator[Sequence[RemoteEntry], None]:
    """The same pages; a listing of a million names moves, although no byte does."""
    alive = told_to(pulse)
    async for page in pages:
        if page:
            pulse.current = page[-1].rel
        else:
            alive()
        yield page
