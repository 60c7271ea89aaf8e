"""How is a share asked for something without waiting for it with the whole program?"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

MOST_AT_REST = 3
_REST_SECONDS = 5.0


class Hands:
    """Threads that ask one share; those that are done wait a while for the next question.

    They are daemons: one that hangs in the kernel, on a NAS that is gone, holds neither the loop nor the end of the
    program (the threads of an executor are waited for), and whoever asks next gets another one.
    """

    def __init__(self, *, rest_seconds: float = _REST_SECONDS) -> None:
        self._rest_seconds = rest_seconds
        self._turn = threading.Lock()
        self._at_rest: list[SimpleQueue[Callable[[], None] | None]] = []
        self._closed = False

    @property
    def at_rest(self) -> int:
        """How many threads wait for a question."""
        return len(self._at_rest)

    def aside(
        self, work: Callable[[], _Result], late: Callable[[_Result], None] | None = None
    ) -> asyncio.Future[_Result]:
        """Start *work* in a thread; the future is its result. *late* gets a result that nobody waits for any more."""
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

        self._give(run)
        return future

    def close(self) -> None:
        """Let the threads at rest end; from now on none rests. Idempotent."""
        with self._turn:
            self._closed = True
            at_rest, self._at_rest = self._at_rest, []
        for inbox in at_rest:
            inbox.put(None)

    def _give(self, task: Callable[[], None]) -> None:
        with self._turn:
            inbox = self._at_rest.pop() if self._at_rest else None
        if inbox is not None:
            inbox.put(task)
        else:
            threading.Thread(target=self._serve, args=([task],), name="share", daemon=True).start()

    def _serve(self, first: list[Callable[[], None]]) -> None:
        task: Callable[[], None] | None = first.pop()
        while task is not None:
            task()
            task = None  # a thread at rest keeps nothing of what it did
            task = self._next()

    def _next(self) -> Callable[[], None] | None:
        """Rest until there is something to do; ``None`` once that takes too long, or enough others rest."""
        inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        with self._turn:
            if self._closed or len(self._at_rest) >= MOST_AT_REST:
                return None
            self._at_rest.append(inbox)
        with suppress(Empty):
            return inbox.get(timeout=self._rest_seconds)
        with self._turn:
            if inbox in self._at_rest:
                self._at_rest.remove(inbox)
                return None
        return inbox.get()  # it was taken from the list in this moment
