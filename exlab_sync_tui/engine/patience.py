"""How long is somebody waited for? By the engine's clock, and never for one who does not let go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from exlab_sync_tui.model.clock import Clock

_Result = TypeVar("_Result")


async def within(clock: Clock, seconds: float, step: Coroutine[None, None, _Result]) -> _Result:
    """The result of *step*. Raises ``TimeoutError`` after *seconds*; what hangs then is cancelled and left behind."""
    work, timer = asyncio.ensure_future(step), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise TimeoutError
    finally:
        timer.cancel()
        work.cancel()
        work.add_done_callback(_forget)


async def until_woken(wake: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Wait until *wake* is set, at most *seconds* of the clock."""
    woken, slept = asyncio.ensure_future(wake.wait()), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({woken, slept}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
        slept.cancel()
        await asyncio.gather(woken, slept, return_exceptions=True)


def _forget(task: asyncio.Future[_Result]) -> None:
    if not task.cancelled():
        task.exception()
