"""What does ``exlab-sync`` alone do? It opens the console, where there is a terminal and a configuration."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ConfigError, UsageError
from exlab_sync_tui.settings.locations import find_config
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.engine.cockpit.view import Cockpit

_NO_TERMINAL = (
    "The console needs a terminal, and there is none here; `exlab-sync status` says whether the data is safe,"
    " `exlab-sync run` works without one, `exlab-sync --help` lists everything."
)


def open_console(place: Place) -> int:
    """Host the engine, or attach to the one that runs, and show it until somebody leaves; the exit code.

    Raises ``UsageError`` without a terminal, ``ConfigError``, and what ``open_cockpit`` raises.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(_NO_TERMINAL)
    _require_configuration(place)
    return _show(place)


def _require_configuration(place: Place) -> None:
    try:
        find_config(place.config, environ=place.environ)
    except ConfigError as error:
        raise ConfigError(f"{error} `exlab-sync demo` shows everything on a sample lab first.") from error


def _show(place: Place) -> int:
    from exlab_sync_tui.engine.cockpit.opening import open_cockpit
    from exlab_sync_tui.headless.client import make_client
    from exlab_sync_tui.headless.logs import logging_to
    from exlab_sync_tui.model.clock import SystemClock
    from exlab_sync_tui.operate.companions import beside_console, companions
    from exlab_sync_tui.tui.console import run_console
    from exlab_sync_tui.tui.options import ConsoleOptions, lab_of
    from exlab_sync_tui.tui.premises import Configured

    settings = place.load().settings
    looks = settings.console
    options = ConsoleOptions(place.who, looks.theme, looks.keymap, looks.ascii)

    client = make_client(settings, place.store_path, operator=place.operator)

    async def opening() -> Cockpit:
        return await open_cockpit(client, watch=True)

    with logging_to(place.state_folder, settings.logging):
        beside = beside_console(companions(settings, SystemClock(), client.progress), client)
        title, premises = safe_text(socket.gethostname()), Configured(settings)
        return run_console(opening, lab_of(settings), options, title=title, premises=premises, beside=beside)
