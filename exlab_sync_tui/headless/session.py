"""How does one engine run from start to end on a terminal or in a pipe? Events, progress, signals, and what is left."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.bar import Bar
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.headless.once import attended, look_and_drain
from exlab_sync_tui.headless.reporter import Reporter
from exlab_sync_tui.headless.service import run_service
from exlab_sync_tui.headless.signals import exit_code_of, until_signal
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.operate.companions import companions
from exlab_sync_tui.operate.glance import Glance, glance
from exlab_sync_tui.operate.wiring import staged
from exlab_sync_tui.text import count, duration

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui.engine.client import NASSyncClient
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
        """Run the engine until nothing is left to do; without *once* as a service, until it is told to stop.

        SIGINT, SIGTERM and SIGHUP end it in good order. Raises ``EngineRunningError``, ``StateFolderError``,
        ``StoreError``.
        """
        if not once:
            asyncio.run(self._serve())
            return Ended(Glance())
        ended = asyncio.run(self._until_signal())
        return Ended(Glance(), ended) if isinstance(ended, signal.Signals) else Ended(ended)

    async def _serve(self) -> None:
        watched = count(len(self.settings.equipment), "instrument")
        often = duration(self.settings.sync.rescan_seconds)
        opening = f"Watching {watched}, at least every {often}; Ctrl-C or SIGTERM stops."
        client, clock = self._client(), SystemClock()
        beside = companions(self.settings, clock, client.progress)
        await run_service(client, self.reporter, self.bar, clock, opening=opening, beside=beside)

    async def _until_signal(self) -> Glance | signal.Signals:
        return await until_signal(self._work_once())

    async def _work_once(self) -> Glance:
        client, clock = self._client(), SystemClock()
        settle = max((item.settle_seconds for item in self.settings.equipment), default=0.0)

        async def work() -> Glance:
            await look_and_drain(client, self.reporter, clock, settle_seconds=settle)
            return await glance(client.store, staged=staged(self.settings))

        beside = companions(self.settings, clock, client.progress)
        return await attended(client, self.reporter, self.bar, work, beside=beside)

    def _client(self) -> NASSyncClient:
        return make_client(self.settings, self.store_path, operator=self.operator)
