"""What is known of the selected run? Its facts, its proof and its story, read once per look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.operate.runs import KnownRun
from exlab_sync_tui.operate.story import Story, story
from exlab_sync_tui.operate.why import Surroundings
from exlab_sync_tui.text import count, safe_text, size
from exlab_sync_tui.tui.moments import exactly, when

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import HistoryEntry, JobStore

_LINES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Detail:
    """One run, ready to show: every text is safe. ``facts`` are label and value, ``lines`` moment and sentence."""

    run_path: str
    name: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]


async def detail_of(
    store: JobStore, run_path: str, *, now: datetime, engine: bool, far_roots: Mapping[str, str]
) -> Detail | None:
    """Collect it; ``None`` for a run that the store does not know. Raises ``StoreError``."""
    job, hold = await store.job_of(run_path), await store.hold(HoldScope.RUN, run_path)
    owner = job or hold
    if owner is None:
        return None
    run = KnownRun(run_path, owner.equipment_id, job, hold)
    told = await story(store, run, Surroundings(now, engine, far_roots))
    lines = [(when(line.at, now), _line(line)) for line in reversed(told.history[-_LINES_SHOWN:])]
    return Detail(run_path, safe_text(run.name), told.why, tuple(_facts(told)), tuple(lines))


def _facts(told: Story) -> list[tuple[str, str]]:
    run, job = told.run, told.run.job
    facts = [("Instrument", safe_text(run.equipment_id)), ("Here", safe_text(run.run_path))]
    if told.far_path:
        facts.append(("There", told.far_path))
    if job is not None:
        facts += _job_facts(job, told)
    if run.hold is not None:
        facts.append(("Held since", f"{exactly(run.hold.since)} ({run.hold.kind.value.replace('_', ' ')})"))
    facts += [("Owed", f"{debt.kind.value.replace('_', ' ')}: {safe_text(debt.value)}") for debt in told.debts]
    return facts


def _job_facts(job: SyncJobRow, told: Story) -> list[tuple[str, str]]:
    facts = []
    if job.files_total or told.totals.files:
        files, amount = max(job.files_total, told.totals.files), max(job.bytes_total, told.totals.size)
        proven = f"; {told.totals.proven_files:,} proven" if told.totals.files else ""
        facts.append(("Size", f"{count(files, 'file')}, {size(amount)}{proven}"))
    if job.evidence is not None:
        facts.append(("Proof", job.evidence.sentence))
    if job.verified_at is not None:
        passes = f", {count(job.verify_passes, 'pass', 'passes')}" if job.verify_passes else ""
        facts.append(("Verified", exactly(job.verified_at) + passes))
    if job.attempts:
        facts.append(("Attempts", f"{job.attempts:,}"))
    facts.append(("Job", safe_text(job.id)))
    return facts


def _line(line: HistoryEntry) -> str:
    step = line.after.replace("_", " ")
    what = safe_text(line.what)
    arrived = f" ({step})" if step and step not in what else ""
    who = f", {safe_text(line.who)}" if line.who not in {"", "engine", "monitor"} else ""
    return f"{what}{arrived}{who}"
