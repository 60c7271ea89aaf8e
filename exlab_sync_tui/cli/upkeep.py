"""What can be asked about local copies and conflicts? ``keep-local``, ``resolve``, ``cleanup`` and ``forget``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.actions import known_job
from exlab_sync_tui.cli.completion import run_names
from exlab_sync_tui.cli.helm import Helm, each, steer
from exlab_sync_tui.cli.output import json_option, look, put, put_json, put_lines, width
from exlab_sync_tui.cli.place import place_options
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.cockpit.wishes import WAYS, Forgetting, Keeping, Preview, Resolution
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.text import safe_text, size, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.engine.cockpit.wishes import Foreseen

_ONE = "\b\nRUN is a path, or a part of a run's name or job id that only one run has.\n\n"
_WAYS = (
    "\b\nadopt   what lies in the run's place becomes the run, if it is identical; it only gets its papers\n"
    "beside  the run is published as <run>__conflict-<8 chars>; what is there stays as it is\n"
    "repair  damaged far files are moved aside and sent again from this PC, if they are good here\n\n"
)


@click.command(name="keep-local", epilog=f"{_ONE}\b\nExample:\n  exlab-sync keep-local Run_2025-03-03T09-12")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=run_names)
@click.option("--undo", is_flag=True, help="Let the local copy go again, once its proof holds.")
@place_options
@click.pass_context
def keep_local(context: click.Context, runs: tuple[str, ...], *, undo: bool) -> None:
    """Let the local copy of a run stay, whatever cleanup thinks."""

    async def step(helm: Helm, name: str) -> int:
        wish = Keeping((await known_job(helm, name)).id, keep=not undo)
        return (await helm.order(Verb.KEEP_LOCAL, wish.as_target())).exit_code

    steer(context, lambda helm: each(runs, lambda name: step(helm, name)))


@click.command(
    epilog=f'{_ONE}\b\nExample:\n  exlab-sync forget Run_2025-03-03T09-12 --reason "a test of the shutter; deleted"'
)
@click.argument("run", shell_complete=run_names)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in the record for good.")
@place_options
@click.pass_context
def forget(context: click.Context, run: str, *, reason: str) -> None:
    """Drop a run that was deleted on purpose. What lies on the destination is left alone."""

    async def step(helm: Helm, name: str) -> int:
        wish = Forgetting((await known_job(helm, name)).id, reason)
        return (await helm.order(Verb.FORGET, wish.as_target())).exit_code

    steer(context, lambda helm: each([run], lambda name: step(helm, name)))


@click.command(epilog=f"{_WAYS}{_ONE}\b\nExample:\n  exlab-sync resolve Run_2025-03-03T09-12 beside")
@click.argument("run", shell_complete=run_names)
@click.argument("way", type=click.Choice(WAYS), metavar="adopt|beside|repair")
@place_options
@click.pass_context
def resolve(context: click.Context, run: str, way: str) -> None:
    """Decide about a run whose place on the NAS is taken, or whose far copy was found damaged."""

    async def step(helm: Helm, name: str) -> int:
        wish = Resolution((await known_job(helm, name)).id, way)
        outcome = await helm.order(Verb.RESOLVE, wish.as_target())
        if outcome.ok and helm.alone:
            put("No engine is running, so nothing moves yet; `exlab-sync run` goes on with it.")
        return outcome.exit_code

    steer(context, lambda helm: each([run], lambda name: step(helm, name)))


@click.command(
    epilog=f"{_ONE}Without RUN: every verified run.\n\n\b\nExamples:\n  exlab-sync cleanup --dry-run\n"
    "  exlab-sync cleanup Run_2025-03-03T09-12"
)
@click.argument("runs", nargs=-1, metavar="[RUN...]", shell_complete=run_names)
@click.option("--dry-run", is_flag=True, help="Only say what would go, how many bytes, and what holds the others.")
@json_option
@place_options
@click.pass_context
def cleanup(context: click.Context, runs: tuple[str, ...], *, dry_run: bool, as_json: bool) -> None:
    """Delete local copies that are proved to be on the NAS, now. A running engine does that by itself.

    Every interlock holds as always: the proof is taken once more, and nothing but what is recorded is deleted.
    """
    if as_json and not dry_run:
        raise click.UsageError("--json is for --dry-run.")

    async def work(helm: Helm) -> Sequence[int]:
        targets = [(await known_job(helm, name)).id for name in runs] or [""]
        if dry_run:
            return await _foresee(helm, targets, as_json=as_json)
        return await each(targets, lambda target: _clean(helm, target))

    steer(context, work)


async def _clean(helm: Helm, target: str) -> int:
    return (await helm.order(Verb.CLEANUP, target)).exit_code


async def _foresee(helm: Helm, targets: Sequence[str], *, as_json: bool) -> Sequence[int]:
    previews = []
    for target in targets:
        outcome = await helm.cockpit.order(Order(Verb.CLEANUP_PREVIEW, target, helm.who))
        previews.append(Preview.of(outcome))
    runs = [run for preview in previews for run in preview.runs]
    if as_json:
        put_json([{**asdict(run), "until": utc(run.until) if run.until else None} for run in runs])
        return [0]
    if runs:
        put(table(_COLUMNS, [_cells(run) for run in runs], width=width(), ellipsis=look().ellipsis))
    more = sum(preview.more for preview in previews)
    put_lines([f"and {more:,} more"] if more else [])
    if len(previews) == 1:
        put(safe_text(previews[0].sentence))
    return [0]


_COLUMNS = (
    Column("run"),
    Column("size", right=True),
    Column("would"),
    Column("until"),
    Column("because", shrinks=True),
)


def _cells(run: Foreseen) -> tuple[str, ...]:
    name = run.run_path.rpartition("/")[2]
    if run.would_go:
        return name, size(run.size), "go", "", "every interlock holds; it is proved once more first"
    return name, size(run.size), "stay", utc(run.until) if run.until else "", f"{run.interlock}: {run.sentence}"
