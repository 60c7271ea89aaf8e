"""A claim reads one entry of an index, whatever lies in the store."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue import ledger
from exlab_sync_tui.queue.files import PAGE_SQL
from exlab_sync_tui.queue.jobs import (
    CLAIM_SQL,
    NEXT_DUE_SQL,
    PROMOTE_SQL,
    RELEASE_RUN_SQL,
    RELEASE_SQL,
    Jobs,
    stale_sql,
)
from exlab_sync_tui.queue.paging import page_sql
from exlab_sync_tui.queue.schema import migrations
from exlab_sync_tui.queue.skipping import Skips
from exlab_sync_tui.queue.store import FilesWanted, JobFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 3_000


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    """A backlog of every sort: due, waiting, held, verified, failed."""
    made = sqlite3.connect(":memory:")
    for step in migrations():
        made.executescript(step.sql)
    sorts = [("queued", 1, None, 0), ("queued", 0, 5, 0), ("queued", 0, None, 1), ("verified", 0, None, 0)]
    sorts.append(("failed", 0, None, 0))
    made.executemany(
        "INSERT INTO jobs (id, run_path, run_folded, equipment_id, state, ready, due_us, held)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (str(n), b"/lab/%d" % n, b"/lab/%d" % n, f"E{n % 3}", state, ready, due, held)
            for n in range(ROWS)
            for state, ready, due, held in [sorts[n % len(sorts)]]
        ],
    )
    yield made
    made.close()


def plan(db: sqlite3.Connection, sql: str, values: object) -> str:
    return "\n".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values))  # type: ignore[arg-type]  # ours


@pytest.mark.parametrize(
    ("sql", "values", "index"),
    [
        (f"{CLAIM_SQL} LIMIT 1", ("E1",), "jobs_ready"),
        (PROMOTE_SQL, ("E1", 9), "jobs_waiting"),
        (NEXT_DUE_SQL, ("E1",), "jobs_waiting"),
        (RELEASE_SQL, ("E1",), "jobs_held"),
        (RELEASE_RUN_SQL, (b"/lab/1",), "sqlite_autoindex_jobs_2"),
    ],
)
@pytest.mark.parametrize("analysed", [False, True])
def test_choosing_the_next_job_scans_and_sorts_nothing(
    db: sqlite3.Connection, sql: str, values: tuple[object, ...], index: str, *, analysed: bool
) -> None:
    if analysed:
        db.execute("ANALYZE")
    steps = plan(db, sql, values)
    assert f"INDEX {index}" in steps
    assert "SCAN" not in steps
    assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize("wanted", list(FilesWanted))
def test_a_page_of_files_walks_the_key(db: sqlite3.Connection, wanted: FilesWanted) -> None:
    steps = plan(db, PAGE_SQL[wanted], (1, b"a", 10, 0))
    assert "USING PRIMARY KEY (job=? AND rel>?)" in steps
    assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (JobFilter(states=frozenset({SyncJobState.FAILED})), "jobs_of_state"),
        (JobFilter(states=frozenset({SyncJobState.FAILED, SyncJobState.QUEUED}), equipment_id="E1"), "equipment_state"),
        (JobFilter(equipment_id="E1"), "jobs_of_equipment"),
        (JobFilter(), "INTEGER PRIMARY KEY"),
    ],
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_page_of_jobs_walks_an_index(
    db: sqlite3.Connection, wanted: JobFilter, index: str, *, newest_first: bool
) -> None:
    values = {
        "after": 5,
        "limit": 10,
        "skip": 20,
        "equipment": "E1",
        "text": b"",
        "state0": "failed",
        "state1": "queued",
    }
    steps = plan(db, page_sql(wanted, newest_first=newest_first), values)
    assert index in steps
    assert "SCAN jobs" not in steps
    assert "ORDER BY" not in steps


def test_questions_about_any_number_of_runs_have_one_text(db: sqlite3.Connection) -> None:
    """SQLite's statements are kept by their text, with all that was bound to them."""
    texts: set[str] = set()

    class Noting:
        def execute(self, sql: str, values: object) -> sqlite3.Cursor:
            texts.add(sql)
            cursor = db.cursor()
            cursor.row_factory = sqlite3.Row
            return cursor.execute(sql, values)  # type: ignore[arg-type]  # ours

    jobs = Jobs(Skips())
    for number in (1, 2, 30, 500):
        runs = [f"/lab/{n}" for n in range(number)]
        assert len(jobs.by_runs(Noting(), runs)) == number  # type: ignore[arg-type]  # all that is asked of it
        assert ledger.observations(Noting(), runs) == {}  # type: ignore[arg-type]  # all that is asked of it
    assert len(texts) == 2


@pytest.mark.parametrize("states", [1, 3])
def test_what_was_proved_long_ago_is_found_by_an_index(db: sqlite3.Connection, states: int) -> None:
    values = ("E1", *["verified", "cleaned", "failed"][:states], "2025-03-09T12:00:00.000000Z", 10, 0)
    steps = plan(db, stale_sql(states), values)
    assert "INDEX jobs_of_pass (equipment_id=? AND state=? AND passed_at<?)" in steps
    assert ("TEMP B-TREE" in steps) is (states > 1), "only what is overdue is sorted"
