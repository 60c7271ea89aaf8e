"""What the console asks besides the store: when a limit changes, room on the NAS, findings, logs, pages of files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.room import Room, as_note, far_room, room_note
from exlab_sync_tui.gate.validator import GateOptions
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.run import EquipmentFolder, Layout
from exlab_sync_tui.operate.objections import objections
from exlab_sync_tui.operate.run_log import run_log
from exlab_sync_tui.queue.store import NewJob
from exlab_sync_tui.settings.bandwidth import Bandwidth, next_change
from exlab_sync_tui.testing import ManualClock, MemoryStore
from exlab_sync_tui.transport.base import Capabilities, DestinationState
from exlab_sync_tui.tui.files import PAGE, FileList, FileReader

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2025, 3, 5, 12, tzinfo=UTC)  # a Wednesday
DAYS = ["mon", "tue", "wed", "thu", "fri"]


@pytest.mark.parametrize(
    ("window", "at", "change"),
    [
        ({"days": DAYS, "from": "08:00", "to": "18:00"}, NOON, (NOON.replace(hour=18), None)),
        ({"days": DAYS, "from": "08:00", "to": "18:00"}, NOON.replace(hour=20), (NOON.replace(day=6, hour=8), 25_600)),
        ({"days": ["fri"], "from": "22:00", "to": "06:00"}, NOON, (NOON.replace(day=7, hour=22), 25_600)),
        (
            {"days": ["fri"], "from": "22:00", "to": "06:00"},
            NOON.replace(day=8, hour=1),
            (NOON.replace(day=8, hour=6), None),
        ),
        ({"days": [*DAYS, "sat", "sun"], "from": "00:00", "to": "24:00"}, NOON, None),
        (None, NOON, None),
    ],
)
def test_the_next_change_of_a_limit_is_the_next_edge_that_matters(
    window: dict[str, object] | None, at: datetime, change: tuple[datetime, int | None] | None
) -> None:
    cap = Bandwidth.model_validate({"upload_mbps": 200, "schedule": [window] if window else []})
    assert next_change(cap, at) == change


async def test_room_on_the_nas_is_what_the_engine_saw_last() -> None:
    store = MemoryStore()
    await store.open()
    assert await far_room(store, "mount:/nas") is None
    await store.note(room_note("mount:/nas"), as_note(DestinationState(None, 5, 9, Capabilities()), NOON))
    assert await far_room(store, "mount:/nas") == Room(5, 9, NOON)
    assert as_note(DestinationState(None, None, None, Capabilities()), NOON) is None
    for broken in ("[1]", "no", '{"seen": "2025-03-05T12:00:00Z"}'):
        await store.note(room_note("mount:/nas"), broken)
        assert await far_room(store, "mount:/nas") is None


async def test_objections_are_told_for_any_run_that_is_there(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.open()
    (tmp_path / "a<b").mkdir()
    folders = [EquipmentFolder("READER", tmp_path, Layout.PLAIN)]
    told = await objections(store, str(tmp_path / "a<b"), folders, GateOptions(), now=NOON)
    assert [finding.rule.value for finding in told.findings if finding.blocks] == ["illegal_filesystem_character"]
    gone = await objections(store, str(tmp_path / "gone"), folders, GateOptions(), now=NOON)
    assert gone.problem.startswith("There is no folder")


def test_a_runs_logs_are_read_by_time_and_links_are_not_followed(tmp_path: Path) -> None:
    assert "no log of its own" in run_log(str(tmp_path)).problem
    cache = tmp_path / ".exlab-wizard"
    cache.mkdir()
    assert "Nothing has been written" in run_log(str(tmp_path)).problem
    (cache / "wizard.a.log").write_bytes(b"2025-03-05T12:00:02Z second \x1b[2J\n\n")
    (cache / "wizard.b.log").write_text("2025-03-05T12:00:01Z first\n")
    (tmp_path / "secret").write_text("2025-03-05T12:00:00Z secret\n")
    (cache / "wizard.c.log").symlink_to(tmp_path / "secret")
    os.mkfifo(cache / "wizard.d.log")
    lines = run_log(str(tmp_path)).lines
    assert [line for line in lines if line.startswith("2025")] == [
        "2025-03-05T12:00:01Z first",
        "2025-03-05T12:00:02Z second \\x1b[2J",
    ]
    assert not any("secret" in line for line in lines)


async def test_pages_of_files_begin_behind_the_nearest_page_that_is_known() -> None:
    store = MemoryStore()
    await store.open()
    job, _ = await store.enqueue(NewJob("1", "/data/Run_1", "READER", "x"), at=NOON, who="test")
    same = bytes(32)
    records = [
        FileRecord(f"{number:04d}", 1, 0, sha256=same, far_sha256=same if number % 2 else None) for number in range(950)
    ]
    await store.put_files(job.id, records)
    reader = FileReader(store, ManualClock(NOON))
    listing = await reader.look(job, unproven_only=False, first=0, last=10)
    assert (listing.total, sorted(listing.pages)) == (950, [0])
    listing = await reader.filled(listing, 3 * PAGE, 3 * PAGE + 1)
    row = listing.row(3 * PAGE)
    assert row is not None
    assert (row.rel, listing.row(PAGE), sorted(listing.pages)) == (f"{3 * PAGE:04d}", None, [0, 3])
    unproven = await reader.look(job, unproven_only=True, first=0, last=1_000)
    assert unproven.total == 475
    assert unproven.row(474) == records[948]
    assert list(FileList().missing(0, 10)) == []
