"""What does the gate think of a run? ``check`` asks it alone, without engine and store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.errors import say
from exlab_sync_tui.cli.findings import put_findings
from exlab_sync_tui.cli.output import json_option, look, marked, put, put_json
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.cli.reading import granted_to
from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.gate.advice import advice
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.headless.words import BAD, GOOD, WAIT
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.operate.glance import most_serious
from exlab_sync_tui.operate.wiring import equipment_folders, gate_options
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.gate.validator import Verdict
    from exlab_sync_tui.model.finding import Finding
    from exlab_sync_tui.settings import Settings

_BLOCKED = 11


@click.command(epilog="\b\nExample:\n  exlab-sync check /data/lab/CONFOCAL_01/Kelp/Runs/*")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@json_option
@place_options
@click.pass_context
def check(context: click.Context, paths: tuple[str, ...], *, as_json: bool) -> None:
    """May these runs leave? Asks the gate alone; nothing is queued or changed. Exit code 11 if one is blocked."""
    place = place_of(context)
    settings = place.load().settings
    codes, data = set(), []
    for path in paths:
        try:
            verdict = _judge(path, settings, place)
        except ExlabSyncError as error:
            say(error)
            codes.add(error.exit_code)
            continue
        codes.add(_BLOCKED if _keeps_here(verdict) else 0)
        if as_json:
            data.append(_as_data(path, verdict))
        else:
            _put_verdict(path, verdict)
    if as_json:
        put_json(list(data))
    context.exit(most_serious(codes))


def _judge(path: str, settings: Settings, place: Place) -> Verdict:
    run = locate(Path(path), equipment_folders(settings))
    granted = granted_to(place, run)
    try:
        return Validator(gate_options(settings)).judge(run, at=SystemClock().now(), granted=granted)
    except OSError as error:
        where = safe_text(error.filename or path)
        raise ExlabSyncError(f"{where} cannot be read: {error.strerror}; the gate needs to see every name.") from error


def _keeps_here(verdict: Verdict) -> bool:
    """Whether a run is blocked; what has left already is not (``FORMATS.md`` §5)."""
    return any(not finding.synced_under_prior_policy for finding in verdict.blocking)


def _put_verdict(path: str, verdict: Verdict) -> None:
    name, shown = safe_text(path), look()
    findings = count(len(verdict.findings), "finding")
    if verdict.blocking and not _keeps_here(verdict):
        put(f"{marked(WAIT, 'has left', shown)}  {name}: {findings} by today's rules, which change nothing about it")
    elif verdict.blocking:
        put(f"{marked(BAD, 'blocked', shown)}  {name}: {findings}, {len(verdict.blocking):,} of them blocking")
    elif verdict.findings:
        put(f"{marked(WAIT, 'may leave', shown)}  {name}: {findings}, none of them blocking")
    else:
        put(f"{marked(GOOD, 'may leave', shown)}  {name}: the gate has nothing against it")
    put_findings(verdict.findings)


def _as_data(path: str, verdict: Verdict) -> dict[str, object]:
    return {
        "run": path,
        "blocked": _keeps_here(verdict),
        "findings": [finding_data(finding) for finding in verdict.findings],
    }


def finding_data(finding: Finding) -> dict[str, object]:
    """A finding with what to do about it, for programs."""
    return {**asdict(finding), "blocks": finding.blocks, "advice": advice(finding)}
