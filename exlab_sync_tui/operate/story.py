"""What is known of one run? Everything, for ``show``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import FileTotals
from exlab_sync_tui.operate.why import why
from exlab_sync_tui.text import utc

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.operate.runs import KnownRun
    from exlab_sync_tui.operate.why import Surroundings
    from exlab_sync_tui.queue.store import Debt, HistoryEntry, JobStore


@dataclass(frozen=True, slots=True)
class Story:
    """One run with everything that the store has of it; ``far_path`` is safe to show, the rest is not yet."""

    run: KnownRun
    why: str
    far_path: str
    totals: FileTotals
    debts: tuple[Debt, ...]
    history: tuple[HistoryEntry, ...]


async def story(store: JobStore, run: KnownRun, around: Surroundings) -> Story:
    """Collect it."""
    job = run.job
    return Story(
        run=run,
        why=await why(store, run, around),
        far_path=around.far_path(job) if job is not None and job.nas_path else "",
        totals=await store.file_totals(job.id) if job is not None else FileTotals(),
        debts=tuple(await store.debts(run.run_path)),
        history=tuple(await _history(store, run.run_path)),
    )


async def _history(store: JobStore, run_path: str) -> list[HistoryEntry]:
    entries: list[HistoryEntry] = []
    while page := await store.history(run_path, after_seq=entries[-1].seq if entries else 0):
        entries += page
    return entries


def as_data(told: Story) -> dict[str, object]:
    """The same for programs; times are UTC text, sizes bytes."""
    job, totals = told.run.job, told.totals
    data: dict[str, object] = {
        "run_path": told.run.run_path,
        "equipment_id": told.run.equipment_id,
        "why": told.why,
        "hold": _hold(told.run.hold),
        "job": None,
        "files": {
            "total": totals.files,
            "bytes": totals.size,
            "proven": totals.proven_files,
            "proven_bytes": totals.proven_size,
        },
        "debts": [
            {"kind": debt.kind.value, "value": debt.value, "since": utc(debt.since), "last_error": debt.last_error}
            for debt in told.debts
        ],
        "history": [
            {"at": utc(line.at), "who": line.who, "what": line.what, "before": line.before, "after": line.after}
            for line in told.history
        ],
    }
    if job is not None:
        data["job"] = {
            "id": job.id,
            "state": job.state.value,
            "attempts": job.attempts,
            "last_error": job.last_error,
            "verify_passes": job.verify_passes,
            "evidence": job.evidence.value if job.evidence else None,
            "evidence_means": job.evidence.sentence if job.evidence else None,
            "enqueued_at": _moment(job.enqueued_at),
            "started_at": _moment(job.started_at),
            "verified_at": _moment(job.verified_at),
            "next_attempt_at": _moment(job.next_attempt_at),
            "nas_path": job.nas_path,
            "far_path": told.far_path,
            "destination_id": job.destination_id,
            "revision": job.revision,
            "manifest_sha256": job.manifest_sha256,
        }
    return data


def _moment(moment: datetime | None) -> str | None:
    return utc(moment) if moment is not None else None


def _hold(hold: Hold | None) -> dict[str, object] | None:
    if hold is None:
        return None
    return {
        "kind": hold.kind.value,
        "sentence": hold.sentence,
        "since": utc(hold.since),
        "until": _moment(hold.until),
        "next_step": hold.next_step,
    }
