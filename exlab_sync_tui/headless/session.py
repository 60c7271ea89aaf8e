"""How does one engine run from start to end on a terminal or in a pipe? Events, progress, signals, and what is left."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.bar import Bar
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.headless.once import attended, look_and_drain, serve
from exlab_sync_tui.headless.reporter import Reporter
from exlab_sync_tui.headless.signals import exit_code_of, until_signal
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.operate.glance import Glance, glance
from exlab_sync_tui.operate.wiring import staged
from exlab_sync_tui.text import count, duration

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui.settings import Settings


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: by a signal, or with what is left over."""

    left: Glance
    by: signal.Signals | None = None

    @property
    def code(self) -> int:
        """The exit code of ``FORMATS.md`` §11, or that of the signal."""
        return exit_code_of(self.by) if self.by is not None else self.left.code


@dataclass(frozen=True, slots=True)
class Session:
    """One engine on one store, with its events on stdout and its progress on stderr."""

    settings: Settings
    store_path: Path
    reporter: Reporter
    bar: Bar
    operator: str = ""

    @classmethod
    def on_terminal(cls, settings: Settings, store_path: Path, *, operator: str = "", as_json: bool = False) -> Session:
        """A session on this process's own streams."""
        bar = Bar(sys.stderr, SystemClock(), wanted=not as_json)
        return cls(settings, store_path, Reporter(sys.stdout, as_json=as_json, bar=bar), bar, operator)

    def run(self, *, once: bool) -> Ended:
        """Run the engine until nothing is left to do, or for ever; SIGINT and SIGTERM end it in good order.

        Raises ``EngineRunningError``, ``StateFolderError``, ``StoreError``.
        """
        ended = asyncio.run(self._until_signal(once=once))
        return Ended(Glance(), ended) if isinstance(ended, signal.Signals) else Ended(ended)

    async def _until_signal(self, *, once: bool) -> Glance | signal.Signals:
        return await until_signal(self._work(once=once))

    async def _work(self, *, once: bool) -> Glance:
        client = make_client(self.settings, self.store_path, operator=self.operator)
        clock = SystemClock()
        settle = max((item.settle_seconds for item in self.settings.equipment), default=0.0)

        async def work() -> Glance:
            self.reporter.show(Event(clock.now(), EventKind.ENGINE_STARTED, self._opening(once=once)))
            if once:
                await look_and_drain(client, self.reporter, clock, settle_seconds=settle)
            else:
                await serve(client, self.reporter, clock, rescan_seconds=self.settings.sync.rescan_seconds)
            return await glance(client.store, staged=staged(self.settings))

        return await attended(client, self.reporter, self.bar, work)

    def _opening(self, *, once: bool) -> str:
        watched = count(len(self.settings.equipment), "instrument")
        if once:
            return f"Looking at {watched} once."
        return f"Watching {watched}, every {duration(self.settings.sync.rescan_seconds)}; Ctrl-C or SIGTERM stops."
