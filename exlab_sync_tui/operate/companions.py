"""Who works beside a running engine? Whoever tells others of it; one that fails never takes the engine along."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.metrics.gauger import Gauger
from exlab_sync_tui.operate.notify.watchman import Watchman

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.engine.client import NASSyncClient
    from exlab_sync_tui.engine.cockpit.view import Cockpit
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.operate.notify.watchman import Engine
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings

    Companion = Callable[[Engine], Coroutine[None, None, None]]

_LOG = logging.getLogger("exlab_sync_tui")
_LAST_WORDS = 15.0


def companions(settings: Settings, clock: Clock, progress: Callable[[], Sequence[Progress]]) -> Sequence[Companion]:
    """Those that the configuration asks for; *progress* gives the transfers in flight of the started engine."""
    found: list[Companion] = []
    if settings.metrics.port is not None or settings.metrics.textfile is not None:
        found.append(Gauger(settings, clock, progress).work)
    if settings.notify.targets:
        found.append(Watchman(settings, clock).watch)
    return found


def start(by: Sequence[Companion], engine: Engine) -> list[asyncio.Task[None]]:
    """Let them work beside a started engine."""
    tasks = [asyncio.create_task(one(engine), name="companion") for one in by]
    for task in tasks:
        task.add_done_callback(_tell_failure)
    return tasks


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Once the engine has closed its events: what they have to say still goes out, for as long as fifteen seconds."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=_LAST_WORDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def beside_console(
    by: Sequence[Companion], client: NASSyncClient
) -> list[Callable[[Cockpit], Coroutine[None, None, None]]]:
    """The same for a console: beside the engine that it hosts; one that is attached to has companions of its own."""

    async def work(cockpit: Cockpit) -> None:
        if not (await cockpit.pulse()).hosted:
            return
        tasks = start(by, _Latecomer(client))
        try:
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return [work] if by else []


class _Latecomer:
    """The engine for somebody who leaves what was said before to the console."""

    def __init__(self, client: NASSyncClient) -> None:
        self._client = client

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        return self._client.store

    def events(self) -> AsyncIterator[Event]:
        """Everything from now on."""
        return self._client.events(early=False)


def _tell_failure(task: asyncio.Task[None]) -> None:
    """It is written down whole, and the runs go on: being told is worth less than the data."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("a companion of the engine has failed and is not there any more", exc_info=error)
