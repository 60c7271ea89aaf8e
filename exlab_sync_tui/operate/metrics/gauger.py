"""Who takes the figures, again and again, beside a running engine?"""

from __future__ import annotations

import asyncio
import logging
import shlex
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import RefusedError, StoreError
from exlab_sync_tui.operate.metrics.figures import Counts, Meter, take_figures
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from exlab_sync_tui.engine.board import Progress
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.operate.metrics.exposition import Sheet
    from exlab_sync_tui.operate.notify.watchman import Engine
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings

_LOG = logging.getLogger("exlab_sync_tui.metrics")
_SAMPLE_SECONDS = 1.0
INSTALL = f"{shlex.quote(sys.executable)} -m pip install prometheus-client"


class Gauger:
    """Serves and writes figures while ``work`` runs; *progress* gives the transfers in flight."""

    def __init__(self, settings: Settings, clock: Clock, progress: Callable[[], Sequence[Progress]]) -> None:
        self._settings = settings
        self._block = settings.metrics
        self._clock = clock
        self._progress = progress
        self._counts = Counts()

    async def work(self, engine: Engine) -> None:
        """Until the engine's events end, or cancelled."""
        if find_spec("prometheus_client") is None:
            _LOG.warning("No figures are given: the package prometheus-client is not installed; %s", INSTALL)
            return
        from exlab_sync_tui.operate.metrics.exposition import Sheet  # noqa: PLC0415  # optional

        sheet = Sheet(self._counts)
        served = await asyncio.to_thread(self._serve, sheet)
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(self._look(sheet, engine.store)), group.create_task(self._measure())]
                async for event in engine.events():
                    self._counts.hear(event)
                for helper in helpers:
                    helper.cancel()
        finally:
            if served is not None:
                await asyncio.to_thread(_stop, *served)

    def _serve(self, sheet: Sheet) -> tuple[WSGIServer, Thread] | None:
        if self._block.port is None:
            return None
        try:
            return sheet.serve(self._block.port)
        except OSError as error:
            _LOG.warning("No figures at 127.0.0.1:%s: %s", self._block.port, error.strerror)
            return None

    async def _look(self, sheet: Sheet, store: JobStore) -> None:
        while True:
            try:
                sheet.figures = await take_figures(store, self._settings, self._clock.now())
            except StoreError as error:  # closed at the end; if it is broken, others say so
                _LOG.debug("The figures could not be taken: %s", error)
            await asyncio.to_thread(self._write, sheet)
            await self._clock.sleep(self._block.every_seconds)

    async def _measure(self) -> None:
        meter = Meter(self._counts)
        with suppress(RefusedError):  # the engine has stopped meanwhile
            while True:
                before = self._clock.monotonic()
                await self._clock.sleep(_SAMPLE_SECONDS)
                meter.sample(self._progress(), self._clock.monotonic() - before)

    def _write(self, sheet: Sheet) -> None:
        if self._block.textfile is None:
            return
        try:
            sheet.write(self._block.textfile)
        except OSError as error:
            _LOG.warning("The figures cannot be written to %s: %s", safe_text(self._block.textfile), error.strerror)


def _stop(server: WSGIServer, thread: Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
