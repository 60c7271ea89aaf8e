"""What is known of each file of a job? The SQL steps on file records, in the order of path bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.model.entry import FileTotals
from exlab_sync_tui.queue.rows import FILE_COLUMNS, file_values, plain, read_file
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from exlab_sync_tui.model.entry import FileRecord

_CONDITIONS = {
    FilesWanted.ALL: "",
    FilesWanted.UNPROVEN: "AND (sha256 IS NULL OR sha256 IS NOT far_sha256)",
    FilesWanted.UNPUBLISHED: "AND NOT published",
    FilesWanted.SENT: "AND NOT published AND sha256 IS NOT NULL",
}
PAGE_SQL = {
    wanted: f"SELECT {FILE_COLUMNS} FROM files WHERE job = ? AND rel > ? {condition} ORDER BY rel LIMIT ? OFFSET ?"
    for wanted, condition in _CONDITIONS.items()
}
_PUT_SQL = f"INSERT OR REPLACE INTO files (job, {FILE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def number_of(db: sqlite3.Connection, job_id: str) -> int | None:
    """The job's number, under which its records are kept."""
    row = db.execute("SELECT seq FROM jobs WHERE id = ?", (plain(job_id),)).fetchone()
    return None if row is None else int(row[0])


def put(db: sqlite3.Connection, job_id: str, records: Sequence[FileRecord]) -> None:
    """Insert or replace. Raises ``NotFoundError`` if there is no such job."""
    job = number_of(db, job_id)
    if job is None:
        raise NotFoundError(f"There is no job {safe_text(job_id)}; `exlab-sync list` shows the ones that are known.")
    db.executemany(_PUT_SQL, [file_values(job, record) for record in records])


def page(
    db: sqlite3.Connection, job_id: str, after: str, limit: int, wanted: FilesWanted, *, skip: int = 0
) -> list[FileRecord]:
    """A page of the records behind the path *after*, without the first *skip* of them."""
    cursor = db.cursor()
    cursor.row_factory = None  # plain tuples: a third faster, and a run may have a million
    rows = cursor.execute(PAGE_SQL[wanted], (number_of(db, job_id), os.fsencode(after), limit, skip))
    return [read_file(row) for row in rows]


def mark_published(db: sqlite3.Connection, job_id: str, rels: Sequence[str] | None) -> None:
    """Mark these, or all, as published."""
    job = number_of(db, job_id)
    if rels is None:
        db.execute("UPDATE files SET published = 1 WHERE job = ? AND NOT published", (job,))
        return
    db.executemany(
        "UPDATE files SET published = 1 WHERE job = ? AND rel = ?", [(job, os.fsencode(rel)) for rel in rels]
    )


def drop(db: sqlite3.Connection, job_id: str, rels: Sequence[str]) -> None:
    """Forget these."""
    job = number_of(db, job_id)
    db.executemany("DELETE FROM files WHERE job = ? AND rel = ?", [(job, os.fsencode(rel)) for rel in rels])


def drop_first(db: sqlite3.Connection, job_id: str, count: int) -> bool:
    """Forget the first *count* records; whether there may be more."""
    dropped = db.execute(
        "DELETE FROM files WHERE (job, rel) IN (SELECT job, rel FROM files WHERE job = ? ORDER BY rel LIMIT ?)",
        (number_of(db, job_id), count),
    ).rowcount
    return dropped == count


def totals(db: sqlite3.Connection, job_id: str) -> FileTotals:
    """Counts and bytes, by one walk over the job's records."""
    row = db.execute(
        "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(sha256 = far_sha256), 0),"
        " coalesce(sum(size * (sha256 = far_sha256)), 0), coalesce(sum(size * (NOT published)), 0)"
        " FROM files WHERE job = ?",
        (number_of(db, job_id),),
    ).fetchone()
    return FileTotals(*row)
