"""How does it feel on somebody else's data? ``demo`` tries everything on a sample lab."""

from __future__ import annotations

import click

from exlab_sync_tui.cli.output import json_option
from exlab_sync_tui.cli.place import place_options
from exlab_sync_tui.demo.headless import run_demo


@click.command(epilog="\b\nExamples:\n  exlab-sync demo\n  exlab-sync demo --headless --once --seed 7 --keep")
@click.option("--headless", is_flag=True, help="Show events as lines, without the console.")
@click.option("--once", is_flag=True, help="Send what is finished, check the outcome, end.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same lab.")
@click.option("--keep", is_flag=True, help="Leave the lab's folder for a look.")
@click.option("--tiny", is_flag=True, help="A lab of a few hundred kilobytes.")
@json_option
@place_options
@click.pass_context
def demo(
    context: click.Context, *, headless: bool, once: bool, seed: int, keep: bool, tiny: bool, as_json: bool
) -> None:
    """Make a sample lab in a temporary folder, send its runs, and check what became of each.

    Three instruments, ten runs, among them a broken name, a conflict and names that look like commands. Nothing of
    yours is touched and nothing is left behind. Exit code 0 if every run ended as planned.
    """
    if not (headless and once) and not as_json:
        click.echo("The console is not part of this version yet, so the demo runs once, as text.")
    context.exit(run_demo(seed=seed, keep=keep, tiny=tiny, as_json=as_json))
