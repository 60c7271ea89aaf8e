"""Which destinations are there, and may they be written to? ``destination adopt``, ``move`` and ``show``."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.completion import equipment_ids
from exlab_sync_tui.cli.output import json_option, look, marked, put, put_json, width
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.engine import destinations
from exlab_sync_tui.errors import NotFoundError, UsageError
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.headless.words import BAD, GOOD
from exlab_sync_tui.operate.wiring import far_roots
from exlab_sync_tui.text import count, safe_text, size

if TYPE_CHECKING:
    from exlab_sync_tui.engine.destinations import DestinationReport
    from exlab_sync_tui.engine.moving import MoveOutcome

_MISMATCH = 10


@click.group(epilog="\b\nExample:\n  exlab-sync destination show")
@place_options
def destination() -> None:
    """The places that runs go to: adopt one as the right one, move to another, or see how they are."""


@destination.command(epilog="\b\nExample:\n  exlab-sync destination adopt CONFOCAL_01")
@click.argument("equipment_id", metavar="EQUIPMENT", shell_complete=equipment_ids)
@click.option("--local", is_flag=True, help="Accept a folder that is not a mounted share.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@place_options
@click.pass_context
def adopt(context: click.Context, equipment_id: str, *, local: bool, yes: bool) -> None:
    """Mark an instrument's destination as the right one. Without the marker nothing is ever written there."""
    place = place_of(context)
    settings = place.load().settings
    where = safe_text(far_roots(settings).get(equipment_id, ""))
    if where and not yes:
        _ask(equipment_id, where)
    outcome = asyncio.run(destinations.adopt(settings, equipment_id, local=local, store_path=place.store_path))
    marker = "its marker was written" if outcome.created else "its marker was there already"
    put(f"{equipment_id} goes to {safe_text(outcome.title)} now; {marker} (id {outcome.identity_id}).")


def _ask(equipment_id: str, where: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("Nobody can be asked here; say --yes to adopt the destination.")
    click.confirm(f"Is {where} the right place for the runs of {equipment_id}?", abort=True)


@destination.command(
    epilog="\b\nExample, once the configuration names the new place:\n"
    "  exlab-sync destination move CONFOCAL_01 --dry-run\n  exlab-sync destination move CONFOCAL_01"
)
@click.argument("equipment_id", metavar="EQUIPMENT", shell_complete=equipment_ids)
@click.option("--local", is_flag=True, help="Accept a folder that is not a mounted share.")
@click.option("--dry-run", is_flag=True, help="Look what is there; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@place_options
@click.pass_context
def move(context: click.Context, equipment_id: str, *, local: bool, dry_run: bool, yes: bool) -> None:
    """Accept a NAS with a new address, or a new box. Receipt and manifest of every run are looked for there first.

    Passes of verification count from zero again, so nothing is released here before it has been proved there. Exit code
    10 if runs are missing there.
    """
    from exlab_sync_tui.engine.moving import move as moved

    place = place_of(context)
    settings = place.load().settings
    where = safe_text(far_roots(settings).get(equipment_id, ""))
    if where and not yes and not dry_run:
        _ask(equipment_id, where)
    outcome = asyncio.run(
        moved(settings, equipment_id, store_path=place.store_path, who=place.who, local=local, dry_run=dry_run)
    )
    _put_move(outcome, equipment_id, dry_run=dry_run)
    context.exit(_MISMATCH if outcome.missing else 0)


def _put_move(outcome: MoveOutcome, equipment_id: str, *, dry_run: bool) -> None:
    shown, goes = look(), "would go" if dry_run else "goes"
    marker = ", with a new marker" if outcome.adopted else ""
    put(f"{equipment_id} {goes} to {safe_text(outcome.title)} now{marker} (id {outcome.identity_id}).")
    if outcome.found:
        proved = "they are proved there again before anything is released here"
        put(f"{marked(GOOD, '', shown)}{count(outcome.found, 'run')} found there; {proved}.")
    if outcome.missing:
        put(f"{marked(BAD, '', shown)}{count(outcome.missing, 'run')} not there as they were proved:")
        for run_path, why in outcome.absent:
            put(f"    {safe_text(run_path.rpartition('/')[2])}: {why}")
        if outcome.missing > len(outcome.absent):
            put(f"    and {outcome.missing - len(outcome.absent):,} more")
        put("  They stay known as lying on the old destination; copy them to the new one and move again.")
    if not (outcome.found or outcome.missing):
        put("No run had been delivered before.")


@destination.command(name="show", epilog="\b\nExample:\n  exlab-sync destination show CONFOCAL_01 --json")
@click.argument("equipment_id", required=False, metavar="[EQUIPMENT]", shell_complete=equipment_ids)
@json_option
@place_options
@click.pass_context
def show_destinations(context: click.Context, equipment_id: str | None, *, as_json: bool) -> None:
    """How are the destinations? Asks each once: its marker and its free space. Exit code 5 if one has a problem."""
    settings = place_of(context).load().settings
    if equipment_id is not None:
        chosen = tuple(item for item in settings.equipment if item.id == equipment_id)
        if not chosen:
            known = ", ".join(item.id for item in settings.equipment) or "none"
            raise NotFoundError(
                f"There is no instrument {safe_text(equipment_id)} in the configuration; it has: {known}."
            )
        settings = settings.model_copy(update={"equipment": chosen})
    reports = asyncio.run(destinations.show(settings))
    if as_json:
        put_json([asdict(report) for report in reports])
    else:
        _put_reports(reports)
    context.exit(5 if any(report.problem for report in reports) else 0)


def _put_reports(reports: list[DestinationReport]) -> None:
    shown = look()
    columns = (Column("instrument"), Column("destination", shrinks=True), Column("free", right=True), Column("id"))
    rows = [(report.equipment_id, report.title, _free(report), (report.identity_id or "-")[:8]) for report in reports]
    put(table(columns, rows, width=width(), ellipsis=shown.ellipsis))
    for report in reports:
        if report.problem:
            put(f"{marked(BAD, 'problem', shown)}  {report.equipment_id}: {safe_text(report.problem)}")
        elif report.manner:
            put(f"{report.equipment_id}: {safe_text(report.manner)}.")
    if reports and not any(report.problem for report in reports):
        put(f"{marked(GOOD, 'ready', shown)}  every destination answers and is adopted.")


def _free(report: DestinationReport) -> str:
    if report.free_bytes is None:
        return "-"
    of = f" of {size(report.total_bytes)}" if report.total_bytes is not None else ""
    return size(report.free_bytes) + of
