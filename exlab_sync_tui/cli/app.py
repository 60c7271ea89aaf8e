"""Which verbs are there? Each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from exlab_sync_tui.cli.errors import Sentences
from exlab_sync_tui.cli.place import place_of, place_options

_EPILOG = """\
\b
Examples:
  exlab-sync demo                 try everything on a sample lab
  exlab-sync init                 write a configuration to fill in
  exlab-sync run --once           send what is finished, then end
  exlab-sync status               is my data safe?
  exlab-sync why Run_2025-03-03   why is this run not safe yet?

Exit codes: 0 done, 1 failure, 2 usage, 3 not found, 5 something waits and is tried again, 7 configuration,
10 verification mismatch, 11 blocked by the gate, 12 needs a running engine.
"""

VERBS = {
    "demo": "demo:demo",
    "init": "config:init",
    "destination": "destination:destination",
    "run": "run:run",
    "status": "overview:status",
    "list": "overview:list_runs",
    "show": "inspect:show",
    "why": "inspect:why",
    "enqueue": "actions:enqueue",
    "check": "gate:check",
    "override": "override:override",
    "retry": "actions:retry",
    "verify": "actions:verify",
    "pause": "actions:pause",
    "resume": "actions:resume",
    "config": "config:config",
}
"""Module and name of each verb, in the order in which somebody needs them."""


class Verbs(Sentences):
    """The verbs; looking one up imports its module, so that ``status`` does not pay for the engine."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Their names."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """The verb, or nothing."""
        module, _, name = VERBS.get(cmd_name, "").partition(":")
        if not module:
            return None
        verb: click.Command = getattr(import_module(f"exlab_sync_tui.cli.{module}"), name)
        return verb


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="exlab-sync", prog_name="exlab-sync", message="%(prog)s %(version)s")
@place_options
@click.pass_context
def app(context: click.Context) -> None:
    """Move finished instrument runs to the NAS, prove every byte, and say so.

    Without a COMMAND the console opens: it hosts the engine, or attaches to the one that runs.
    """
    if context.invoked_subcommand is None:
        from exlab_sync_tui.cli.console import open_console

        context.exit(open_console(place_of(context)))
