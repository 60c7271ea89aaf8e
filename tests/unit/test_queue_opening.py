"""A store is made, checked, upgraded after a backup, or left alone with a sentence."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import NotFoundError, StoreDamagedError, StoreError, StoreTooNewError
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue import schema
from exlab_sync_tui.queue.connection import Connection, explain, log_ahead, open_reader, open_writer, transaction
from exlab_sync_tui.queue.rows import EPOCH, moment_text
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Debt, DebtKind, HistoryEntry, JobFilter, NewJob, Observation

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2025, 3, 9, 12, tzinfo=UTC)
EVERY = JobFilter()
FORM = len(schema.migrations())
NEXT = schema.Migration(FORM + 1, "ALTER TABLE notes ADD COLUMN since TEXT;")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A closed store with two queued jobs."""
    where = tmp_path / "queue.db"
    store = await opened(where)
    for name in "ab":
        await store.enqueue(NewJob(name, f"/lab/{name}", "SCOPE", ""), at=NOON, who="monitor")
    await store.close()
    return where


async def opened(path: Path, *, read_only: bool = False) -> SQLiteStore:
    store = SQLiteStore(path, read_only=read_only)
    await store.open()
    return store


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def make_folder(path: Path) -> None:
    path.mkdir()


def names_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def edit(path: Path, sql: str, *values: object) -> None:
    """What somebody does with another program."""
    db = sqlite3.connect(path)
    db.execute(sql, values)
    db.commit()
    db.close()


FIRST_FORM = schema.migrations()[:1]


class TestUpgrade:
    async def test_the_first_form_gets_the_columns_of_cleanup_after_a_backup(self, tmp_path: Path) -> None:
        path = tmp_path / "queue.db"
        schema.prepare(path, FIRST_FORM)
        verified, later = "2025-03-09T12:00:00.000000Z", "2025-03-10T12:00:00.000000Z"
        for name, passes, last in (("a", 1, verified), ("b", 2, later), ("c", 0, later)):
            edit(
                path,
                "INSERT INTO jobs (id, run_path, run_folded, equipment_id, state, verify_passes, verified_at,"
                " last_attempt_at) VALUES (?, ?, ?, 'SCOPE', 'verified', ?, ?, ?)",
                *(name, name.encode(), name.encode(), passes, verified, last),
            )
        store = await opened(path)
        jobs = await store.jobs(EVERY)
        assert [(job.id, job.passed_at) for job in jobs] == [
            ("a", NOON),
            ("b", NOON + timedelta(days=1)),
            ("c", None),
        ]
        assert [(job.releasing_at, job.keep_local, job.beside) for job in jobs] == [(None, False, "")] * 3
        assert [job.id for job in await store.stale("SCOPE", frozenset({SyncJobState.VERIFIED}), NOON)] == ["a"]
        await store.close()
        assert f"queue.db.before-{FORM}.bak" in names_beside(path)
        with pytest.raises(StoreTooNewError):
            schema.prepare(path, FIRST_FORM)

    async def test_an_older_store_is_backed_up_and_then_upgraded(self, path: Path) -> None:
        store = SQLiteStore(path, migrations=[*schema.migrations(), NEXT])
        await store.open()
        assert len(await store.jobs(EVERY)) == 2
        identity = store.store_id
        await store.close()
        backup = await opened(path.with_name(f"queue.db.before-{FORM + 1}.bak"))
        assert (len(await backup.jobs(EVERY)), backup.store_id) == (2, identity)
        await backup.close()
        with pytest.raises(StoreTooNewError, match=f"form {FORM + 1}"):
            await opened(path)

    async def test_a_failed_upgrade_changes_nothing(self, path: Path) -> None:
        broken = schema.Migration(FORM + 1, "CREATE TABLE half (a); CREATE TABLE jobs (b);")
        with pytest.raises(StoreError, match="already exists"):
            await SQLiteStore(path, migrations=[*schema.migrations(), broken]).open()
        store = await opened(path)
        assert len(await store.jobs(EVERY)) == 2
        await store.close()

    async def test_a_newer_store_is_refused_and_left_as_it_is(self, path: Path) -> None:
        edit(path, "PRAGMA user_version = 99")
        before = content_of(path)
        for read_only in (False, True):
            with pytest.raises(StoreTooNewError, match=r"99.*upgrade this program"):
                await opened(path, read_only=read_only)
        assert content_of(path) == before

    async def test_a_reader_does_not_upgrade(self, path: Path) -> None:
        store = SQLiteStore(path, read_only=True, migrations=[*schema.migrations(), NEXT])
        with pytest.raises(StoreError, match="older exlab-sync"):
            await store.open()
        assert not any("bak" in name for name in names_beside(path))

    def test_migrations_are_numbered_without_gaps(self) -> None:
        assert [step.version for step in schema.migrations()] == list(range(1, len(schema.migrations()) + 1))


