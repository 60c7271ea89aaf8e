"""What can be asked of single runs? ``enqueue``, ``retry`` and ``verify``; none of them moves a run by itself."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.errors import say
from exlab_sync_tui.cli.output import look, marked, put
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.errors import ExlabSyncError, NotFoundError, StoreError, TransportErrorKind
from exlab_sync_tui.gate.advice import advice
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.words import BAD, GOOD, NOTE, WAIT
from exlab_sync_tui.model.job import SyncHandleState, SyncJobState
from exlab_sync_tui.operate.glance import SAFE_STATES, most_serious
from exlab_sync_tui.operate.runs import all_jobs, find_run
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import count, safe_text, size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.engine.client import NASSyncClient
    from exlab_sync_tui.model.finding import Finding
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.verdict import VerifyResult

_BLOCKED, _MISMATCH, _WAITING, _FAILURE = 11, 10, 5, 1
_LISTED = 20
_FINDINGS = 10
_ONE = "\b\nRUN is a path, or a part of a run's name or job id that only one run has.\n\n"


@click.command(epilog="\b\nExample:\n  exlab-sync enqueue /data/lab/CONFOCAL_01/Kelp/Runs/Run_2025-03-03T09-12")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@place_options
@click.pass_context
def enqueue(context: click.Context, paths: tuple[str, ...]) -> None:
    """Queue runs now, whatever their finished-signal says. The gate is asked; nothing is sent by this verb."""
    act(context, paths, _enqueue)


@click.command(epilog=f"{_ONE}\b\nExamples:\n  exlab-sync retry Run_2025-03-03T09-12\n  exlab-sync retry --all-failed")
@click.argument("runs", nargs=-1, metavar="[RUN...]")
@click.option("--all-failed", is_flag=True, help="Every run that has failed.")
@place_options
@click.pass_context
def retry(context: click.Context, runs: tuple[str, ...], *, all_failed: bool) -> None:
    """Queue failed runs again; a verified run is verified once more. Nothing is sent by this verb."""
    if bool(runs) == all_failed:
        raise click.UsageError("Name the runs, or say --all-failed.")
    if all_failed:
        _retry_all(context)
    else:
        act(context, runs, _retry_named)


@click.command(epilog=f"{_ONE}\b\nExample:\n  exlab-sync verify Run_2025-03-03T09-12")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@place_options
@click.pass_context
def verify(context: click.Context, runs: tuple[str, ...]) -> None:
    """Compare local files, manifest and destination now, byte by byte. Nothing is written and no state changes."""
    act(context, runs, _verify)


def act(context: click.Context, names: Sequence[str], step: Callable[[NASSyncClient, str], Awaitable[int]]) -> None:
    """Start an engine that moves nothing, take *step* for each name, stop it; the most serious exit code counts.

    A name that fails says so and does not keep the others from their turn.
    """

    async def steps(client: NASSyncClient) -> set[int]:
        codes = set()
        for name in names:
            try:
                codes.add(await step(client, name))
            except StoreError:
                raise
            except ExlabSyncError as error:
                say(error)
                codes.add(error.exit_code)
        return codes

    context.exit(most_serious(_with_engine(place_of(context), steps)))


def _with_engine(place: Place, work: Callable[[NASSyncClient], Awaitable[set[int]]]) -> set[int]:
    settings = place.load().settings

    async def working() -> set[int]:
        async with make_client(settings, place.store_path, operator=place.operator, start_lanes=False) as client:
            return await work(client)

    with logging_to(place.state_folder, settings.logging):
        return asyncio.run(working())


async def _enqueue(client: NASSyncClient, path: str) -> int:
    name, shown = safe_text(path.rstrip(os.sep)), look()
    before = await client.status(Path(path))
    handle = await client.enqueue(Path(path))
    if handle.state is SyncHandleState.BLOCKED:
        put(f"{marked(BAD, 'blocked', shown)}  {name}: {count(len(handle.blocking_findings), 'finding')} of the gate")
        put_findings(handle.blocking_findings)
        return _BLOCKED
    after = await client.status(Path(path))
    if after in SAFE_STATES:
        put(f"{marked(GOOD, after, shown)}  {name}: safe already, and nothing in it has changed since.")
    elif after == SyncJobState.FAILED:
        retry = f"`exlab-sync retry {handle.job_id[:8]}` queues it again"
        put(f"{marked(BAD, after, shown)}  {name}: it failed earlier, and nothing was changed; {retry}.")
    elif after == before:
        put(f"{marked(NOTE, after, shown)}  {name}: it had a job already ({handle.job_id[:8]}), which stays as it is.")
    else:
        put(f"{marked(NOTE, after, shown)}  {name}: job {handle.job_id[:8]}; the next `exlab-sync run` sends it.")
    return 0


def put_findings(findings: Sequence[Finding]) -> None:
    """Each finding with what to do about it."""
    shown = findings[:_FINDINGS]
    for finding, following in zip(shown, [*shown[1:], None], strict=False):
        where = "the run's own path" if finding.offending_path == "." else safe_text(finding.offending_path)
        lifted = ", lifted by an override" if finding.override_active else ""
        put(f"    {finding.rule.value} ({finding.tier.value}{lifted}) at {where}: {safe_text(finding.rule_detail)}")
        is_last = following is None or advice(following) != advice(finding)
        if is_last and not finding.override_active:
            put(f"      {advice(finding)}")
    if len(findings) > _FINDINGS:
        put(f"    and {len(findings) - _FINDINGS:,} more; --json lists all of them")


async def _retry_named(client: NASSyncClient, name: str) -> int:
    return await _retry(client, await _job(client, name))


def _retry_all(context: click.Context) -> None:
    async def every(client: NASSyncClient) -> set[int]:
        failed = [job async for job in all_jobs(client.store, JobFilter(frozenset({SyncJobState.FAILED})))]
        if not failed:
            put("No run has failed, so there is nothing to retry.")
        return {await _retry(client, job) for job in failed}

    context.exit(most_serious(_with_engine(place_of(context), every)))


async def _retry(client: NASSyncClient, job: SyncJobRow) -> int:
    await client.retry(job.id)
    after = await client.store.job(job.id) or job
    name, shown = safe_text(job.run_path), look()
    if after.state is SyncJobState.FAILED:
        put(f"{marked(BAD, 'failed', shown)}  {name}: {safe_text(after.last_error or '')}")
        return _MISMATCH
    if after.state in SAFE_STATES:
        passes = count(after.verify_passes, "pass", "passes")
        rest = "" if after.verify_passes > job.verify_passes else "; the last pass is too recent for this one to count"
        put(f"{marked(GOOD, 'verified', shown)}  {name}: both sides still agree, {passes}{rest}.")
    else:
        put(f"{marked(NOTE, 'queued', shown)}  {name}: queued again; the next `exlab-sync run` sends it.")
    return 0


async def _verify(client: NASSyncClient, name: str) -> int:
    job = await _job(client, name)
    return put_verdict(job, await client.force_verify(Path(job.run_path)))


def put_verdict(job: SyncJobRow, result: VerifyResult) -> int:
    """Print what a comparison found; its exit code."""
    name, shown = safe_text(job.run_path), look()
    if result.error_kind is not None:
        reason = result.error_kind.value.replace("_", " ")
        put(f"{marked(WAIT, 'unknown', shown)}  {name}: it could not be compared now ({reason}); nothing was changed.")
        return _WAITING if result.error_kind is TransportErrorKind.NETWORK else _FAILURE
    if result.ok:
        how = f": {result.evidence.sentence} ({result.evidence.value})" if result.evidence else ""
        what = f"{count(result.files, 'file')}, {size(result.size)} agree"
        put(f"{marked(GOOD, 'verified', shown)}  {name}: {what}{how}.")
        return 0
    differing = len(result.mismatched) + len(result.missing) + len(result.extra)
    put(f"{marked(BAD, 'mismatch', shown)}  {name}: {count(differing, 'file')} of {result.files:,} not as recorded")
    for word, rels in (("differs", result.mismatched), ("missing", result.missing), ("extra", result.extra)):
        for rel in rels[:_LISTED]:
            put(f"    {word}: {safe_text(rel)}")
        if len(rels) > _LISTED:
            put(f"    {word}: and {len(rels) - _LISTED:,} more")
    return _MISMATCH


async def _job(client: NASSyncClient, name: str) -> SyncJobRow:
    run = await find_run(client.store, name)
    if run.job is None:
        raise NotFoundError(
            f"{safe_text(run.name)} has no job yet; `exlab-sync why {safe_text(run.name)}` says what it is waiting for."
        )
    return run.job
