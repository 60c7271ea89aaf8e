"""Who let what pass, and why? ``override add``, ``override revoke`` and ``override list``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exlab_sync_tui.cli.completion import run_names
from exlab_sync_tui.cli.helm import Helm, each, steer
from exlab_sync_tui.cli.output import json_option, look, put, put_json, width
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.cli.reading import granted_to, read
from exlab_sync_tui.engine.cockpit.permits import Permit, Revocation
from exlab_sync_tui.engine.cockpit.view import Verb
from exlab_sync_tui.errors import NotFoundError, OrphanRunError
from exlab_sync_tui.headless.table import Column, table
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.finding import Rule
from exlab_sync_tui.operate.objections import override_rows
from exlab_sync_tui.operate.runs import find_run
from exlab_sync_tui.operate.wiring import equipment_folders
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.text import parse_instant, safe_text, utc
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.queue.store import JobStore

_RUN = "\b\nRUN is a path, or a part of a run's name that only one run has.\n\n"
_RULES = [rule.value for rule in Rule]
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in the record for good.")


class Instant(click.ParamType["datetime"]):
    """A day or a moment to come."""

    name = "when"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment; no zone means UTC, a day means its first second."""
        moment = parse_instant(value)
        if moment is None:
            self.fail(f"{value!r} is no moment; write 2025-04-01 or 2025-04-01T12:00:00Z.", param, ctx)
        if moment <= SystemClock().now():
            self.fail(f"{utc(moment)} has passed already.", param, ctx)
        return moment


@click.group(epilog="\b\nExample:\n  exlab-sync override list Run_2025-03-03T09-12")
@place_options
def override() -> None:
    """Let what the gate objects to pass in one run, by name and with a reason; take it back; see who did."""


@override.command(
    epilog=f"{_RUN}RULE is one of: {', '.join(_RULES)}.\n\n\b\nExample:\n  exlab-sync override add"
    ' Run_2025-03-03T09-12 illegal_filesystem_character --reason "the vendor names it so"'
)
@click.argument("run", shell_complete=run_names)
@click.argument("rule", type=click.Choice(_RULES), metavar="RULE")
@_REASON
@click.option("--expires", type=Instant(), metavar="WHEN", help="Until when, for example 2025-04-01; UTC.")
@place_options
@click.pass_context
def add(context: click.Context, run: str, rule: str, *, reason: str, expires: datetime | None) -> None:
    """Let every finding of a rule pass in this run, and nothing else."""

    async def step(helm: Helm, name: str) -> int:
        wish = Permit(await _path(helm.store, name), rule, reason, expires)
        outcome = await helm.order(Verb.OVERRIDE, wish.as_target())
        if outcome.ok and helm.alone:
            put("No engine is running; the next `exlab-sync run` looks at it again.")
        return outcome.exit_code

    steer(context, lambda helm: each([run], lambda name: step(helm, name)))


@override.command(
    epilog=f"{_RUN}ID is what `exlab-sync override list RUN` shows.\n\n\b\nExample:\n  exlab-sync override revoke"
    ' Run_2025-03-03T09-12 3f2a9c01 --reason "renamed after all"'
)
@click.argument("run", shell_complete=run_names)
@click.argument("override_id", metavar="ID")
@_REASON
@place_options
@click.pass_context
def revoke(context: click.Context, run: str, override_id: str, *, reason: str) -> None:
    """Take an override back. It stays in the record, with who revoked it and why."""

    async def step(helm: Helm, name: str) -> int:
        wish = Revocation(await _path(helm.store, name), override_id, reason)
        return (await helm.order(Verb.REVOKE, wish.as_target())).exit_code

    steer(context, lambda helm: each([run], lambda name: step(helm, name)))


@override.command(name="list", epilog=f"{_RUN}\b\nExample:\n  exlab-sync override list Run_2025-03-03T09-12 --json")
@click.argument("run", shell_complete=run_names)
@json_option
@place_options
@click.pass_context
def list_overrides(context: click.Context, run: str, *, as_json: bool) -> None:
    """Every override of a run, who recorded it and why, and whether it is in force."""
    place = place_of(context)
    found = locate(Path(_known_path(place, run)), equipment_folders(place.load().settings))
    rows = override_rows(_entries(place, found), SystemClock().now())
    if as_json:
        put_json(list(rows))
        return
    if not rows:
        put(f"{safe_text(found.path.name)} has no override.")
        return
    columns = (
        Column("id"),
        Column("rule"),
        Column("state"),
        Column("by"),
        Column("since"),
        Column("reason", shrinks=True),
    )
    cells = [
        (row["id"][:8] or "-", row["rule"], row["state"], row["operator"], row["recorded_at"], row["reason"])
        for row in rows
    ]
    put(table(columns, cells, width=width(), ellipsis=look().ellipsis))


async def _path(store: JobStore, name: str) -> str:
    """The run's path: one that the store knows, else what was typed."""
    try:
        return (await find_run(store, name)).run_path
    except NotFoundError:
        if not os.path.isdir(name):  # noqa: ASYNC240, PTH112  # one look, by a verb that serves nobody else
            raise
        return os.path.abspath(name)  # noqa: ASYNC240, PTH100


def _known_path(place: Place, name: str) -> str:
    async def question(store: JobStore) -> str:
        return await _path(store, name)

    try:
        return read(place, question)
    except NotFoundError:
        if not Path(name).is_dir():
            raise
        return name


def _entries(place: Place, run: RunFolder) -> list[Mapping[str, Any]]:
    """Those of creation.json, then those that the store keeps for a plain run."""
    try:
        creation = read_creation(run.path)
    except OrphanRunError:
        if run.writes_locally:
            raise
        return list(granted_to(place, run))
    return [*creation.validation_overrides, *granted_to(place, run)]
