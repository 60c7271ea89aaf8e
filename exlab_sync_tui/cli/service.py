"""How does the engine start with the PC? ``service install``, ``service status`` and ``service uninstall``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.output import json_option, look, marked, put, put_json, put_lines
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.errors import ExlabSyncError, UsageError
from exlab_sync_tui.headless.words import BAD, GOOD, WAIT
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from exlab_sync_tui.operate.service.systemd import Manager

    _Command = TypeVar("_Command", bound=Callable[..., object])

_NOT_INSTALLED, _NOT_RUNNING = 3, 12


def _scope(command: _Command) -> _Command:
    return click.option(
        "--system/--user",
        "for_system",
        default=False,
        help="For everybody on this PC, started with it; or for this user (the default).",
    )(command)


@click.group(
    epilog="\b\nExamples:\n  exlab-sync service install                 for this user\n"
    "  sudo exlab-sync service install --system   for the PC"
)
@place_options
def service() -> None:
    """Let systemd start the engine and watch over it. On Windows and macOS see the README."""


@service.command(epilog="\b\nExample:\n  exlab-sync service install --dry-run")
@_scope
@click.option("--as", "user", metavar="USER", default="exlab", show_default=True, help="With --system: who runs it.")
@click.option("--group", metavar="GROUP", default="exlab", show_default=True, help="With --system: who shares it.")
@click.option("--dry-run", is_flag=True, help="Show the unit and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@place_options
@click.pass_context
def install(context: click.Context, *, for_system: bool, user: str, group: str, dry_run: bool, yes: bool) -> None:
    """Write the unit, after showing it, and start the engine."""
    from exlab_sync_tui.operate.service.systemd import account_problem, wanted_unit

    place = place_of(context)
    loaded = place.load()
    manager = _manager(for_system=for_system)
    unit = wanted_unit(manager, loaded.settings, config=loaded.path, state=place.state_folder, user=user, group=group)
    put(f"# {safe_text(manager.unit)}")
    put_lines(safe_text(line) for line in unit.splitlines())
    if dry_run:
        return
    if for_system and (objection := account_problem(user, group)):
        raise ExlabSyncError(f"Nothing was written. {objection}")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked here; say --yes to write the unit, or --dry-run to look only.")
        click.confirm("Write it and start the engine?", abort=True)
    manager.write(unit)
    put()
    put(f"{marked(GOOD, '', look())}Wrote {safe_text(manager.unit)}.")
    _start(context, manager)


def _start(context: click.Context, manager: Manager) -> None:
    for verb in (("daemon-reload",), ("enable", "exlab-sync.service"), ("restart", "exlab-sync.service")):
        objection = manager.control(*verb)
        if objection:
            click.echo(f"exlab-sync: systemd could not be asked: {safe_text(objection)}. Once it can:", err=True)
            put(f"  {' '.join(manager.words('daemon-reload'))}")
            put(f"  {' '.join(manager.words('enable', '--now', 'exlab-sync.service'))}")
            context.exit(1)
    put(f"{marked(GOOD, '', look())}The engine runs and starts by itself; `exlab-sync service status` shows it.")
    if not manager.for_system:
        put("  It ends when you log out, unless you say once: loginctl enable-linger")


@service.command(epilog="\b\nExample:\n  exlab-sync service status --system")
@_scope
@json_option
@place_options
@click.pass_context
def status(context: click.Context, *, for_system: bool, as_json: bool) -> None:
    """Is it installed, does it run, and does the unit fit the configuration?

    Exit code 3 if it is not installed, 12 if it does not run.
    """
    manager = _manager(for_system=for_system)
    told = manager.state()
    installed = manager.unit.exists()
    running = told.get("ActiveState") == "active"
    fits = _fits(context, manager)
    if as_json:
        put_json({"unit": str(manager.unit), "installed": installed, "running": running, "fits": fits, "systemd": told})
    elif not installed:
        put(f"{marked(WAIT, '', look())}No service is installed at {safe_text(manager.unit)}.")
    else:
        _put_status(manager, told, running=running, fits=fits)
    context.exit(_NOT_INSTALLED if not installed else 0 if running else _NOT_RUNNING)


def _put_status(manager: Manager, told: dict[str, str], *, running: bool, fits: bool | None) -> None:
    shown = look()
    if not told:
        put(f"{marked(WAIT, '', shown)}{safe_text(manager.unit)} is installed; systemd could not be asked about it.")
    elif running:
        said = f" ({safe_text(told['StatusText'])})" if told.get("StatusText") else ""
        put(f"{marked(GOOD, '', shown)}The engine runs as process {told.get('MainPID', '?')}{said}.")
    else:
        state = " ".join(filter(None, (told.get("ActiveState"), told.get("SubState"))))
        logs = "journalctl " + ("-u" if manager.for_system else "--user -u") + " exlab-sync -n 50"
        put(f"{marked(BAD, '', shown)}The service is {safe_text(state)}; `{logs}` says why.")
    if fits is False:
        scope = " --system" if manager.for_system else ""
        put(f"{marked(WAIT, '', shown)}The configuration has changed since; `exlab-sync service install{scope}` again.")


def _fits(context: click.Context, manager: Manager) -> bool | None:
    """Whether the installed unit is the one that this configuration needs; ``None`` if that cannot be known."""
    from exlab_sync_tui.operate.service.systemd import fits

    place = place_of(context)
    try:
        loaded = place.load()
    except ExlabSyncError:
        return None
    if not manager.installed():
        return None
    return fits(manager, loaded.settings, config=loaded.path, state=place.state_folder)


@service.command(epilog="\b\nExample:\n  sudo exlab-sync service uninstall --system")
@_scope
@click.option("--dry-run", is_flag=True, help="Say what would be removed and what would stay.")
@place_options
@click.pass_context
def uninstall(context: click.Context, *, for_system: bool, dry_run: bool) -> None:
    """Stop the engine and remove the unit; says what stays where. No run and no record is touched."""
    from exlab_sync_tui.operate.service.systemd import farewell
    from exlab_sync_tui.settings.locations import find_config

    place = place_of(context)
    manager = _manager(for_system=for_system)
    if dry_run:
        put(f"Would stop the engine and remove {safe_text(manager.unit)}.")
    else:
        if manager.unit.exists():
            manager.control("disable", "--now", "exlab-sync.service")
        if manager.remove():
            manager.control("daemon-reload")
            put(f"{marked(GOOD, '', look())}{safe_text(manager.unit)} is removed and the engine is stopped.")
        else:
            put(f"There is no {safe_text(manager.unit)}.")
    settings = place.settings_if_any()
    config = find_config(place.config, environ=place.environ) if settings else None
    put("This stays; remove it by hand if nobody needs it:")
    put_lines(f"  {line}" for line in farewell(config=config, state=place.state_folder, settings=settings))
    put("The program itself: remove its virtual environment, or `pip uninstall exlab-sync`.")


def _manager(*, for_system: bool) -> Manager:
    from exlab_sync_tui.operate.service.systemd import Manager

    if not sys.platform.startswith("linux"):
        raise UsageError("This needs systemd; the README says how to start the engine on Windows and macOS.")
    return Manager.of_system() if for_system else Manager.of_user()
