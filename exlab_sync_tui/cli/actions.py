"""What can be asked of single runs and instruments? ``enqueue``, ``retry``, ``verify``, ``pause`` and ``resume``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.completion import equipment_ids, run_names
from exlab_sync_tui.cli.findings import put_advice
from exlab_sync_tui.cli.helm import Helm, each, steer
from exlab_sync_tui.cli.output import put
from exlab_sync_tui.cli.place import place_options
from exlab_sync_tui.engine.cockpit.view import Verb
from exlab_sync_tui.engine.grants import recorded_here
from exlab_sync_tui.errors import ExlabSyncError, NotFoundError
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import BLOCKED
from exlab_sync_tui.operate.runs import all_jobs, find_run
from exlab_sync_tui.operate.wiring import equipment_folders, gate_options
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.model.job import SyncJobRow

_ONE = "\b\nRUN is a path, or a part of a run's name or job id that only one run has.\n\n"
_NOTHING_MOVES = "No engine is running, so nothing moves yet; `exlab-sync run` sends what is queued."


@click.command(epilog="\b\nExample:\n  exlab-sync enqueue /data/lab/CONFOCAL_01/Kelp/Runs/Run_2025-03-03T09-12")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@place_options
@click.pass_context
def enqueue(context: click.Context, paths: tuple[str, ...]) -> None:
    """Queue runs now, whatever their finished-signal says. The gate is asked first."""

    async def work(helm: Helm) -> Sequence[int]:
        return await _moving_on(helm, await each(paths, lambda path: _enqueue(helm, os.path.abspath(path))))  # noqa: PTH100  # as typed: the engine resolves links

    steer(context, work)


@click.command(epilog=f"{_ONE}\b\nExamples:\n  exlab-sync retry Run_2025-03-03T09-12\n  exlab-sync retry --all-failed")
@click.argument("runs", nargs=-1, metavar="[RUN...]", shell_complete=run_names)
@click.option("--all-failed", is_flag=True, help="Every run that has failed.")
@place_options
@click.pass_context
def retry(context: click.Context, runs: tuple[str, ...], *, all_failed: bool) -> None:
    """Queue failed runs again; a verified run is verified once more."""
    if bool(runs) == all_failed:
        raise click.UsageError("Name the runs, or say --all-failed.")

    async def work(helm: Helm) -> Sequence[int]:
        names = await _failed(helm) if all_failed else runs
        if not names:
            put("No run has failed, so there is nothing to retry.")
        return await _moving_on(helm, await each(names, lambda name: _ask(helm, Verb.RETRY, name)))

    steer(context, work)


@click.command(epilog=f"{_ONE}\b\nExample:\n  exlab-sync verify Run_2025-03-03T09-12")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=run_names)
@place_options
@click.pass_context
def verify(context: click.Context, runs: tuple[str, ...]) -> None:
    """Compare local files, manifest and destination now, byte by byte. Nothing is written and no state changes."""
    steer(context, lambda helm: each(runs, lambda name: _ask(helm, Verb.VERIFY, name)))


@click.command(epilog="\b\nExample:\n  exlab-sync pause CONFOCAL_01")
@click.argument("instruments", nargs=-1, required=True, metavar="EQUIPMENT...", shell_complete=equipment_ids)
@place_options
@click.pass_context
def pause(context: click.Context, instruments: tuple[str, ...]) -> None:
    """Let nothing of an instrument be sent until `resume`. Its runs are still taken, and wait."""
    steer(context, lambda helm: each(instruments, lambda name: _steer(helm, Verb.PAUSE, name)))


@click.command(epilog="\b\nExample:\n  exlab-sync resume CONFOCAL_01")
@click.argument("instruments", nargs=-1, required=True, metavar="EQUIPMENT...", shell_complete=equipment_ids)
@place_options
@click.pass_context
def resume(context: click.Context, instruments: tuple[str, ...]) -> None:
    """Let a paused instrument go on."""

    async def work(helm: Helm) -> Sequence[int]:
        return await _moving_on(helm, await each(instruments, lambda name: _steer(helm, Verb.RESUME, name)))

    steer(context, work)


async def _steer(helm: Helm, verb: Verb, target: str) -> int:
    return (await helm.order(verb, target)).exit_code


async def _ask(helm: Helm, verb: Verb, name: str) -> int:
    return await _steer(helm, verb, (await known_job(helm, name)).id)


async def _enqueue(helm: Helm, path: str) -> int:
    outcome = await helm.order(Verb.ENQUEUE, path)
    if outcome.exit_code == BLOCKED:
        await _put_ways_out(path, helm)
    return outcome.exit_code


async def _put_ways_out(path: str, helm: Helm) -> None:
    """What to do about each finding; the gate is asked once more, because an outcome is one sentence."""
    try:
        run = locate(Path(path), equipment_folders(helm.settings))
        granted = await recorded_here(helm.store, run)
        verdict = Validator(gate_options(helm.settings)).judge(run, at=SystemClock().now(), granted=granted)
    except (ExlabSyncError, OSError):  # it has changed since; the outcome was said
        return
    put_advice(verdict.blocking)


async def _moving_on(helm: Helm, codes: Sequence[int]) -> Sequence[int]:
    """Say it, if what is queued needs an engine first."""
    if helm.alone and 0 in codes and await helm.store.jobs(JobFilter(frozenset({SyncJobState.QUEUED})), limit=1):
        put(_NOTHING_MOVES)
    return codes


async def _failed(helm: Helm) -> list[str]:
    return [job.id async for job in all_jobs(helm.store, JobFilter(frozenset({SyncJobState.FAILED})))]


async def known_job(helm: Helm, name: str) -> SyncJobRow:
    """The job that a word of the command line names. Raises ``NotFoundError``, ``UsageError``."""
    job = await helm.store.job(name)
    if job is not None:
        return job
    run = await find_run(helm.store, name)
    if run.job is None:
        raise NotFoundError(
            f"{safe_text(run.name)} has no job yet; `exlab-sync why {safe_text(run.name)}` says what it is waiting for."
        )
    return run.job
