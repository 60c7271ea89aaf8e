"""How does a value look in the database, and how is it read back? Moments, paths, numbers, whole rows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import Round, SyncJobRow, SyncJobState
from exlab_sync_tui.queue.store import Command, Debt, DebtKind, HistoryEntry, Observation
from exlab_sync_tui.text import parse_instant

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WIDEST = 1 << 63

JOB_COLUMNS = (
    "seq, id, run_path, equipment_id, state, attempts, last_attempt_at, next_attempt_at, last_error, verify_passes, "
    "verified_at, enqueued_at, nas_path, held, destination_id, origin, round, revision, resent, frozen, publishing, "
    "started_at, evidence, manifest_sha256, files_total, bytes_total, passed_at, releasing_at, keep_local, beside"
)
FILE_COLUMNS = "rel, size, mtime_ns, inode, sha256, far_sha256, rung, published"
HOLD_COLUMNS = "scope, key, kind, sentence, since, until, next_step, equipment_id"
COMMAND_COLUMNS = "id, verb, target, who, at, taken_at, outcome, exit_code, done_at"
HISTORY_COLUMNS = "seq, at, run_path, job_id, who, what, before, after, data"

_MOMENTS = frozenset({"last_attempt_at", "next_attempt_at", "verified_at", "started_at", "passed_at"})
_FLAGS = frozenset({"held", "resent", "frozen", "keep_local"})
_EVIDENCE = {level.value: level for level in EvidenceLevel}


def moment_text(moment: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SS.ffffffZ``. Raises ``ValueError`` for a moment without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"the moment {moment.isoformat()} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The instant of so many microseconds since 1970."""
    return EPOCH + count * _MICROSECOND


def path_bytes(path: str) -> bytes:
    """The very bytes of a path."""
    return os.fsencode(path)


def folded(text: str) -> bytes:
    """Bytes in which a substring search does not see case."""
    return text.casefold().encode("utf-8", "surrogateescape")


def plain(text: str) -> str:
    """Text that SQLite can store: a byte that was not UTF-8 is written out as ``\\udc80``…"""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def column_value(name: str, value: object) -> object:
    """One value of ``JobChanges`` as the column *name* holds it."""
    if value is None:
        return None
    if name in _MOMENTS and isinstance(value, datetime):
        return moment_text(value)
    if name == "nas_path":
        return path_bytes(str(value))
    if name in _FLAGS:
        return int(bool(value))
    if isinstance(value, (EvidenceLevel, Round)):
        return value.value
    return plain(value) if isinstance(value, str) else value


def readiness(state: str, held: object, next_attempt_at: object) -> tuple[int, int | None]:
    """The columns ``ready`` and ``due_us`` that follow; an unreadable moment counts as due (``FORMATS.md`` §6)."""
    if state != SyncJobState.QUEUED.value or held:
        return 0, None
    due = parse_instant(next_attempt_at)
    return (1, None) if due is None else (0, microseconds(due))


def read_job(row: sqlite3.Row) -> SyncJobRow:
    """A job. Raises ``ValueError`` if its state, round or evidence is a word that this version does not know."""
    return SyncJobRow(
        id=row["id"],
        run_path=os.fsdecode(row["run_path"]),
        equipment_id=row["equipment_id"],
        state=SyncJobState(row["state"]),
        attempts=row["attempts"],
        last_attempt_at=parse_instant(row["last_attempt_at"]),
        next_attempt_at=parse_instant(row["next_attempt_at"]),
        last_error=row["last_error"],
        verify_passes=row["verify_passes"],
        verified_at=parse_instant(row["verified_at"]),
        enqueued_at=parse_instant(row["enqueued_at"]),
        nas_path=os.fsdecode(row["nas_path"]),
        seq=row["seq"],
        held=bool(row["held"]),
        destination_id=row["destination_id"],
        origin=row["origin"],
        round=Round(row["round"]),
        revision=row["revision"],
        resent=bool(row["resent"]),
        frozen=bool(row["frozen"]),
        publishing=row["publishing"],
        started_at=parse_instant(row["started_at"]),
        evidence=None if row["evidence"] is None else EvidenceLevel(row["evidence"]),
        manifest_sha256=row["manifest_sha256"],
        files_total=row["files_total"],
        bytes_total=row["bytes_total"],
        passed_at=parse_instant(row["passed_at"]),
        releasing_at=parse_instant(row["releasing_at"]),
        keep_local=bool(row["keep_local"]),
        beside=row["beside"],
    )


