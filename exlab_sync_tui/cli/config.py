"""What is configured, and is it right? ``init`` and ``config``."""

from __future__ import annotations

from pathlib import Path

import click

from exlab_sync_tui.cli.output import json_option, put, put_json
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.errors import UsageError
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.settings.locations import find_config, user_config_path
from exlab_sync_tui.settings.overview import effective
from exlab_sync_tui.settings.starter import write_starter
from exlab_sync_tui.text import count, safe_text


@click.command(
    epilog="\b\nExamples:\n  exlab-sync init\n  exlab-sync init /etc/exlab-sync/config.yaml\n  exlab-sync init --add"
)
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[PATH]")
@click.option("--add", is_flag=True, help="Add an instrument to the configuration that is there: three questions.")
@place_options
@click.pass_context
def init(context: click.Context, path: Path | None, *, add: bool) -> None:
    """Write a configuration to fill in, with every key explained. Never over one that is there."""
    if add:
        from exlab_sync_tui.cli.console import ask_for_one_more

        if path is not None:
            raise UsageError("With --add the configuration is the one in force, or that of --config PATH.")
        context.exit(ask_for_one_more(place_of(context)))
    place = path or place_of(context).config or user_config_path()
    write_starter(place)
    named = "" if place == user_config_path() else f" --config {safe_text(place)}"
    put(f"Wrote {safe_text(place)}.")
    put("Fill in the instruments there, then:")
    put(f"  exlab-sync{named} config check              is it right?")
    put(f"  exlab-sync{named} destination adopt ID      mark the NAS folder as the right one")
    put(f"  exlab-sync{named} run --once                send what is finished")


@click.group(epilog="\b\nExample:\n  exlab-sync config check && exlab-sync config show")
@place_options
def config() -> None:
    """Look at the configuration: is it right, what is in force, where is it?"""


@config.command(name="check", epilog="\b\nExample:\n  exlab-sync config check --config new.yaml")
@place_options
@click.pass_context
def check_config(context: click.Context) -> None:
    """Is it right? Every problem with its file, line and key; exit code 7 if there is one."""
    loaded = place_of(context).load()
    settings = loaded.settings
    cleanup = "on" if settings.cleanup_enabled else "off, so local copies are never deleted"
    instruments = count(len(settings.equipment), "instrument")
    put(f"{safe_text(loaded.path)} is right: {instruments}, cleanup is {cleanup}.")
    if not settings.equipment:
        put("There is no instrument in it yet, so there is nothing to watch.")


@config.command(name="show", epilog="\b\nExample:\n  exlab-sync config show | grep settle")
@json_option
@place_options
@click.pass_context
def show_config(context: click.Context, *, as_json: bool) -> None:
    """What is in force, key by key, and who set it."""
    rows = effective(place_of(context).load())
    if as_json:
        put_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
        return
    columns = (Column("key"), Column("value"), Column("set by"))
    put(table(columns, rows, width=0))


@config.command(name="upgrade", epilog="\b\nExample:\n  exlab-sync config upgrade --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@place_options
@click.pass_context
def upgrade_config(context: click.Context, *, dry_run: bool) -> None:
    """Write keys of older versions as they are written today. Comments stay; a copy is left beside the file."""
    from exlab_sync_tui.settings.upgrade import upgrade_file

    place = place_of(context)
    found = find_config(place.config, environ=place.environ)
    changes, copy = upgrade_file(found, SystemClock().now(), dry_run=dry_run)
    for change in changes:
        put(f"  {safe_text(change)}")
    if not changes:
        put(f"{safe_text(found)} is written as it is today; nothing to do.")
    elif copy is None:
        put(f"{count(len(changes), 'change')} would be made to {safe_text(found)}.")
    else:
        put(f"{count(len(changes), 'change')} made to {safe_text(found)}; the old one is {safe_text(copy)}.")


@config.command(name="path", epilog='\b\nExample:\n  $EDITOR "$(exlab-sync config path)"')
@json_option
@place_options
@click.pass_context
def config_path(context: click.Context, *, as_json: bool) -> None:
    """Where is the configuration? With --json also the state folder."""
    place = place_of(context)
    found = find_config(place.config, environ=place.environ)
    if as_json:
        put_json({"config": str(found), "exists": found.exists(), "state": str(place.state_folder)})
    else:
        put(safe_text(found))
