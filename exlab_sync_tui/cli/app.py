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
    "demo": ("demo:demo", "try everything on a sample lab; nothing of yours is touched"),
    "init": ("config:init", "write a configuration to fill in, every key explained"),
    "config": ("config:config", "is it right, what is in force, where is it?"),
    "destination": ("destination:destination", "adopt the right NAS folder; see how each one is"),
    "doctor": ("doctor:doctor", "what is wrong here, and which command mends it?"),
    "service": ("service:service", "let systemd start the engine and watch over it"),
    "run": ("run:run", "watch and send without a console; --once for CI"),
    "notify": ("notify:notify", "are the right people told? send a test message"),
    "status": ("overview:status", "is my data safe?"),
    "list": ("overview:list_runs", "which runs are known, and how is each?"),
    "show": ("inspect:show", "everything that is known of one run"),
    "why": ("inspect:why", "why is this run not safe yet, and what happens next?"),
    "enqueue": ("actions:enqueue", "queue runs now, whatever their finished-signal says"),
    "retry": ("actions:retry", "queue failed runs again"),
    "verify": ("actions:verify", "compare both sides now, byte by byte"),
    "pause": ("actions:pause", "let nothing of an instrument be sent for now"),
    "resume": ("actions:resume", "let a paused instrument go on"),
    "check": ("gate:check", "what does the gate object to?"),
    "override": ("override:override", "let it pass, by name and with a reason; see who did"),
    "keep-local": ("upkeep:keep_local", "let the local copy of a run stay"),
    "resolve": ("upkeep:resolve", "decide about a conflict or a damaged far copy"),
    "cleanup": ("upkeep:cleanup", "delete proved local copies now; --dry-run says what would go"),
    "forget": ("upkeep:forget", "drop a run that was deleted on purpose"),
    "report": ("handover:report", "what reached the NAS, when, and how it is proven"),
    "export-bag": ("handover:export_bag", "hand a verified run on as a BagIt bag"),
    "completion": ("completion:completion", "teach the shell to complete verbs, instruments and runs"),
}
"""Module and name of each verb, and what it is for; in the order of a day's work."""


class Verbs(Sentences):
    """The verbs; looking one up imports its module, so that ``status`` and ``--help`` do not pay for the engine."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Their names."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """The verb, or nothing."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        verb: click.Command = getattr(import_module(f"exlab_sync_tui.cli.{module}"), name)
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Every verb with what it is for."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, purpose) for verb, (_, purpose) in VERBS.items()])


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
