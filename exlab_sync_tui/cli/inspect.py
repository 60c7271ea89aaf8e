"""What is known of one run, and why is it not safe yet? ``show`` and ``why``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.completion import run_names
from exlab_sync_tui.cli.output import json_option, put, put_json
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.cli.reading import granted_to, read
from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.operate import why as reasons
from exlab_sync_tui.operate.on_disk import why_on_disk
from exlab_sync_tui.operate.runs import find_run
from exlab_sync_tui.operate.state_folder import engine_runs
from exlab_sync_tui.operate.story import as_data, story
from exlab_sync_tui.operate.why import Surroundings
from exlab_sync_tui.operate.wiring import far_roots
from exlab_sync_tui.text import count, safe_text, size, utc

if TYPE_CHECKING:
    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.operate.story import Story
    from exlab_sync_tui.queue.store import HistoryEntry, JobStore

_RECENT = 20
_RUN = "RUN is a path, or a part of a run's name or job id that only one run has."


@click.command(epilog=f"\b\n{_RUN}\n\nExample:\n  exlab-sync show Run_2025-03-03T09-12")
@click.argument("run", shell_complete=run_names)
@json_option
@place_options
@click.pass_context
def show(context: click.Context, run: str, *, as_json: bool) -> None:
    """Everything that is known of one run: state, evidence, holds, history."""
    place = place_of(context)
    around = _surroundings(place)

    async def question(store: JobStore) -> Story:
        return await story(store, await find_run(store, run), around)

    told = read(place, question)
    if as_json:
        put_json(as_data(told))
    else:
        _put_story(told)


@click.command(
    epilog=f"\b\n{_RUN}\nA folder that was never queued is looked at on the disk.\n\nExample:\n"
    "  exlab-sync why /data/lab/CONFOCAL_01/Kelp/Runs/Run_2025-03-03T09-12"
)
@click.argument("run", shell_complete=run_names)
@json_option
@place_options
@click.pass_context
def why(context: click.Context, run: str, *, as_json: bool) -> None:
    """Why is this run not safe yet, and what happens next? For a safe run: how it is proven."""
    place = place_of(context)
    around = _surroundings(place)
    try:
        sentence = _why_known(place, run, around)
    except NotFoundError:
        if not Path(run).is_dir():
            raise
        sentence = _why_on_disk(place, Path(run), around)
    put_json({"run": run, "why": sentence}) if as_json else put(sentence)


def _surroundings(place: Place) -> Surroundings:
    """The moment, whether an engine runs, and where the runs lie on the far side."""
    settings = place.settings_if_any()
    roots = far_roots(settings) if settings is not None else {}
    return Surroundings(SystemClock().now(), engine_runs(place.state_folder), roots)


def _why_known(place: Place, run: str, around: Surroundings) -> str:
    async def question(store: JobStore) -> str:
        return await reasons.why(store, await find_run(store, run), around)

    return read(place, question)


def _why_on_disk(place: Place, path: Path, around: Surroundings) -> str:
    settings = place.load().settings
    return why_on_disk(path, settings, now=around.now, granted=lambda run: granted_to(place, run))


def _put_story(told: Story) -> None:
    put(safe_text(told.why))
    put()
    for name, value in _facts(told):
        if value:
            put(f"{name:<12} {value}")
    if told.history:
        recent = told.history[-_RECENT:]
        earlier = len(told.history) - len(recent)
        put()
        put(
            f"History (UTC){f', the last {_RECENT} of {len(told.history):,} lines; --json has all' if earlier else ''}:"
        )
        for line in recent:
            put(f"  {utc(line.at)}  {safe_text(line.who)}: {safe_text(line.what)}{_step(line)}")


def _step(line: HistoryEntry) -> str:
    if not line.after or line.after == line.before:
        return ""
    return f" [{line.before} > {line.after}]" if line.before else f" [{line.after}]"


def _facts(told: Story) -> list[tuple[str, str]]:
    job, totals, hold = told.run.job, told.totals, told.run.hold
    facts = [("run", safe_text(told.run.run_path)), ("instrument", told.run.equipment_id)]
    if job is not None:
        evidence = f"{job.evidence.value}: {job.evidence.sentence}" if job.evidence else ""
        proven = f", {totals.proven_files:,} of them proven" if totals.files else ""
        facts += [
            ("job", job.id),
            ("state", job.state.value.replace("_", " ")),
            ("destination", told.far_path),
            ("files", f"{count(totals.files, 'file')}, {size(totals.size)}{proven}" if totals.files else ""),
            ("attempts", str(job.attempts) if job.attempts else ""),
            ("last error", safe_text(job.last_error or "")),
            (
                "verified",
                f"{utc(job.verified_at)}, {count(job.verify_passes, 'pass', 'passes')}" if job.verified_at else "",
            ),
            ("evidence", evidence),
            ("manifest", f"SHA-256 {job.manifest_sha256}" if job.manifest_sha256 else ""),
        ]
    if hold is not None:
        facts.append(
            ("hold", f"{hold.kind.value.replace('_', ' ')} since {utc(hold.since)}: {safe_text(hold.sentence)}")
        )
        facts.append(("next", safe_text(hold.next_step)))
    facts += [
        ("owed", f"{debt.kind.value.replace('_', ' ')}: {safe_text(debt.last_error or 'not written yet')}")
        for debt in told.debts
    ]
    return facts
