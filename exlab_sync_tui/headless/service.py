"""How does the engine run as a service? It watches by itself until it is told to stop, and says that it is alive."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.engine.cockpit.heartbeat import Stethoscope
from exlab_sync_tui.headless.once import Client as AttendedClient
from exlab_sync_tui.headless.once import attended
from exlab_sync_tui.headless.sd_notify import ServiceNotifier
from exlab_sync_tui.headless.signals import until_signal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exlab_sync_tui.headless.bar import Bar
    from exlab_sync_tui.headless.reporter import Reporter
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.operate.companions import Companion

    IsWell = Callable[[], Awaitable[bool]]

_DONE = 0
_UNDER_A_WATCHDOG = 0.4
"""So much of the manager's patience passes between two signs of life; sd_watchdog_enabled(3) asks for at most half."""


class Watcher(Protocol):
    """What of ``NASSyncClient`` is used once it has been started."""

    def watch(self, *, events: bool = True) -> None:
        """Look at the folders by itself from now on."""
        ...

    async def broken(self) -> None:
        """Wait until something that must never end has ended, and raise why."""
        ...


class Client(AttendedClient, Watcher, Protocol):
    """What of it is used from start to end."""


async def run_service(
    client: Client,
    reporter: Reporter,
    bar: Bar,
    clock: Clock,
    *,
    opening: str = "",
    notifier: ServiceNotifier | None = None,
    beside: Sequence[Companion] = (),
) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; 0 when it was told to stop, because that is what a service is for.

    *opening* is a line of text that is written once the engine has started; *beside* are its companions.

    Raises ``EngineRunningError``, which names the process that holds the lock, ``StateFolderError``, ``StoreError``.
    """
    heard = notifier or ServiceNotifier.of()

    async def work() -> None:
        if opening:
            reporter.write(opening)
        await keep_running(client, clock, heard, is_well=Stethoscope(client.store, clock).is_alive)

    ended = await until_signal(attended(client, reporter, bar, work, beside=beside))
    if isinstance(ended, signal.Signals):
        reporter.write(f"Stopped by {ended.name}; every run keeps its place and goes on at the next start.")
    return _DONE


async def keep_running(
    client: Watcher, clock: Clock, notifier: ServiceNotifier, *, is_well: IsWell | None = None
) -> None:
    """Watch until cancelled, with a started *client*. Raises what ended a lane or the looks.

    The manager hears a sign of life only while *is_well* says so; one that hangs in its disk is started anew.
    """
    client.watch()
    notifier.ready("watching")
    alive = asyncio.create_task(_say_alive(clock, notifier, is_well), name="watchdog")
    try:
        await client.broken()
    finally:
        notifier.stopping()
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)


async def _say_alive(clock: Clock, notifier: ServiceNotifier, is_well: IsWell | None) -> None:
    if notifier.watchdog_seconds is None:
        return
    while True:
        if is_well is None or await is_well():
            notifier.alive()
        await clock.sleep(notifier.watchdog_seconds * _UNDER_A_WATCHDOG)
