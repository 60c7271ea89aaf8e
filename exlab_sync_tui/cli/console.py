"""What does ``exlab-sync`` alone do? It opens the console, where there is a terminal and a configuration."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.cli.output import look, put
from exlab_sync_tui.errors import ConfigError, UsageError
from exlab_sync_tui.settings.locations import CONFIG_VARIABLE, find_config, user_config_path
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

    Without a configuration the first-run assistant comes first. Raises ``UsageError`` without a terminal,
    ``ConfigError``, and what ``open_cockpit`` raises.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(_NO_TERMINAL)
    if not _is_configured(place) and not ask_for_configuration(place):
        put("Nothing was written. `exlab-sync demo` shows everything on a sample lab first.")
        return ConfigError.exit_code
    return _show(place)


def ask_for_configuration(place: Place) -> bool:
    """Let the first-run assistant write a configuration where it is looked for; whether it did."""
    from exlab_sync_tui.tui.first_run.app import ask_first

    written = ask_first(_place_of_file(place), place.store_path, ascii_only=not look().unicode)
    if written:
        put(f"Wrote {safe_text(_place_of_file(place))}; `exlab-sync config show` shows what is in force.")
    return written


def ask_for_one_more(place: Place) -> int:
    """Let the assistant add an instrument to the configuration in force; the exit code.

    Raises ``UsageError`` without a terminal, ``ConfigError`` without a configuration that is right.
    """
    from exlab_sync_tui.tui.first_run.app import ask_first

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The assistant needs a terminal, and there is none here; add the instrument with an editor.")
    config = place.load().path
    if not ask_first(config, place.store_path, adding=True, ascii_only=not look().unicode):
        put("Nothing was written.")
        return 0
    put(f"It is in {safe_text(config)} now; the next engine that starts watches it.")
    return 0


def _place_of_file(place: Place) -> Path:
    named = place.config or place.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else user_config_path()


def _is_configured(place: Place) -> bool:
    """Whether there is a file, be it right or wrong: a wrong one is never written over."""
    try:
        return os.path.lexists(find_config(place.config, environ=place.environ))
    except ConfigError:
        return False


def _show(place: Place) -> int:
    from exlab_sync_tui.engine.cockpit.opening import open_cockpit
    from exlab_sync_tui.headless.client import make_client
    from exlab_sync_tui.headless.logs import logging_to
    from exlab_sync_tui.model.clock import SystemClock
    from exlab_sync_tui.operate.companions import beside_console, companions
    from exlab_sync_tui.operate.priority import step_back
    from exlab_sync_tui.tui.console import run_console
    from exlab_sync_tui.tui.options import ConsoleOptions, lab_of
    from exlab_sync_tui.tui.premises import Configured

    loaded = place.load()
    settings = loaded.settings
    step_back(settings.sync.priority)
    looks = settings.console
    options = ConsoleOptions(place.who, looks.theme, looks.keymap, looks.ascii, loaded.path, place.store_path)

    client = make_client(settings, place.store_path, operator=place.operator)

    async def opening() -> Cockpit:
        return await open_cockpit(client, watch=True)

    with logging_to(place.state_folder, settings.logging):
        beside = beside_console(companions(settings, SystemClock(), client.progress), client)
        title, premises = safe_text(socket.gethostname()), Configured(settings)
        return run_console(opening, lab_of(settings), options, title=title, premises=premises, beside=beside)
