"""Which jobs stand on a page, and in which order? The SQL that walks an index wherever there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.queue.rows import JOB_COLUMNS, folded
from exlab_sync_tui.queue.store import JobFilter, JobKey

if TYPE_CHECKING:
    import sqlite3

    from exlab_sync_tui.model.job import SyncJobRow

_COLUMNS = {JobKey.SIZE: "bytes_total", JobKey.FOLDER: "run_folded"}


def page_sql(wanted: JobFilter, *, newest_first: bool = False, by: JobKey = JobKey.QUEUED) -> str:
    """The query for a page of jobs: one branch per wanted state, so that each walks an index in the order of ``seq``.

    By another key the numbers of the fitting jobs are sorted, and only the rows of the page are read.
    Parameters by name: after, limit, skip, equipment, text, passes, and state0, state1, …"""
    also = _conditions(wanted)
    if by is not JobKey.QUEUED:
        order = _order(by, newest_first=newest_first)
        chosen = f"SELECT seq FROM jobs WHERE {also}{_of_states(wanted)} {order} LIMIT :limit OFFSET :skip"
        return f"SELECT {JOB_COLUMNS} FROM jobs WHERE seq IN ({chosen}) {order}"
    order = "ORDER BY seq DESC" if newest_first else "ORDER BY seq"
    page = f"{order} LIMIT :limit OFFSET :skip"
    if not wanted.states:
        return f"SELECT {JOB_COLUMNS} FROM jobs WHERE {also} {page}"
    branches = " UNION ALL ".join(
        f"SELECT seq FROM (SELECT seq FROM jobs WHERE state = :state{place} AND {also} {order} LIMIT :limit + :skip)"
        for place in range(len(wanted.states))
    )
    return f"SELECT {JOB_COLUMNS} FROM jobs WHERE seq IN ({branches}) {page}"


def page_values(wanted: JobFilter) -> dict[str, object]:
    """The parameters that follow from the filter."""
    states = {f"state{place}": state.value for place, state in enumerate(sorted(wanted.states))}
    return {"equipment": wanted.equipment_id, "text": folded(wanted.text), "passes": wanted.min_passes, **states}


def place(db: sqlite3.Connection, job: SyncJobRow, wanted: JobFilter, *, newest_first: bool, by: JobKey) -> int:
    """How many jobs that fit come before *job*."""
    before = ">" if newest_first else "<"
    if by is JobKey.QUEUED:
        earlier = f"seq {before} :seq"
    else:
        column = _COLUMNS[by]
        earlier = f"({column} {before} :key OR ({column} = :key AND seq < :seq))"
    key: object = job.bytes_total if by is JobKey.SIZE else folded(job.run_path)
    values = {**page_values(wanted), "after": 0, "seq": job.seq, "key": key}
    sql = f"SELECT count(*) FROM jobs WHERE {_conditions(wanted)}{_of_states(wanted)} AND {earlier}"
    (number,) = db.execute(sql, values).fetchone()
    return int(number)


def _conditions(wanted: JobFilter) -> str:
    conditions = ["seq > :after"]
    if wanted.equipment_id:
        conditions.append("equipment_id = :equipment")
    if wanted.text:
        conditions.append("instr(run_folded, :text)")
    if wanted.min_passes:
        conditions.append("verify_passes >= :passes")
    if wanted.releasing:
        conditions.append("releasing_at IS NOT NULL")
    return " AND ".join(conditions)


def _of_states(wanted: JobFilter) -> str:
    names = ", ".join(f":state{number}" for number in range(len(wanted.states)))
    return f" AND state IN ({names})" if names else ""


def _order(by: JobKey, *, newest_first: bool) -> str:
    return f"ORDER BY {_COLUMNS[by]}{' DESC' if newest_first else ''}, seq"
