"""How is the console opened and closed? Starts the cockpit, shows the screen, and says goodbye on the normal one."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.headless.signals import exit_code_of
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.text import count
from exlab_sync_tui.tui.app import ConsoleApp
from exlab_sync_tui.tui.scene import Lookout, Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from exlab_sync_tui.engine.cockpit.view import Cockpit, Pulse
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.tui.options import ConsoleOptions, Lab
    from exlab_sync_tui.tui.premises import Premises

_ENDINGS = (signal.SIGTERM, signal.SIGHUP) if sys.platform != "win32" else (signal.SIGTERM,)


def run_console(
    opening: Callable[[], Awaitable[Cockpit]],
    lab: Lab,
    options: ConsoleOptions,
    *,
    title: str,
    premises: Premises | None = None,
    beside: Sequence[Callable[[Cockpit], Coroutine[None, None, object]]] = (),
    clock: Clock | None = None,
) -> int:
    """Open the console until somebody leaves it; the exit code.

    *opening* gives a started cockpit, hosting or attached; it is stopped at the end. What is *beside* runs as long as
    the console does: the script of a demo. Raises what these raise, or what has ended a hosted engine, with the
    terminal as it was before.
    """
    return asyncio.run(open_console(opening, lab, options, title=title, premises=premises, beside=beside, clock=clock))


async def open_console(
    opening: Callable[[], Awaitable[Cockpit]],
    lab: Lab,
    options: ConsoleOptions,
    *,
    title: str,
    premises: Premises | None = None,
    beside: Sequence[Callable[[Cockpit], Coroutine[None, None, object]]] = (),
    clock: Clock | None = None,
) -> int:
    """The same inside a running loop."""
    clock = clock or SystemClock()
    cockpit = await opening()
    try:
        app = ConsoleApp(cockpit, lab, options, clock, title=title, premises=premises)
        code = await _together(app, [cockpit.broken(), *(work(cockpit) for work in beside)])
        tally, pulse = (await Lookout(cockpit.store).look(clock.now())).tally(), await cockpit.pulse()
        if pulse.hosted and tally.moving:
            click.echo("exlab-sync: stopping; transfers keep their place.", err=True)
    finally:
        await cockpit.stop()
    click.echo(farewell(tally, pulse))
    return code


async def _together(app: ConsoleApp, works: Sequence[Coroutine[None, None, object]]) -> int:
    """Run the app with *works* beside it; one that fails closes the app, and its error is raised after that."""

    def look_at(task: asyncio.Future[object]) -> None:
        if not task.cancelled() and task.exception() is not None:
            app.exit(1)

    tasks = [asyncio.ensure_future(work) for work in works]
    for task in tasks:
        task.add_done_callback(look_at)
    try:
        code = await _shown(app)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for one in ended:
        if isinstance(one, Exception):
            raise one
    return code


def farewell(tally: Tally, pulse: Pulse) -> str:
    """What is left over when the console closes."""
    if not tally.total:
        left = "No run is known yet."
    elif tally.safe == tally.total:
        left = f"All {count(tally.safe, 'run')} are safe." if tally.safe > 1 else "The only run is safe."
    else:
        numbers = ((tally.backlog, "still to send"), (tally.failed, "failed"), (tally.held, "not queued yet"))
        parts = [f"{number:,} {word}" for number, word in numbers if number]
        left = f"{tally.safe:,} of {count(tally.total, 'run')} are safe; {', '.join(parts)}."
    if not pulse.hosted:
        after = (
            "The engine goes on without this console."
            if pulse.alive
            else "No engine is at work; start one with `exlab-sync run`."
        )
    elif tally.backlog:
        after = "What is queued stays queued and goes on at the next start; `exlab-sync run` does it without a console."
    else:
        after = "Nothing is watched until the next start; `exlab-sync run` watches without a console."
    return f"{left} {after}"


async def _shown(app: ConsoleApp) -> int:
    """Run the app; a signal to end closes it in good order, so that the terminal is as it was."""
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        app.exit(exit_code_of(number))

    for number in _ENDINGS:
        with suppress(NotImplementedError):  # Windows' loop has no signal handlers
            loop.add_signal_handler(number, end, number)
    try:
        code = await app.run_async()
    finally:
        for number in _ENDINGS:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
    return code if code is not None else (app.return_code or 0)
