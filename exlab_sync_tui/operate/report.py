"""What reached the NAS, when, on what evidence, and by whom was the gate overridden? Rows for ``report``."""

from __future__ import annotations

import asyncio
import csv
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import UsageError
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.operate.papers import kept_receipt
from exlab_sync_tui.operate.runs import all_jobs, run_holds
from exlab_sync_tui.text import parse_instant, safe_text, utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import TextIO

    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.operate.why import Surroundings
    from exlab_sync_tui.provenance.overrides import OverrideInForce
    from exlab_sync_tui.queue.store import JobStore

COLUMNS = (
    "verified_at",
    "equipment_id",
    "run_path",
    "far_path",
    "state",
    "files",
    "bytes",
    "evidence",
    "passes",
    "revision",
    "overrides",
    "manifest_sha256",
    "job_id",
)
_SPAN = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_FORMULA = ("=", "+", "-", "@")
_PAGE = 256


@dataclass(frozen=True, slots=True)
class Delivered:
    """One run that was verified on the NAS. ``state`` is its present state, or ``damaged`` if an audit found so."""

    job: SyncJobRow
    verified_at: datetime
    far_path: str
    state: str
    overrides: tuple[OverrideInForce, ...] = ()

    @property
    def lifted_by(self) -> str:
        """Who let which finding pass and why; empty if nobody had to."""
        return "; ".join(f"{one.problem_class} by {one.operator}: {one.reason}" for one in self.overrides)


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that ``--since`` means: ``2025-03-01``, an instant, or so long ago: ``36h``, ``7d``, ``4w``.

    Raises ``UsageError``.
    """
    span = _SPAN.fullmatch(text.strip())
    if span is not None:
        return now - timedelta(hours=int(span[1]) * _HOURS[span[2]])
    moment = parse_instant(text)
    if moment is None:
        raise UsageError(f"{safe_text(text)} is no moment; write 2025-03-01, 2025-03-01T08:00:00Z, 36h, 7d or 4w.")
    return moment


async def delivered(
    store: JobStore, records: Path, around: Surroundings, *, since: datetime | None = None
) -> AsyncIterator[Delivered]:
    """Every run that was verified, in the order in which they were queued; *records* holds the receipts kept here."""
    holds = await run_holds(store)
    damaged = {path for path, hold in holds.items() if hold.kind is HoldKind.DAMAGED}
    page: list[SyncJobRow] = []
    async for job in all_jobs(store):
        if job.verified_at is None or (since is not None and job.verified_at < since):
            continue
        page.append(job)
        if len(page) == _PAGE:
            for row in await asyncio.to_thread(_rows, page, records, around, damaged):
                yield row
            page = []
    for row in await asyncio.to_thread(_rows, page, records, around, damaged):
        yield row


def _rows(jobs: Sequence[SyncJobRow], records: Path, around: Surroundings, damaged: set[str]) -> list[Delivered]:
    return [_row(job, records, around, damaged) for job in jobs]


def _row(job: SyncJobRow, records: Path, around: Surroundings, damaged: set[str]) -> Delivered:
    assert job.verified_at is not None  # noqa: S101  # the caller has looked
    receipt = kept_receipt(job, records)
    return Delivered(
        job=job,
        verified_at=job.verified_at,
        far_path=around.far_path(job),
        state="damaged" if job.run_path in damaged else job.state.value,
        overrides=receipt.overrides if receipt else (),
    )


def as_data(row: Delivered) -> dict[str, object]:
    """A row for programs, with the names of ``COLUMNS``; ``bytes`` counts bytes."""
    job = row.job
    return {
        "verified_at": utc(row.verified_at),
        "equipment_id": job.equipment_id,
        "run_path": job.run_path,
        "far_path": row.far_path,
        "state": row.state,
        "files": job.files_total,
        "bytes": job.bytes_total,
        "evidence": job.evidence.value if job.evidence else None,
        "passes": job.verify_passes,
        "revision": job.revision,
        "overrides": [
            {"rule": one.problem_class, "operator": one.operator, "reason": one.reason, "recorded_at": one.recorded_at}
            for one in row.overrides
        ],
        "manifest_sha256": job.manifest_sha256 or None,
        "job_id": job.id,
    }


def write_csv(out: TextIO, rows: Iterable[Delivered]) -> None:
    """The rows as CSV (RFC 4180) with a heading. Names are shown safely, and none can be a formula of a spreadsheet."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        data = as_data(row) | {"overrides": row.lifted_by}
        writer.writerow([_cell(data[name]) for name in COLUMNS])


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return "" if value is None else value
    text = safe_text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
