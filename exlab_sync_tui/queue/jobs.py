"""Which job is next, and which step may a job make? The SQL steps on jobs; each runs inside one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import IllegalTransitionError, NotFoundError, StoreError
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState, is_legal
from exlab_sync_tui.queue import ledger
from exlab_sync_tui.queue.paging import page_sql, page_values
from exlab_sync_tui.queue.rows import (
    EPOCH,
    JOB_COLUMNS,
    column_value,
    folded,
    from_microseconds,
    microseconds,
    moment_text,
    path_bytes,
    plain,
    read_job,
    readiness,
)
from exlab_sync_tui.queue.store import HistoryEntry, JobChanges, JobFilter, JobKey, NewJob, Waiting
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exlab_sync_tui.queue.skipping import Skips
    from exlab_sync_tui.queue.store import Debt

CLAIM_SQL = f"SELECT {JOB_COLUMNS} FROM jobs INDEXED BY jobs_ready WHERE equipment_id = ? AND ready = 1 ORDER BY seq"
PROMOTE_SQL = (
    "UPDATE jobs INDEXED BY jobs_waiting SET ready = 1, due_us = NULL, next_attempt_at = NULL"
    " WHERE equipment_id = ? AND due_us <= ?"
)
NEXT_DUE_SQL = "SELECT min(due_us) FROM jobs INDEXED BY jobs_waiting WHERE equipment_id = ? AND due_us IS NOT NULL"
_RELEASED = "SET held = 0, ready = 1, due_us = NULL, next_attempt_at = NULL WHERE held = 1 AND state = 'queued'"
RELEASE_SQL = f"UPDATE jobs INDEXED BY jobs_held {_RELEASED} AND equipment_id = ?"
RELEASE_RUN_SQL = f"UPDATE jobs {_RELEASED} AND run_path = ?"
# The index is named because SQLite, without statistics, may take another one and read an equipment's whole backlog.


_CHANGEABLE = frozenset(JobChanges.__annotations__)
MOVING = frozenset({SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY})


def stale_sql(states: int) -> str:
    """The query for jobs in so many states whose last pass is long ago, by equipment, states, moment, limit, skip."""
    return (
        f"SELECT {JOB_COLUMNS} FROM jobs INDEXED BY jobs_of_pass"
        f" WHERE equipment_id = ? AND state IN ({', '.join('?' * states)}) AND passed_at <= ?"
        " ORDER BY passed_at, seq LIMIT ? OFFSET ?"
    )


class Jobs:
    """Steps on the table of jobs."""

    def __init__(self, skips: Skips) -> None:
        self._skips = skips

    def by_id(self, db: sqlite3.Connection, job_id: str) -> SyncJobRow | None:
        """The job with this id."""
        return self._one(db, "id = ?", plain(job_id))

    def by_run(self, db: sqlite3.Connection, run_path: str) -> SyncJobRow | None:
        """The job of this run."""
        return self._one(db, "run_path = ?", path_bytes(run_path))

    def by_runs(self, db: sqlite3.Connection, run_paths: Sequence[str]) -> dict[str, SyncJobRow]:
        """The jobs of these runs, as far as they have one.

        One statement for each run: one for all would have another text for every number of runs, and SQLite keeps a
        hundred statements with all that was bound to them.
        """
        found = (self.by_run(db, run_path) for run_path in run_paths)
        return {job.run_path: job for job in found if job is not None}

    def _one(self, db: sqlite3.Connection, condition: str, value: object) -> SyncJobRow | None:
        rows = db.execute(f"SELECT {JOB_COLUMNS} FROM jobs WHERE {condition}", (value,))
        return self._skips.first(rows, read_job, "job")

    def page(
        self,
        db: sqlite3.Connection,
        wanted: JobFilter,
        after_seq: int,
        limit: int,
        *,
        skip: int = 0,
        newest_first: bool = False,
        by: JobKey = JobKey.QUEUED,
    ) -> list[SyncJobRow]:
        """A page of jobs; rows that cannot be read do not shorten it."""
        sql = page_sql(wanted, newest_first=newest_first, by=by)
        values = {**page_values(wanted), "after": after_seq}
        page: list[SyncJobRow] = []
        while len(page) < limit:
            rows = db.execute(sql, {**values, "limit": limit - len(page), "skip": skip}).fetchall()
            if not rows:
                break
            page += self._skips.each(rows, read_job, "job")
            skip += len(rows)
        return page

    def counts(self, db: sqlite3.Connection) -> dict[tuple[str, SyncJobState], int]:
        """Jobs by equipment and state, as the triggers keep them."""

        def read(row: sqlite3.Row) -> tuple[tuple[str, SyncJobState], int]:
            return (row["equipment_id"], SyncJobState(row["state"])), row["number"]

        rows = db.execute("SELECT equipment_id, state, number FROM counts WHERE number > 0")
        return dict(self._skips.each(rows, read, "group of jobs"))

    def waiting(self, db: sqlite3.Connection) -> dict[str, Waiting]:
        """Bytes and jobs without a size by equipment, as the triggers keep them."""
        rows = db.execute(
            "SELECT equipment_id, sum(bytes), sum(unsized) FROM counts"
            " WHERE number > 0 AND state IN ('queued', 'running') GROUP BY equipment_id"
        )
        return {equipment_id: Waiting(size, unsized) for equipment_id, size, unsized in rows}

    def enqueue(self, db: sqlite3.Connection, new: NewJob, at: datetime, who: str) -> tuple[SyncJobRow, bool]:
        """Insert the run's job unless it has one."""
        known = db.execute("SELECT id, state FROM jobs WHERE run_path = ?", (path_bytes(new.run_path),)).fetchone()
        if known is None:
            db.execute(
                "INSERT INTO jobs (id, run_path, run_folded, equipment_id, state, nas_path, origin, enqueued_at, ready,"
                " files_total, bytes_total) VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, 1, ?, ?)",
                (
                    plain(new.id),
                    path_bytes(new.run_path),
                    folded(new.run_path),
                    plain(new.equipment_id),
                    path_bytes(new.nas_path),
                    plain(new.origin),
                    moment_text(at),
                    new.files,
                    new.size,
                ),
            )
            ledger.append(db, HistoryEntry(at, new.run_path, new.id, who, "queued", after=SyncJobState.QUEUED.value))
        row = self.by_run(db, new.run_path)
        if row is None:
            raise StoreError(
                f"The run {safe_text(new.run_path)} already has a job that this version cannot read "
                f"(its state is {safe_text(known['state'])!r}); upgrade this program."
            )
        return row, known is None

    def claim(self, db: sqlite3.Connection, equipment_id: str, at: datetime) -> SyncJobRow | None:
        """Make the oldest due job running. A waiting job is promoted once, when its time has passed."""
        db.execute(PROMOTE_SQL, (equipment_id, microseconds(at)))
        job = self._first_ready(db, equipment_id)
        if job is None:
            return None
        self._write(db, job, SyncJobState.RUNNING, {"next_attempt_at": None, "started_at": at, "last_attempt_at": at})
        ledger.append(db, _step(job, SyncJobState.RUNNING, at, "engine", "started"))
        return self._again(db, job)

    def next_due(self, db: sqlite3.Connection, equipment_id: str) -> datetime | None:
        """When the next job is due: ``EPOCH`` for one that is due already."""
        if self._first_ready(db, equipment_id) is not None:
            return EPOCH
        (due,) = db.execute(NEXT_DUE_SQL, (equipment_id,)).fetchone()
        return None if due is None else from_microseconds(due)

    def _first_ready(self, db: sqlite3.Connection, equipment_id: str) -> SyncJobRow | None:
        return self._skips.first(db.execute(CLAIM_SQL, (equipment_id,)), read_job, "job")

    def move(
        self,
        db: sqlite3.Connection,
        job_id: str,
        to: SyncJobState,
        *,
        at: datetime,
        who: str,
        what: str,
        debts: Sequence[Debt],
        only_from: SyncJobState | None,
        changes: JobChanges,
    ) -> SyncJobRow:
        """One legal transition; unless *changes* say otherwise the job is due now and not held."""
        job = self._known(db, job_id)
        if not is_legal(job.state, to) or only_from not in (None, job.state) or not is_free_for(job, to):
            raise IllegalTransitionError(
                f"The run {safe_text(job.run_path)} is {job.state.value} and cannot become {to.value} from there; "
                "nothing was changed."
            )
        self._write(db, job, to, {"next_attempt_at": None, "held": False, **changes})
        ledger.append(db, _step(job, to, at, who, what))
        for debt in debts:
            ledger.owe(db, debt)
        return self._again(db, job)

    def begin_release(self, db: sqlite3.Connection, job_id: str, at: datetime, who: str, what: str) -> SyncJobRow:
        """Set the mark, once."""
        job = self._known(db, job_id)
        if job.releasing_at is not None:
            return job
        (owed,) = db.execute("SELECT count(*) FROM debts WHERE run_path = ?", (path_bytes(job.run_path),)).fetchone()
        if job.state is not SyncJobState.CLEANUP_ELIGIBLE or job.keep_local or owed:
            raise IllegalTransitionError(
                f"The local copy of {safe_text(job.run_path)} may not be deleted any more; nothing was changed."
            )
        db.execute("UPDATE jobs SET releasing_at = ? WHERE seq = ?", (moment_text(at), job.seq))
        ledger.append(db, HistoryEntry(at, job.run_path, job.id, who, what))
        return self._again(db, job)

    def forget(self, db: sqlite3.Connection, job_id: str, at: datetime, who: str, what: str) -> None:
        """Drop a job and what hangs on it, except its history."""
        job = self._known(db, job_id)
        if job.state in MOVING:
            raise IllegalTransitionError(
                f"The run {safe_text(job.run_path)} is just being moved; pause its instrument first, then forget it."
            )
        key = path_bytes(job.run_path)
        db.execute("DELETE FROM files WHERE job = ?", (job.seq,))
        db.execute("DELETE FROM jobs WHERE seq = ?", (job.seq,))
        db.execute("DELETE FROM debts WHERE run_path = ?", (key,))
        db.execute("DELETE FROM observations WHERE run_path = ?", (key,))
        db.execute("DELETE FROM holds WHERE key = ? AND scope = ?", (key, HoldScope.RUN.value))
        ledger.append(db, HistoryEntry(at, job.run_path, job.id, who, what, before=job.state.value))

    def restore(self, db: sqlite3.Connection, job: SyncJobRow, at: datetime, who: str, what: str) -> bool:
        """Insert a whole row, unless the run or the id has one."""
        known = db.execute("SELECT 1 FROM jobs WHERE run_path = ? OR id = ?", (path_bytes(job.run_path), plain(job.id)))
        if known.fetchone() is not None:
            return False
        columns = {name: column_value(name, getattr(job, name)) for name in sorted(_CHANGEABLE)}
        columns |= {
            "id": plain(job.id),
            "run_path": path_bytes(job.run_path),
            "run_folded": folded(job.run_path),
            "equipment_id": plain(job.equipment_id),
            "state": job.state.value,
            "enqueued_at": None if job.enqueued_at is None else moment_text(job.enqueued_at),
            "releasing_at": None if job.releasing_at is None else moment_text(job.releasing_at),
        }
        columns["ready"], columns["due_us"] = readiness(job.state.value, job.held, columns["next_attempt_at"])
        marks = ", ".join("?" * len(columns))
        db.execute(f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))
        ledger.append(db, HistoryEntry(at, job.run_path, job.id, who, what, after=job.state.value))
        return True

    def stale(
        self,
        db: sqlite3.Connection,
        equipment_id: str,
        states: frozenset[SyncJobState],
        before: datetime,
        *,
        limit: int,
        skip: int,
    ) -> list[SyncJobRow]:
        """A page by the moment of the last pass; rows that cannot be read are left out."""
        rows = db.execute(
            stale_sql(len(states)),
            (equipment_id, *sorted(state.value for state in states), moment_text(before), limit, skip),
        )
        return list(self._skips.each(rows, read_job, "job"))

    def amend(self, db: sqlite3.Connection, job_id: str, changes: JobChanges) -> SyncJobRow:
        """Change columns, not the state."""
        job = self._known(db, job_id)
        self._write(db, job, job.state, changes)
        return self._again(db, job)

    def running_to_queued(self, db: sqlite3.Connection, at: datetime, who: str, what: str) -> int:
        """Queue again what was running; how many."""
        running = db.execute("SELECT seq, id, run_path FROM jobs WHERE state = 'running'").fetchall()
        before, after = SyncJobState.RUNNING.value, SyncJobState.QUEUED.value
        for seq, job_id, run_path in running:
            db.execute(
                "UPDATE jobs SET state = 'queued', next_attempt_at = NULL, held = 0, ready = 1, due_us = NULL"
                " WHERE seq = ?",
                (seq,),
            )
            ledger.append_raw(db, (moment_text(at), run_path, job_id, plain(who), plain(what), before, after, "{}"))
        return len(running)

    def release(self, db: sqlite3.Connection, equipment_ids: Sequence[str], run_path: str) -> int:
        """Un-hold queued jobs; how many."""
        if run_path:
            return db.execute(RELEASE_RUN_SQL, (path_bytes(run_path),)).rowcount
        released = [db.execute(RELEASE_SQL, (name,)).rowcount for name in set(equipment_ids)]
        return sum(released)

    def mend(self, db: sqlite3.Connection) -> None:
        """Make ``ready`` and ``due_us`` follow from the truth, whoever wrote the rows."""
        rows = db.execute(
            "SELECT seq, state, held, next_attempt_at FROM jobs WHERE state = 'queued' AND"
            " (next_attempt_at IS NOT NULL OR due_us IS NOT NULL OR ready <> (held = 0))"
            " UNION SELECT seq, state, held, next_attempt_at FROM jobs WHERE ready = 1 AND state <> 'queued'"
            " UNION SELECT seq, state, held, next_attempt_at FROM jobs WHERE due_us IS NOT NULL AND state <> 'queued'"
        ).fetchall()
        db.executemany(
            "UPDATE jobs SET ready = ?, due_us = ? WHERE seq = ?",
            [(*readiness(state, held, next_attempt_at), seq) for seq, state, held, next_attempt_at in rows],
        )

    def _known(self, db: sqlite3.Connection, job_id: str) -> SyncJobRow:
        job = self.by_id(db, job_id)
        if job is not None:
            return job
        kept = db.execute("SELECT state FROM jobs WHERE id = ?", (plain(job_id),)).fetchone()
        if kept is None:
            raise NotFoundError(
                f"There is no job {safe_text(job_id)}; `exlab-sync list` shows the ones that are known."
            )
        raise StoreError(
            f"The job {safe_text(job_id)} (state {safe_text(kept['state'])!r}) cannot be read by this version, "
            "so it was left as it is; upgrade this program."
        )

    def _again(self, db: sqlite3.Connection, job: SyncJobRow) -> SyncJobRow:
        return self._known(db, job.id)

    @staticmethod
    def _write(db: sqlite3.Connection, job: SyncJobRow, state: SyncJobState, changes: Mapping[str, Any]) -> None:
        if strange := changes.keys() - _CHANGEABLE:
            raise TypeError(f"a job has no changeable column {', '.join(sorted(strange))}")
        columns = {name: column_value(name, value) for name, value in changes.items()}
        due = changes.get("next_attempt_at", job.next_attempt_at)
        columns["state"] = state.value
        columns["ready"], columns["due_us"] = readiness(
            state.value, changes.get("held", job.held), None if due is None else moment_text(due)
        )
        places = ", ".join(f"{name} = ?" for name in columns)
        db.execute(f"UPDATE jobs SET {places} WHERE seq = ?", (*columns.values(), job.seq))


def is_free_for(job: SyncJobRow, to: SyncJobState) -> bool:
    """What is half deleted here is never sent again (``FORMATS.md`` §6)."""
    return job.releasing_at is None or to is SyncJobState.CLEANED


def _step(job: SyncJobRow, to: SyncJobState, at: datetime, who: str, what: str) -> HistoryEntry:
    return HistoryEntry(at, job.run_path, job.id, who, what, before=job.state.value, after=to.value)
