"""What is known of the selected run? Its facts, its proof and its story, read once per look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.operate.runs import KnownRun
from exlab_sync_tui.operate.why import Surroundings, why
from exlab_sync_tui.text import count, safe_text, size
from exlab_sync_tui.tui.moments import exactly, when

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.model.entry import FileTotals
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import HistoryEntry, JobStore
    from exlab_sync_tui.tui.files import FileReader

_LINES_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a run's story. ``step`` is the state that it led to, empty if none; safe to show."""

    moment: str
    sentence: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """One run, ready to show: every text is safe. ``facts`` are label and value, ``until`` the next look or attempt.

    ``more``: there are older lines that are not among ``lines``.
    """

    run_path: str
    name: str
    equipment_id: str
    project: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    until: datetime | None = None
    more: bool = False
    files: int = 0
    far_path: str = ""


async def detail_of(
    store: JobStore,
    reader: FileReader,
    run_path: str,
    *,
    now: datetime,
    engine: bool,
    far_roots: Mapping[str, str],
) -> Detail | None:
    """Collect it; ``None`` for a run that the store does not know. Raises ``StoreError``."""
    job, hold = await store.job_of(run_path), await store.hold(HoldScope.RUN, run_path)
    owner = job or hold
    if owner is None:
        return None
    run = KnownRun(run_path, owner.equipment_id, job, hold)
    around = Surroundings(now, engine, far_roots)
    totals = await reader.totals(job) if job is not None else None
    history = await store.history(run_path, limit=_LINES_SHOWN, newest_first=True)
    debts = await store.debts(run_path)
    far_path = around.far_path(job) if job is not None and job.nas_path else ""
    facts = [("Instrument", safe_text(run.equipment_id)), ("Here", safe_text(run_path))]
    facts += [("There", far_path)] if far_path else []
    facts += _job_facts(job, totals) if job is not None and totals is not None else []
    if hold is not None:
        facts.append(("Held since", f"{exactly(hold.since)} ({hold.kind.value.replace('_', ' ')})"))
    facts += [("Owed", f"{debt.kind.value.replace('_', ' ')}: {safe_text(debt.value)}") for debt in debts]
    return Detail(
        run_path,
        safe_text(run.name),
        safe_text(run.equipment_id),
        project_of(run_path, run.equipment_id),
        await why(store, run, around),
        tuple(facts),
        tuple(_line(line, now) for line in history),
        until=await _until(store, run, around),
        more=len(history) == _LINES_SHOWN,
        files=totals.files if totals is not None else 0,
        far_path=far_path,
    )


def project_of(run_path: str, equipment_id: str) -> str:
    """The folder below the instrument's, where a run has one; safe to show."""
    _, found, below = run_path.rpartition(f"/{equipment_id}/")
    parts = below.split("/") if found else []
    return safe_text(parts[0]) if len(parts) > 1 else ""


async def _until(store: JobStore, run: KnownRun, around: Surroundings) -> datetime | None:
    """When something happens next by itself, if that is known."""
    moments = [run.hold.until if run.hold else None, run.job.next_attempt_at if run.job else None]
    if run.job is not None and run.job.held:
        root = around.far_roots.get(run.equipment_id)
        holds = await store.holds(limit=200)
        moments += [
            hold.until
            for hold in holds
            if hold.scope is HoldScope.DESTINATION
            and (hold.equipment_id == run.equipment_id or (root and hold.key.partition(":")[2] == root))
        ]
    return min((moment for moment in moments if moment is not None and moment > around.now), default=None)


def _job_facts(job: SyncJobRow, totals: FileTotals) -> list[tuple[str, str]]:
    facts = []
    if job.files_total or totals.files:
        files, amount = max(job.files_total, totals.files), max(job.bytes_total, totals.size)
        proven = f"; {totals.proven_files:,} proven" if totals.files else ""
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


def _line(line: HistoryEntry, now: datetime) -> Line:
    step = line.after.replace("_", " ")
    what = safe_text(line.what)
    who = f", by {safe_text(line.who)}" if line.who not in {"", "engine", "monitor"} else ""
    return Line(when(line.at, now), f"{what}{who}", "" if step in what else safe_text(step))
