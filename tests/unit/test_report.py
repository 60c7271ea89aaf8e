"""What reached the NAS? ``report`` as a table, as CSV and as JSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.errors import UsageError
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.report import moment_of
from exlab_sync_tui.provenance.overrides import OverrideInForce
from exlab_sync_tui.provenance.receipt import Receipt, render_receipt
from exlab_sync_tui.queue.sqlite import SQLiteStore
from tests.unit.cli_helpers import NOW, Shelf, fill, job_id, lay, make_shelf, queue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from exlab_sync_tui.queue.store import JobStore


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = make_shelf(tmp_path)
    fill(shelf)
    return shelf


def change(shelf: Shelf, step: Callable[[JobStore], Awaitable[object]]) -> None:
    async def changed() -> None:
        store = SQLiteStore(shelf.state / "queue.db")
        await store.open()
        try:
            await step(store)
        finally:
            await store.close()

    asyncio.run(changed())


def keep_receipt(shelf: Shelf, name: str) -> None:
    lifted = OverrideInForce("reserved_filesystem_name", "id-1", "ada", "the vendor insists", "2025-03-09T07:00:00Z")
    place = shelf.state / "records" / job_id(name)
    place.mkdir(parents=True)
    (place / "receipt.json").write_bytes(render_receipt(Receipt(job_id(name), overrides=(lifted,))))


def test_only_what_was_verified_is_in_it(shelf: Shelf) -> None:
    rows: Any = shelf.ask_json("report")
    assert [row["run_path"] for row in rows] == [shelf.run_path("safe")]
    assert rows[0] | {"job_id": "", "far_path": ""} == {
        "verified_at": "2025-03-09T08:00:00Z",
        "equipment_id": "READER_01",
        "run_path": shelf.run_path("safe"),
        "far_path": "",
        "state": "verified",
        "files": 1,
        "bytes": 2048,
        "evidence": "read_back",
        "passes": 1,
        "revision": 1,
        "overrides": [],
        "manifest_sha256": "ab" * 32,
        "job_id": "",
    }
    assert rows[0]["far_path"] == f"{shelf.root}/nas/READER_01/safe"


def test_who_let_a_finding_pass_comes_from_the_receipt_that_is_kept(shelf: Shelf) -> None:
    keep_receipt(shelf, "safe")
    rows: Any = shelf.ask_json("report")
    assert rows[0]["overrides"] == [
        {
            "rule": "reserved_filesystem_name",
            "operator": "ada",
            "reason": "the vendor insists",
            "recorded_at": "2025-03-09T07:00:00Z",
        }
    ]
    assert "1 run with overrides, --json and --csv name them" in shelf.ask("report").output


def test_a_receipt_of_another_job_is_not_taken_for_this_one(shelf: Shelf) -> None:
    keep_receipt(shelf, "safe")
    (shelf.state / "records" / job_id("safe")).rename(shelf.state / "records" / "elsewhere")
    rows: Any = shelf.ask_json("report")
    assert rows[0]["overrides"] == []


def test_a_run_that_was_found_damaged_later_is_said_to_be(shelf: Shelf) -> None:
    change(shelf, lambda store: lay(store, shelf, "safe", HoldKind.DAMAGED, "1 file differs."))
    rows: Any = shelf.ask_json("report")
    assert rows[0]["state"] == "damaged"


def test_csv_has_one_line_for_each_run_and_names_that_no_spreadsheet_computes(shelf: Shelf) -> None:
    async def hostile(store: JobStore) -> None:
        await queue(store, shelf, "plates")
        number = job_id("plates")
        for state in (SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY):
            await store.move(number, state, at=NOW, who="engine", what="on its way")
        evidence = EvidenceLevel.REMOTE_HASH
        await store.move(
            number, SyncJobState.VERIFIED, at=NOW, who="engine", what="published", verified_at=NOW, evidence=evidence
        )
        await store.amend(number, nas_path="=cmd|' /C calc'!A0\x1b[2J")

    change(shelf, hostile)
    shelf.config.write_text("equipment: []\n")
    rows = list(csv.DictReader(io.StringIO(shelf.ask("report", "--csv").output)))
    assert [row["state"] for row in rows] == ["verified", "verified"]
    assert rows[1]["far_path"] == "'=cmd|' /C calc'!A0\\x1b[2J"


def test_since_leaves_out_what_came_before(shelf: Shelf) -> None:
    assert shelf.ask_json("report", "--since", "2025-03-09T08:00:00Z") != []
    assert shelf.ask_json("report", "--since", "2025-03-09T08:00:01Z") == []
    assert "No run has reached the NAS" in shelf.ask("report", "--since", "1h").output


def test_since_takes_days_and_spans(shelf: Shelf) -> None:
    assert moment_of("7d", NOW) == NOW - timedelta(days=7)
    assert moment_of("36h", NOW) == NOW - timedelta(hours=36)
    assert moment_of("2w", NOW) == NOW - timedelta(weeks=2)
    assert moment_of("2025-03-09T10:00:00+02:00", NOW) == NOW
    with pytest.raises(UsageError, match="last tuesday is no moment"):
        moment_of("last tuesday", NOW)
    assert shelf.ask("report", "--since", "soon").exit_code == 2


def test_without_a_store_nothing_was_delivered(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path)
    assert json.loads(shelf.ask("report", "--json").output) == []
    assert shelf.ask("report", "--json", "--csv").exit_code == 2
