"""Is my data safe, and which runs are there? ``status`` and ``list``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.completion import equipment_ids
from exlab_sync_tui.cli.output import json_option, look, put, put_json, put_lines, width
from exlab_sync_tui.cli.place import place_of, place_options, place_options_but_state, remember_state
from exlab_sync_tui.cli.reading import read
from exlab_sync_tui.engine.cockpit.view import CLEANUP_NOTE
from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.headless.summary import summary_data, summary_lines
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.headless.words import mood_of
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import Glance, glance
from exlab_sync_tui.operate.listing import as_data, listed
from exlab_sync_tui.operate.state_folder import engine_runs
from exlab_sync_tui.text import ago, safe_text, size

if TYPE_CHECKING:
    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.operate.listing import ListedRun
    from exlab_sync_tui.queue.store import JobStore

_WORDS = [word.value for word in (*SyncJobState, *HoldKind)]


class WordOrFolder(click.ParamType[str | Path]):
    """A state to look for; anything with a slash in it is the state folder, as with every other verb."""

    name = "state"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """The word, or the folder as a ``Path``."""
        is_folder = "/" in value or os.sep in value
        if value not in _WORDS and not is_folder:
            self.fail(f"{value!r} is neither a state nor a hold; choose one of {', '.join(_WORDS)}.", param, ctx)
        return Path(value) if is_folder else value


@click.command(
    epilog="\b\nExamples:\n  exlab-sync status\n  exlab-sync status --json | jq .total.failed",
)
@json_option
@place_options
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Is my data safe? One sentence, counts per instrument, and every reason why something waits."""
    place = place_of(context)
    seen, reason, cleanup = _glance(place)
    running = engine_runs(place.state_folder)
    if as_json:
        put_json({**summary_data(seen), "engine_running": running, "note": reason, "cleanup": cleanup})
        return
    put_lines([reason] if reason else summary_lines(seen, look(), width=width()))
    put_lines([safe_text(cleanup)] if cleanup else [])
    put(_ENGINE[running])


_ENGINE = {
    True: "An engine is running.",
    False: "No engine is running, so nothing moves; `exlab-sync run` starts one.",
    None: "Whether an engine is running cannot be seen from this account.",
}


def _glance(place: Place) -> tuple[Glance, str, str]:
    """The store at a glance, or the sentence that says that there is none; and what becomes of local copies."""

    async def question(store: JobStore) -> tuple[Glance, str]:
        return await glance(store), await store.noted(CLEANUP_NOTE) or ""

    try:
        seen, cleanup = read(place, question)
    except NotFoundError as error:
        return Glance(), str(error), ""
    return seen, "", cleanup


@click.command(
    name="list",
    epilog="\b\nExamples:\n  exlab-sync list --state failed\n  exlab-sync list --equipment CONFOCAL_01 --limit 0",
)
@click.option(
    "--state",
    "words",
    multiple=True,
    type=WordOrFolder(),
    metavar="STATE",
    help=f"Only runs in this state or with this kind of hold: {', '.join(_WORDS)}. A path is the state folder.",
)
@click.option(
    "--equipment",
    "equipment_id",
    metavar="ID",
    default="",
    help="Only runs of this instrument.",
    shell_complete=equipment_ids,
)
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0 lists all.")
@json_option
@place_options_but_state
@click.pass_context
def list_runs(
    context: click.Context, words: tuple[str | Path, ...], equipment_id: str, limit: int, *, as_json: bool
) -> None:
    """Which runs are known? Oldest first, with the state of each."""
    for folder in words:
        if isinstance(folder, Path):
            remember_state(context, folder)
    wanted = frozenset(word for word in words if isinstance(word, str))

    async def question(store: JobStore) -> list[ListedRun]:
        return await listed(store, words=wanted, equipment_id=equipment_id, limit=limit + 1 if limit else 0)

    try:
        runs = read(place_of(context), question)
    except NotFoundError as error:
        put_json([]) if as_json else put(str(error))
        return
    shown = runs[:limit] if limit else runs
    if as_json:
        put_json([as_data(run) for run in shown])
        return
    _put_runs(shown)
    if len(runs) > len(shown):
        put(f"There are more than {limit:,}; --limit 0 lists all.")


def _put_runs(runs: list[ListedRun]) -> None:
    if not runs:
        put("No run is known that fits.")
        return
    shown, now = look(), SystemClock().now()
    columns = (
        Column("state"),
        Column("instrument"),
        Column("run", shrinks=True),
        Column("files", right=True),
        Column("size", right=True),
        Column("since"),
    )
    rows = [
        (
            f"{shown.glyph(mood_of(run.word))} {run.word.replace('_', ' ')}",
            run.equipment_id,
            run.name,
            f"{run.files:,}" if run.files else "-",
            size(run.size) if run.files else "-",
            ago(run.since, now) if run.since else "-",
        )
        for run in runs
    ]
    put(table(columns, rows, width=width(), ellipsis=shown.ellipsis))