class TestDamage:
    @pytest.mark.parametrize("content", [b"x", b"not a database" * 1_000, b"SQLite format 3\0" + b"?" * 5_000])
    async def test_what_is_no_database_is_refused_and_left_as_it_is(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "queue.db"
        write(file, content)
        for read_only in (False, True):
            with pytest.raises(StoreDamagedError, match="left untouched"):
                await opened(file, read_only=read_only)
        assert content_of(file) == content

    async def test_a_damaged_page_is_found_at_the_start(self, path: Path) -> None:
        content = bytearray(content_of(path))
        size = int.from_bytes(content[16:18], "big")
        for page in range(2, len(content) // size):
            content[page * size : page * size + 64] = b"\xaa" * 64
        write(path, bytes(content))
        with pytest.raises(StoreDamagedError, match="damaged"):
            await opened(path)
        assert content_of(path) == bytes(content)

    async def test_an_index_without_its_rows_is_found_at_the_start(self, path: Path) -> None:
        edit(path, "CREATE TABLE spare (a)")
        db = sqlite3.connect(path)
        db.execute("PRAGMA writable_schema = ON")
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'spare'").fetchone()
        db.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'notes'", (root,))
        db.commit()
        db.close()
        with pytest.raises(StoreDamagedError, match="damaged"):
            await opened(path)

    async def test_another_programs_database_is_refused_and_left_as_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "queue.db"
        edit(file, "CREATE TABLE sync_jobs (id TEXT)")
        before = content_of(file)
        with pytest.raises(StoreError, match="another program's database"):
            await opened(file)
        assert content_of(file) == before

    async def test_a_folder_that_is_missing_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be opened; its folder must exist"):
            await opened(tmp_path / "nowhere" / "queue.db")

    async def test_a_folder_in_its_place_is_said(self, tmp_path: Path) -> None:
        make_folder(tmp_path / "queue.db")
        for read_only in (False, True):
            with pytest.raises(StoreError, match="directory"):
                await opened(tmp_path / "queue.db", read_only=read_only)

    async def test_a_backup_that_cannot_be_made_stops_the_upgrade(self, path: Path) -> None:
        make_folder(path.with_name(f"queue.db.before-{FORM + 1}.bak"))
        with pytest.raises(StoreError, match="cannot be prepared"):
            await SQLiteStore(path, migrations=[*schema.migrations(), NEXT]).open()
        store = await opened(path)
        await store.close()

    async def test_a_file_system_without_shared_memory_is_refused(self, tmp_path: Path) -> None:
        memory = sqlite3.connect(":memory:")
        with pytest.raises(StoreError, match="network share"):
            log_ahead(memory, tmp_path / "queue.db")
        memory.close()

    @pytest.mark.parametrize(
        ("code", "kind", "words"),
        [
            (sqlite3.SQLITE_FULL, StoreError, "disk is full"),
            (sqlite3.SQLITE_BUSY, StoreError, "in use by another program"),
            (sqlite3.SQLITE_READONLY, StoreError, "check the rights"),
            (sqlite3.SQLITE_IOERR, StoreError, "check the disk"),
            (sqlite3.SQLITE_CORRUPT, StoreDamagedError, "sets it aside"),
        ],
    )
    def test_every_error_names_cause_and_next_step(
        self, tmp_path: Path, code: int, kind: type[StoreError], words: str
    ) -> None:
        error = sqlite3.OperationalError("no\x1b")
        error.sqlite_errorcode = code | 3 << 8
        sentence = explain(tmp_path / "a\nb.db", error)
        assert type(sentence) is kind
        assert words in str(sentence)
        assert "\n" not in str(sentence)
        assert "\x1b" not in str(sentence)


class TestReadingOnly:
    async def test_a_reader_sees_what_the_engine_has_committed(self, path: Path) -> None:
        engine, reader = await opened(path), await opened(path, read_only=True)
        await engine.claim("SCOPE", at=NOON)
        job = await reader.job("a")
        assert job is not None
        assert job.state is SyncJobState.RUNNING
        assert reader.store_id == engine.store_id
        with pytest.raises(StoreError, match="reading only"):
            await reader.claim("SCOPE", at=NOON)
        await reader.close()
        await engine.close()

    async def test_before_anything_was_queued_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="Nothing has been queued yet"):
            await opened(tmp_path / "queue.db", read_only=True)
        write(tmp_path / "queue.db", b"")
        with pytest.raises(NotFoundError, match="Nothing has been queued yet"):
            await opened(tmp_path / "queue.db", read_only=True)
        assert names_beside(tmp_path / "queue.db") == ["queue.db"]

    async def test_a_reader_opens_beside_a_writer_that_is_in_the_middle(self, path: Path) -> None:
        db = open_writer(path)
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM jobs")
        reader = await opened(path, read_only=True)
        assert len(await reader.jobs(EVERY)) == 2
        await reader.close()
        db.execute("ROLLBACK")
        db.close()


class TestRowsOfOthers:
    async def test_a_job_in_an_unknown_state_is_kept_skipped_and_said_once(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        edit(path, "UPDATE jobs SET state = 'quarantined\x1b' WHERE id = 'a'")
        store = await opened(path)
        with caplog.at_level(logging.WARNING):
            assert [job.id for job in await store.jobs(EVERY)] == ["b"]
            assert [job.id for job in await store.jobs(EVERY, limit=1)] == ["b"]
            assert await store.job("a") is None
            assert await store.job_of("/lab/a") is None
            assert await store.counts() == {("SCOPE", SyncJobState.QUEUED): 1}
            claimed = await store.claim("SCOPE", at=NOON)
            assert claimed is not None
            assert claimed.id == "b"
            assert await store.next_due("SCOPE") is None
        assert len([line for line in caplog.messages if "a, /lab/a" in line or "1, a" in line]) == 1
        assert all("kept and skipped" in line and "\x1b" not in line for line in caplog.messages)
        with pytest.raises(StoreError, match="upgrade this program"):
            await store.enqueue(NewJob("c", "/lab/a", "SCOPE", ""), at=NOON, who="monitor")
        with pytest.raises(StoreError, match="upgrade this program"):
            await store.move("a", SyncJobState.RUNNING, at=NOON, who="e", what="w")
        assert await store.running_to_queued(at=NOON, who="e", what="w") == 1
        await store.close()
        db = sqlite3.connect(path)
        assert db.execute("SELECT state FROM jobs WHERE id = 'a'").fetchone() == ("quarantined\x1b",)
        db.close()

    @pytest.mark.parametrize(
        ("text", "due"),
        [
            ("2001-01-01T05:00:00+05:00", True),
            ("2025-03-09T13:00:00+02:00", True),
            ("2025-03-09T12:00:00", True),
            ("2025-03-09T12:00:01", False),
            ("2025-03-09 08:00:01-04:00", False),
            ("next tuesday", True),
            ("", True),
            ("9999-99-99T00:00:00Z", True),
        ],
    )
    async def test_a_waiting_time_is_read_as_an_instant_and_an_unreadable_one_is_due(
        self, path: Path, text: str, *, due: bool
    ) -> None:
        edit(path, "DELETE FROM jobs WHERE id = 'b'")
        edit(path, "UPDATE jobs SET next_attempt_at = ?", text)
        store = await opened(path)
        assert (await store.next_due("SCOPE") or EPOCH) <= NOON + timedelta(seconds=1)
        assert (await store.claim("SCOPE", at=NOON) is not None) is due
        await store.close()

    async def test_what_follows_from_the_state_is_mended_at_the_start(self, path: Path) -> None:
        edit(path, "UPDATE jobs SET state = 'failed' WHERE id = 'a'")
        edit(path, "UPDATE jobs SET held = 1 WHERE id = 'b'")
        store = await opened(path)
        assert await store.claim("SCOPE", at=NOON) is None
        assert await store.counts() == {("SCOPE", SyncJobState.QUEUED): 1, ("SCOPE", SyncJobState.FAILED): 1}
        await store.close()
        edit(path, "UPDATE jobs SET held = 0, state = 'queued', due_us = 7")
        edit(path, "DELETE FROM jobs WHERE id = 'a'")
        store = await opened(path)
        assert (await store.next_due("SCOPE")) == EPOCH
        assert await store.counts() == {("SCOPE", SyncJobState.QUEUED): 1}
        await store.close()
        edit(path, "UPDATE jobs SET state = 'verified', due_us = 7, ready = 0")
        store = await opened(path)
        assert await store.next_due("SCOPE") is None
        await store.close()

    async def test_other_rows_that_cannot_be_read_are_skipped_too(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = await opened(path)
        await store.set_hold(Hold(HoldScope.RUN, "/lab/a", HoldKind.LOCKED, "s", NOON))
        await store.owe(Debt("/lab/a", DebtKind.SYNC_STATUS, "synced", NOON))
        await store.observe(Observation("/lab/a", "f", NOON, NOON))
        await store.put_files("a", [FileRecord("x", 1, 1, 1, b"1" * 32, b"1" * 32, EvidenceLevel.READ_BACK)])
        await store.record(HistoryEntry(NOON, "/lab/a", "", "mira", "said"))
        await store.close()
        edit(path, "UPDATE holds SET kind = 'eclipse'")
        edit(path, "UPDATE debts SET kind = 'honour'")
        edit(path, "UPDATE observations SET seen = 'lately'")
        edit(path, "UPDATE files SET rung = 'hearsay'")
        edit(path, "UPDATE history SET data = CASE what WHEN 'said' THEN '[1]' ELSE '{' END")
        store = await opened(path)
        assert await store.holds() == []
        assert await store.hold(HoldScope.RUN, "/lab/a") is None
        assert await store.debts() == []
        assert await store.observation("/lab/a") is None
        assert [line.what for line in await store.history("/lab/a")] == ["said"]
        (record,) = await store.files("a")
        assert (record.far_sha256, record.rung, record.proven) == (None, None, False)
        assert len(caplog.messages) == 3
        await store.close()


class TestThreads:
    async def test_a_cancelled_writer_leaves_nothing_half_done(self, path: Path) -> None:
        store = await opened(path)
        writers = [asyncio.create_task(store.note(f"key {n}", str(n))) for n in range(50)]
        await asyncio.sleep(0)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        await store.note("last", "here")
        assert await store.noted("last") == "here"
        await store.close()

    async def test_a_step_that_fails_is_taken_back(self, path: Path) -> None:
        db = open_writer(path)

        def fail(sql: str) -> None:
            with transaction(db):
                db.execute("DELETE FROM jobs")
                db.execute(sql)

        for sql in ("SELECT nothing", "ROLLBACK"):
            with pytest.raises(sqlite3.OperationalError):
                fail(sql)
        assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 2
        db.close()

    async def test_an_error_in_the_middle_is_a_sentence(self, path: Path) -> None:
        store = await opened(path)
        edit(path, "DROP TABLE holds")
        with pytest.raises(StoreError, match=r"cannot be read or written \(no such table: holds\)"):
            await store.holds()
        await store.close()

    async def test_a_connection_that_cannot_start_leaves_nothing_behind(self, tmp_path: Path) -> None:
        def refuse(_: Path) -> sqlite3.Connection:
            raise StoreError("not here")

        write(tmp_path / "garbage.db", b"no database" * 100)
        for name, opener, words in [
            ("absent.db", open_reader, "cannot be opened"),
            ("garbage.db", open_writer, "damaged"),
            ("any.db", refuse, "not here"),
        ]:
            connection = Connection(tmp_path / name, opener)
            with pytest.raises(StoreError, match=words):
                await connection.start()
            assert not connection._thread.is_alive()

    async def test_many_records_are_dropped_in_batches(self, path: Path) -> None:
        store = await opened(path)
        records = [FileRecord(f"{n:06}", 1, 1) for n in range(45_000)]
        await store.put_files("a", records)
        await store.drop_files("a", [record.rel for record in records[:21_000]])
        assert (await store.file_totals("a")).files == 24_000
        await store.drop_files("a")
        assert (await store.file_totals("a")).files == 0
        await store.close()

    def test_a_program_that_forgets_to_close_still_ends(self, tmp_path: Path) -> None:
        script = (
            "import asyncio, sys\nfrom pathlib import Path\nfrom exlab_sync_tui.queue.sqlite import SQLiteStore\n"
            "async def main():\n    await SQLiteStore(Path(sys.argv[1])).open()\n    raise SystemExit(3)\n"
            "asyncio.run(main())"
        )
        ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "q.db")], timeout=30, check=False)
        assert ended.returncode == 3


def test_a_moment_without_a_zone_is_a_mistake_in_the_program() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        moment_text(datetime(2025, 3, 9))  # noqa: DTZ001  # the mistake under test
    assert moment_text(datetime(25, 3, 9, tzinfo=UTC)) == "0025-03-09T00:00:00.000000Z"


def test_a_path_of_any_bytes_is_a_store(tmp_path: Path) -> None:
    where = tmp_path / os.fsdecode(b"100% #?\xff.db")

    async def use() -> None:
        store = await opened(where)
        await store.close()

    asyncio.run(use())
    assert where.exists()