def _wide(number: int) -> int | str:
    return number if -_WIDEST <= number < _WIDEST else str(number)


def file_values(job: int, record: FileRecord) -> tuple[object, ...]:
    """The job's number, then ``FILE_COLUMNS``."""
    return (
        job,
        os.fsencode(record.rel),
        record.size,
        _wide(record.mtime_ns),
        _wide(record.inode),
        record.sha256,
        record.far_sha256,
        None if record.rung is None else record.rung.value,
        record.published,
    )


def read_file(row: tuple[Any, ...]) -> FileRecord:
    """A file record from ``FILE_COLUMNS``; an unknown rung proves nothing, so its digest is left out."""
    rel, size, mtime_ns, inode, sha256, far_sha256, rung, published = row
    level = _EVIDENCE.get(rung)
    if rung is not None and level is None:
        far_sha256 = None
    return FileRecord(
        os.fsdecode(rel), size, int(mtime_ns), int(inode), sha256, far_sha256, level, published=bool(published)
    )


def hold_values(hold: Hold) -> tuple[object, ...]:
    """``HOLD_COLUMNS`` of a hold."""
    return (
        hold.scope.value,
        path_bytes(hold.key),
        hold.kind.value,
        plain(hold.sentence),
        moment_text(hold.since),
        None if hold.until is None else moment_text(hold.until),
        plain(hold.next_step),
        plain(hold.equipment_id),
    )


def read_hold(row: sqlite3.Row) -> Hold:
    """A hold. Raises ``ValueError`` for a kind or scope that this version does not know."""
    return Hold(
        HoldScope(row["scope"]),
        os.fsdecode(row["key"]),
        HoldKind(row["kind"]),
        row["sentence"],
        parse_instant(row["since"]) or EPOCH,
        parse_instant(row["until"]),
        row["next_step"],
        row["equipment_id"],
    )


def history_values(entry: HistoryEntry) -> tuple[object, ...]:
    """``HISTORY_COLUMNS`` of a line without its ``seq``."""
    return (
        moment_text(entry.at),
        path_bytes(entry.run_path),
        plain(entry.job_id),
        plain(entry.who),
        plain(entry.what),
        plain(entry.before),
        plain(entry.after),
        json.dumps(dict(entry.data)),
    )


def read_history(row: sqlite3.Row) -> HistoryEntry:
    """One line of a run's story."""
    return HistoryEntry(
        at=parse_instant(row["at"]) or EPOCH,
        run_path=os.fsdecode(row["run_path"]),
        job_id=row["job_id"],
        who=row["who"],
        what=row["what"],
        before=row["before"],
        after=row["after"],
        data=_mapping(row["data"]),
        seq=row["seq"],
    )


def _mapping(text: str) -> Mapping[str, str | int | float | bool | None]:
    data = json.loads(text)
    return data if isinstance(data, dict) else {}


def debt_values(debt: Debt) -> tuple[object, ...]:
    """run_path, kind, value, since, last_error of a debt."""
    return (
        path_bytes(debt.run_path),
        debt.kind.value,
        path_bytes(debt.value),
        moment_text(debt.since),
        plain(debt.last_error),
    )


def read_debt(row: sqlite3.Row) -> Debt:
    """A debt. Raises ``ValueError`` for a kind that this version does not know."""
    return Debt(
        os.fsdecode(row["run_path"]),
        DebtKind(row["kind"]),
        os.fsdecode(row["value"]),
        parse_instant(row["since"]) or EPOCH,
        row["last_error"],
    )


def observation_values(observation: Observation) -> tuple[object, ...]:
    """run_path, fingerprint, since, seen, taken of an observation."""
    return (
        path_bytes(observation.run_path),
        plain(observation.fingerprint),
        moment_text(observation.since),
        moment_text(observation.seen),
        observation.taken,
    )


def read_observation(row: sqlite3.Row) -> Observation | None:
    """An observation; one with an unreadable moment is none, so that the run is watched afresh."""
    since, seen = parse_instant(row["since"]), parse_instant(row["seen"])
    if since is None or seen is None:
        return None
    return Observation(os.fsdecode(row["run_path"]), row["fingerprint"], since, seen, bool(row["taken"]))


def read_command(row: sqlite3.Row) -> Command:
    """An order, answered or not."""
    return Command(
        row["id"],
        row["verb"],
        os.fsdecode(row["target"]),
        row["who"],
        parse_instant(row["at"]) or EPOCH,
        parse_instant(row["taken_at"]),
        row["outcome"],
        row["exit_code"],
        parse_instant(row["done_at"]),
    )
