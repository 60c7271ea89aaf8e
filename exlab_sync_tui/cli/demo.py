"""How does it feel on somebody else's data? ``demo`` tries everything on a sample lab."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.output import json_option, look
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.platform import user_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from exlab_sync_tui.demo.live import Show
    from exlab_sync_tui.engine.cockpit.view import Cockpit
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.settings import Settings

_FASTEST, _SLOWEST = 20.0, 0.25


@click.command(
    epilog="\b\nExamples:\n  exlab-sync demo                 on the console; q leaves\n"
    "  exlab-sync demo --speed 4       the same in a hurry\n"
    "  exlab-sync demo --headless --once --seed 7 --keep"
)
@click.option("--headless", is_flag=True, help="Show events as lines, without the console, until the story is over.")
@click.option("--once", is_flag=True, help="No story: send what is finished, check the outcome, end. No console.")
@click.option(
    "--speed",
    type=click.FloatRange(_SLOWEST, _FASTEST),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Let everything happen N times as fast; the story takes two minutes at 1.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same lab.")
@click.option("--keep", is_flag=True, help="Leave the lab's folder for a look.")
@click.option("--tiny", is_flag=True, help="A lab of a few hundred kilobytes.")
@json_option
@place_options
@click.pass_context
def demo(
    context: click.Context,
    *,
    headless: bool,
    once: bool,
    speed: float,
    seed: int,
    keep: bool,
    tiny: bool,
    as_json: bool,
) -> None:
    """Watch a sample lab in a temporary folder: runs appear, a NAS goes away and comes back, one run needs you.

    Three instruments, ten runs, among them a broken name, a place that is taken and names that look like commands.
    Nothing of yours is touched and nothing is left behind. Without the console (--headless, --json, --once) the
    outcome is checked: exit code 0 if every run ended as planned.
    """
    from exlab_sync_tui.demo.headless import run_demo
    from exlab_sync_tui.demo.live import run_as_lines, run_on_console

    operator = place_of(context).operator
    if once:
        code = run_demo(seed=seed, keep=keep, tiny=tiny, as_json=as_json)
    elif headless or as_json:
        code = run_as_lines(seed=seed, speed=speed, keep=keep, tiny=tiny, as_json=as_json, operator=operator)
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("The console needs a terminal. `exlab-sync demo --headless` tells the same as lines.")
    else:
        show = _console(operator or user_name())
        code = run_on_console(show, seed=seed, speed=speed, keep=keep, tiny=tiny, operator=operator)
    context.exit(code)


def _console(operator: str) -> Show:
    """What opens a console in the manner of ``demo.live.Show``."""
    from exlab_sync_tui.tui.console import run_console
    from exlab_sync_tui.tui.options import ConsoleOptions, lab_of
    from exlab_sync_tui.tui.premises import Configured

    def show(
        opening: Callable[[], Awaitable[Cockpit]],
        settings: Settings,
        *,
        beside: Sequence[Callable[[Cockpit], Coroutine[None, None, object]]],
        clock: Clock,
    ) -> int:
        options = ConsoleOptions(operator, ascii=not look().unicode)
        premises = Configured(settings)
        return run_console(
            opening, lab_of(settings), options, title="Sample lab", premises=premises, beside=beside, clock=clock
        )

    return show
