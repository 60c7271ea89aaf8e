"""How is a share asked for something without waiting for it with the whole program?"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


def aside(work: Callable[[], _Result], late: Callable[[_Result], None] | None = None) -> asyncio.Future[_Result]:
    """Start *work* in a thread of its own; the future is its result.

    The thread is a daemon: one that hangs in the kernel, on a NAS that is gone, holds neither the loop nor the end of
    the program (the threads of an executor are waited for). *late* gets a result that nobody waits for any more.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def deliver(result: _Result | None, error: BaseException | None) -> None:
        if future.done():
            if error is None and late is not None:
                late(result)  # type: ignore[arg-type]  # without an error it is the result
        elif error is not None:
            future.set_exception(error)
            future.exception()  # whoever waits gets it; nobody has to
        else:
            future.set_result(result)  # type: ignore[arg-type]  # without an error it is the result

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001  # it is raised where the future is awaited
            error = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(deliver, result, error)

    threading.Thread(target=run, name="share", daemon=True).start()
    return future
