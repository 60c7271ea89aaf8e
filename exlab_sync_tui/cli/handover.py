"""How does data leave for others? ``report`` and ``export-bag``."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.completion import run_names
from exlab_sync_tui.cli.output import json_option, look, marked, put, put_json, width
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.cli.reading import read
from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.headless.words import GOOD, mood_of, spoken
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.operate.report import as_data, delivered, moment_of, write_csv
from exlab_sync_tui.operate.runs import find_run
from exlab_sync_tui.operate.why import Surroundings
from exlab_sync_tui.operate.wiring import far_roots
from exlab_sync_tui.text import count, size, utc

if TYPE_CHECKING:
    from exlab_sync_tui.operate.report import Delivered
    from exlab_sync_tui.operate.runs import KnownRun
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings


@click.command(
    epilog="\b\nExamples:\n  exlab-sync report --since 7d\n  exlab-sync report --since 2025-03-01 --csv > march.csv\n"
    "  exlab-sync report --json | jq 'map(.bytes) | add'"
)
@click.option("--since", metavar="WHEN", default="", help="From then on: 2025-03-01, an instant, 36h, 7d or 4w.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
@json_option
@place_options
@click.pass_context
def report(context: click.Context, since: str, *, as_csv: bool, as_json: bool) -> None:
    """What reached the NAS: when, how it is proven, and who let which finding pass."""
    if as_csv and as_json:
        raise click.UsageError("Say --csv or --json, not both.")
    place, now = place_of(context), SystemClock().now()
    start = moment_of(since, now) if since else None
    settings = place.settings_if_any()
    around = Surroundings(now, far_roots=far_roots(settings) if settings else {})

    async def question(store: JobStore) -> list[Delivered]:
        return [row async for row in delivered(store, place.state_folder / "records", around, since=start)]

    try:
        rows = read(place, question)
    except NotFoundError:
        rows = []
    if as_json:
        put_json([as_data(row) for row in rows])
    elif as_csv:
        text = io.StringIO()
        write_csv(text, rows)
        click.echo(text.getvalue(), nl=False)
    else:
        _put_rows(rows)


def _put_rows(rows: list[Delivered]) -> None:
    if not rows:
        put("No run has reached the NAS in that time.")
        return
    shown = look()
    columns = (
        Column("verified (UTC)"),
        Column("instrument"),
        Column("run", shrinks=True),
        Column("files", right=True),
        Column("size", right=True),
        Column("evidence"),
        Column("state"),
    )
    cells = [
        (
            utc(row.verified_at)[:16].replace("T", " "),
            row.job.equipment_id,
            row.job.run_path.rpartition("/")[2],
            f"{row.job.files_total:,}",
            size(row.job.bytes_total),
            row.job.evidence.value if row.job.evidence else "-",
            f"{shown.glyph(mood_of(row.state))} {spoken(row.state)}",
        )
        for row in rows
    ]
    put(table(columns, cells, width=width(), ellipsis=shown.ellipsis))
    total = f"{count(len(rows), 'run')}, {size(sum(row.job.bytes_total for row in rows))}"
    lifted = sum(1 for row in rows if row.overrides)
    put(f"{total}; {count(lifted, 'run')} with overrides{', --json and --csv name them' if lifted else ''}.")


@click.command(
    name="export-bag",
    epilog="\b\nExample:\n  exlab-sync export-bag Run_2025-03-03T09-12 ~/bags/Run_2025-03-03\n"
    "  bagit.py --validate ~/bags/Run_2025-03-03",
)
@click.argument("run", metavar="RUN", shell_complete=run_names)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@place_options
@click.pass_context
def export_bag(context: click.Context, run: str, folder: Path) -> None:
    """Copy a verified run into a BagIt 1.0 bag at DIR, every file compared with its proven checksum on the way.

    DIR must not exist; it appears whole or not at all.
    """
    from exlab_sync_tui.operate.bag.export import write_bag
    from exlab_sync_tui.operate.bag.source import bag_source

    place = place_of(context)

    async def question(store: JobStore) -> KnownRun:
        return await find_run(store, run)

    known = read(place, question)
    far = _far_folder(place.settings_if_any(), known)
    source = bag_source(known, place.state_folder / "records", far_folder=far)
    bag = write_bag(source, folder.absolute(), at=SystemClock().now())
    put(f"{marked(GOOD, '', look())}{bag.sentence}")


def _far_folder(settings: Settings | None, run: KnownRun) -> Path | None:
    """The run on the destination, if that is a folder of this PC."""
    items = settings.equipment if settings else ()
    item = next((one for one in items if one.id == run.equipment_id), None)
    if item is None or item.transport is None or item.transport.type != "mount" or run.job is None:
        return None
    return item.transport.path / run.job.nas_path if run.job.nas_path else None
