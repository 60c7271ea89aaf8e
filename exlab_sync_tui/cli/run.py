"""How does the engine run without a console? ``run``, and ``run --once`` for CI and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.output import json_option, look, width
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.session import Session
from exlab_sync_tui.headless.summary import summary_data, summary_lines
from exlab_sync_tui.operate.priority import step_back

if TYPE_CHECKING:
    from exlab_sync_tui.headless.reporter import Reporter
    from exlab_sync_tui.operate.glance import Glance


@click.command(
    epilog="\b\nExamples:\n  exlab-sync run                  until Ctrl-C or SIGTERM\n"
    "  exlab-sync run --once --json    one JSON line per event, the last one is the summary"
)
@click.option("--once", is_flag=True, help="Look, send what is finished, say what is left over, end.")
@json_option
@place_options
@click.pass_context
def run(context: click.Context, *, once: bool, as_json: bool) -> None:
    """Watch the instruments and send what is finished, without a console, until Ctrl-C or SIGTERM.

    With --once the exit code tells the most serious of what is left over. It can be the ExecStart of a systemd unit
    with Type=notify.
    """
    place = place_of(context)
    settings = place.load().settings
    step_back(settings.sync.priority)
    session = Session.on_terminal(settings, place.store_path, operator=place.operator, as_json=as_json)
    with logging_to(place.state_folder, settings.logging):
        ended = session.run(once=once)
    if ended.by is not None:
        kept = "every run keeps its place and goes on at the next start"
        click.echo(f"exlab-sync: stopped by {ended.by.name}; {kept}.", err=True)
    elif once:
        _say_what_is_left(session.reporter, ended.left)
    context.exit(ended.code)


def _say_what_is_left(reporter: Reporter, seen: Glance) -> None:
    """The closing table, or the last JSON line."""
    reporter.write_json({"event": "summary", **summary_data(seen)})
    reporter.write("")
    for line in summary_lines(seen, look(), width=width()):
        reporter.write(line)
