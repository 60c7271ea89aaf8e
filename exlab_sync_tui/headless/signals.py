"""How does a signal end the work? By cancelling it once, so that everything is put in order first."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    _Stop = Callable[[signal.Signals], None]

_Result = TypeVar("_Result")
_STOPPING = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)
"""SIGHUP too: a terminal that is closed ends the work in the same good order."""


async def until_signal(work: Coroutine[None, None, _Result]) -> _Result | signal.Signals:
    """The result of *work*, or the signal that stopped it. A second signal then ends the program as usual."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    caught: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        caught.append(number)
        _release(loop)
        task.cancel()

    _take(loop, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not caught:
            raise
        return caught[0]
    finally:
        _release(loop)


def exit_code_of(number: signal.Signals) -> int:
    """What a shell expects of a program that a signal ended: 128 and its number."""
    return 128 + number


def _take(loop: asyncio.AbstractEventLoop, stop: _Stop) -> None:
    for number in _STOPPING:
        if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup: whoever started us wants the work to outlive the terminal
        try:
            loop.add_signal_handler(number, stop, number)
        except (NotImplementedError, RuntimeError, ValueError):
            return  # Windows, or not the main thread: the interpreter's own KeyboardInterrupt ends the work


def _release(loop: asyncio.AbstractEventLoop) -> None:
    for number in _STOPPING:
        try:
            loop.remove_signal_handler(number)
        except (NotImplementedError, RuntimeError, ValueError):
            return
