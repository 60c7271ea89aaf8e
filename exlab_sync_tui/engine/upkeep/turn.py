"""Whose turn is it to use an instrument's destination? Sending comes first; upkeep takes what is left."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

_Result = TypeVar("_Result")


class Turn:
    """One transport, used by one at a time. What upkeep does in it is a step that may be begun anew at any moment."""

    def __init__(self) -> None:
        self._sending = 0
        self._free = asyncio.Event()
        self._free.set()
        self._step: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """The lane's turn: it begins at once, and what upkeep was doing is put off."""
        self._sending += 1
        self._free.clear()
        try:
            if (step := self._step) is not None:
                step.cancel()
                await asyncio.gather(step, return_exceptions=True)
            yield
        finally:
            self._sending -= 1
            if not self._sending:
                self._free.set()

    async def spare(self, step: Callable[[], Coroutine[None, None, _Result]]) -> _Result:
        """The result of *step*, made while nothing is sent; begun anew whenever the lane has come between."""
        while True:
            await self._free.wait()
            work = asyncio.create_task(step(), name="upkeep")
            self._step = work
            try:
                await asyncio.wait({work})
            finally:
                self._step = None
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            if not work.cancelled():
                return work.result()
