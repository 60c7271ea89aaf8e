"""Every job store keeps the same promises: one suite for the file and for the memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import IllegalTransitionError, NotFoundError, StoreError
from exlab_sync_tui.model.entry import FileRecord, FileTotals
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import Round, SyncJobRow, SyncJobState
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import (
    Debt,
    DebtKind,
    FilesWanted,
    HistoryEntry,
    JobFilter,
    JobKey,
    JobStore,
    NewJob,
    Observation,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

S = SyncJobState
NOON = datetime(2025, 3, 9, 12, 0, 0, 123_456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVERY = JobFilter()
STRANGE = "/data/lab/Ω [/red]\x1b[2J\n-rf\udcff"
"""A path with markup, an escape, a newline and a byte that is not UTF-8."""


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JobStore]:
    made: JobStore = SQLiteStore(tmp_path / "queue.db") if request.param == "sqlite" else MemoryStore()
    await made.open()
    yield made
    await made.close()


async def queued(store: JobStore, name: str = "a", equipment: str = "SCOPE") -> SyncJobRow:
    new = NewJob(f"id-{name}", f"/lab/{name}", equipment, f"nas/{name}")
    job, _ = await store.enqueue(new, at=NOON, who="monitor")
    return job


async def verified(store: JobStore, name: str = "a") -> SyncJobRow:
    job = await queued(store, name)
    for state in (S.RUNNING, S.AWAITING_VERIFY, S.VERIFIED):
        job = await store.move(job.id, state, at=NOON, who="engine", what="went on")
    return job


async def reopened(store: JobStore) -> JobStore:
    await store.close()
    await store.open()
    return store


class TestEnqueue:
    async def test_a_run_is_queued_once(self, store: JobStore) -> None:
        first, is_new = await store.enqueue(NewJob("1", STRANGE, "SCOPE", "x/\udcfe"), at=NOON, who="mira")
        again, is_new_again = await store.enqueue(NewJob("2", STRANGE, "SCOPE", "y"), at=NOON + SECOND, who="otto")
        assert (is_new, is_new_again) == (True, False)
        assert again == first == await store.job("1") == await store.job_of(STRANGE)
        assert first == SyncJobRow(
            "1", STRANGE, "SCOPE", S.QUEUED, enqueued_at=NOON, nas_path="x/\udcfe", seq=1, origin="monitor"
        )
        assert await store.job("2") is None
        assert await store.job_of("/elsewhere") is None

    async def test_twenty_callers_at_once_make_one_row(self, store: JobStore) -> None:
        calls = (store.enqueue(NewJob(str(n), "/lab/a", "SCOPE", "a"), at=NOON, who="x") for n in range(20))
        answers = await asyncio.gather(*calls)
        assert [is_new for _, is_new in answers].count(True) == 1
        assert len({job.id for job, _ in answers}) == 1
        assert len(await store.jobs(EVERY)) == 1

    async def test_it_is_in_the_history(self, store: JobStore) -> None:
        await store.enqueue(NewJob("1", STRANGE, "SCOPE", "", origin="operator"), at=NOON, who="mira")
        assert await store.history(STRANGE) == [HistoryEntry(NOON, STRANGE, "1", "mira", "queued", "", "queued", {}, 1)]

    async def test_it_survives_closing(self, store: JobStore) -> None:
        job = await queued(store)
        identity = store.store_id
        await reopened(store)
        assert await store.job(job.id) == job
        assert store.store_id == identity
        assert len(identity) == 36


class TestClaim:
    async def test_the_oldest_of_the_equipment_comes_first(self, store: JobStore) -> None:
        await queued(store, "other", "READER")
        first, second = await queued(store, "b"), await queued(store, "a")
        claimed = await store.claim("SCOPE", at=NOON + SECOND)
        assert claimed == replace(
            first, state=S.RUNNING, started_at=NOON + SECOND, last_attempt_at=NOON + SECOND, next_attempt_at=None
        )
        assert claimed == await store.job(first.id)
        assert (await store.history("/lab/b"))[-1].after == "running"
        following = await store.claim("SCOPE", at=NOON)
        assert following is not None
        assert following.id == second.id
        assert await store.claim("SCOPE", at=NOON) is None
        assert await store.claim("NOBODY", at=NOON) is None

    async def test_a_waiting_job_is_claimed_when_its_time_has_come(self, store: JobStore) -> None:
        job = await queued(store)
        await store.claim("SCOPE", at=NOON)
        due = NOON + timedelta(microseconds=1)
        await store.move(job.id, S.QUEUED, at=NOON, who="engine", what="again later", next_attempt_at=due)
        assert await store.next_due("SCOPE") == due
        assert await store.claim("SCOPE", at=NOON) is None
        await reopened(store)
        assert await store.claim("SCOPE", at=NOON) is None
        claimed = await store.claim("SCOPE", at=due)
        assert claimed is not None
        assert (claimed.id, claimed.next_attempt_at) == (job.id, None)
        assert await store.next_due("SCOPE") is None

    async def test_a_waiting_older_job_goes_before_a_younger_one_once_it_is_due(self, store: JobStore) -> None:
        older, younger = await queued(store, "older"), await queued(store, "younger")
        await store.amend(older.id, next_attempt_at=NOON + SECOND)
        first = await store.claim("SCOPE", at=NOON + SECOND)
        second = await store.claim("SCOPE", at=NOON + SECOND)
        assert [job.id for job in (first, second) if job] == [older.id, younger.id]

    async def test_a_held_job_is_passed_over_until_it_is_released(self, store: JobStore) -> None:
        held, free = await queued(store, "held"), await queued(store, "free")
        await store.amend(held.id, held=True, next_attempt_at=NOON + SECOND)
        claimed = await store.claim("SCOPE", at=NOON + 9 * SECOND)
        assert claimed is not None
        assert claimed.id == free.id
        assert await store.next_due("SCOPE") is None
        assert await store.release(["READER"]) == 0
        assert await store.release(["SCOPE", "SCOPE", "READER"]) == 1
        released = await store.job(held.id)
        assert released is not None
        assert (released.held, released.next_attempt_at) == (False, None)
        due = await store.next_due("SCOPE")
        assert due is not None
        assert due < NOON
        assert await store.claim("SCOPE", at=NOON) is not None

    async def test_one_run_alone_is_released(self, store: JobStore) -> None:
        for name in "ab":
            job = await queued(store, name)
            await store.amend(job.id, held=True)
        assert await store.release(["SCOPE"], run_path="/lab/b") == 1
        claimed = await store.claim("SCOPE", at=NOON)
        assert claimed is not None
        assert claimed.run_path == "/lab/b"
        assert await store.claim("SCOPE", at=NOON) is None

    async def test_a_backoff_is_not_cut_short_by_a_release(self, store: JobStore) -> None:
        job = await queued(store)
        await store.amend(job.id, next_attempt_at=NOON + SECOND)
        assert await store.release(["SCOPE"]) == 0
        assert await store.next_due("SCOPE") == NOON + SECOND

    async def test_a_job_that_is_no_longer_queued_is_not_due(self, store: JobStore) -> None:
        job = await queued(store)
        await store.move(job.id, S.FAILED, at=NOON, who="engine", what="vanished")
        assert await store.next_due("SCOPE") is None
        assert await store.claim("SCOPE", at=NOON) is None


class TestMove:
    async def test_a_legal_step_is_refused_if_the_job_moved_meanwhile(self, store: JobStore) -> None:
        job = await queued(store)
        await store.move(job.id, S.RUNNING, at=NOON, who="e", what="w")
        with pytest.raises(IllegalTransitionError):
            await store.move(job.id, S.FAILED, at=NOON, who="e", what="w", only_from=S.QUEUED)
        assert (await store.move(job.id, S.FAILED, at=NOON, who="e", what="w", only_from=S.RUNNING)).state is S.FAILED

    @pytest.mark.parametrize("after", list(S))
    async def test_only_legal_steps_are_made(self, store: JobStore, after: SyncJobState) -> None:
        job = await queued(store)
        if after in {S.RUNNING, S.FAILED}:
            assert (await store.move(job.id, after, at=NOON, who="e", what="w")).state is after
            return
        with pytest.raises(IllegalTransitionError, match=rf"queued.*{after.value}"):
            await store.move(
                job.id, after, at=NOON, who="e", what="w", debts=[Debt("/r", DebtKind.SYNC_STATUS, "x", NOON)]
            )
        assert await store.job(job.id) == job
        assert len(await store.history(job.run_path)) == 1
        assert await store.debts() == []

    async def test_it_writes_columns_history_and_debts_together(self, store: JobStore) -> None:
        job = await queued(store)
        await store.move(job.id, S.RUNNING, at=NOON, who="engine", what="started")
        debt = Debt(job.run_path, DebtKind.SYNC_STATUS, "failed", NOON, "locked \udcff")
        moved = await store.move(
            job.id,
            S.AWAITING_VERIFY,
            at=NOON + SECOND,
            who="engine",
            what="sent \udcff",
            debts=[debt],
            attempts=2,
            last_error="network: gone \udcff",
            verify_passes=1,
            verified_at=NOON,
            nas_path="b/\udcff",
            destination_id="d",
            round=Round.REVISION,
            revision=2,
            resent=True,
            frozen=True,
            publishing="ff",
            evidence=EvidenceLevel.READ_BACK,
            manifest_sha256="ee",
            files_total=3,
            bytes_total=1 << 62,
        )
        assert moved == await store.job(job.id)
        assert moved == replace(
            job,
            state=S.AWAITING_VERIFY,
            attempts=2,
            last_error="network: gone \\udcff",
            verify_passes=1,
            verified_at=NOON,
            nas_path="b/\udcff",
            destination_id="d",
            round=Round.REVISION,
            revision=2,
            resent=True,
            frozen=True,
            publishing="ff",
            evidence=EvidenceLevel.READ_BACK,
            manifest_sha256="ee",
            files_total=3,
            bytes_total=1 << 62,
        )
        assert await store.debts() == [replace(debt, last_error="locked \\udcff")]
        last = (await store.history(job.run_path))[-1]
        assert (last.what, last.before, last.after) == ("sent \\udcff", "running", "awaiting_verify")

    async def test_a_move_ends_a_wait_and_a_hold_unless_told_otherwise(self, store: JobStore) -> None:
        job = await queued(store)
        await store.amend(job.id, held=True, next_attempt_at=NOON)
        failed = await store.move(job.id, S.FAILED, at=NOON, who="e", what="w")
        assert (failed.held, failed.next_attempt_at) == (False, None)
        held = await store.move(job.id, S.QUEUED, at=NOON, who="e", what="w", held=True)
        assert held.held
        assert await store.claim("SCOPE", at=NOON) is None

    async def test_moments_in_other_zones_are_the_same_instants(self, store: JobStore) -> None:
        job = await queued(store)
        there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
        await store.amend(job.id, next_attempt_at=there)
        changed = await store.job(job.id)
        assert changed is not None
        assert changed.next_attempt_at == NOON
        assert await store.claim("SCOPE", at=NOON - SECOND) is None
        assert await store.claim("SCOPE", at=there) is not None

    async def test_amending_keeps_the_state_and_the_rest(self, store: JobStore) -> None:
        job = await verified(store)
        amended = await store.amend(job.id, verify_passes=2)
        assert amended == replace(job, verify_passes=2) == await store.job(job.id)

    async def test_what_is_not_there_is_said(self, store: JobStore) -> None:
        with pytest.raises(NotFoundError, match="no job nobody"):
            await store.move("nobody", S.RUNNING, at=NOON, who="e", what="w")
        with pytest.raises(NotFoundError, match="no job nobody"):
            await store.amend("nobody", attempts=1)
        with pytest.raises(NotFoundError, match="no job nobody"):
            await store.put_files("nobody", [FileRecord("a", 1, 1)])

    async def test_a_column_that_does_not_exist_is_refused(self, store: JobStore) -> None:
        job = await queued(store)
        with pytest.raises(TypeError, match="seq"):
            await store.amend(job.id, seq=7)  # type: ignore[call-arg]  # the mistake under test

    async def test_a_restart_queues_what_was_running(self, store: JobStore) -> None:
        job, other = await queued(store, "a"), await queued(store, "b", "READER")
        await store.claim("SCOPE", at=NOON)
        await store.amend(job.id, attempts=3)
        assert await store.running_to_queued(at=NOON + SECOND, who="engine", what="restarted") == 1
        again = await store.job(job.id)
        assert again is not None
        assert (again.state, again.attempts) == (S.QUEUED, 3)
        assert [line.what for line in await store.history(job.run_path)] == ["queued", "started", "restarted"]
        assert await store.job(other.id) == other
        assert await store.claim("SCOPE", at=NOON) is not None
        await store.running_to_queued(at=NOON, who="engine", what="restarted")
        assert await store.running_to_queued(at=NOON, who="engine", what="restarted") == 0


class TestLists:
    async def test_pages_follow_each_other(self, store: JobStore) -> None:
        names = [(await queued(store, f"run{n}")).id for n in range(7)]
        seen: list[str] = []
        after = 0
        while page := await store.jobs(EVERY, after_seq=after, limit=3):
            assert len(page) <= 3
            seen += [job.id for job in page]
            after = page[-1].seq
        assert seen == names

    async def test_a_page_may_lie_anywhere_and_run_backwards(self, store: JobStore) -> None:
        for number in range(6):
            await (verified if number % 2 else queued)(store, str(number))

        async def names(*states: SyncJobState, skip: int, limit: int = 2) -> str:
            page = await store.jobs(JobFilter(frozenset(states)), skip=skip, limit=limit, newest_first=True)
            return "".join(job.run_path[-1] for job in page)

        assert await names(skip=0) + await names(skip=2) + await names(skip=4) + await names(skip=6) == "543210"
        assert await names(S.VERIFIED, skip=1) == "31"
        assert await names(S.VERIFIED, S.QUEUED, S.FAILED, skip=3, limit=9) == "210"
        assert [job.seq for job in await store.jobs(EVERY, after_seq=2, skip=1, limit=2)] == [4, 5]

    @pytest.mark.parametrize("by", [JobKey.SIZE, JobKey.FOLDER])
    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_every_job_has_its_place_in_every_order(
        self, store: JobStore, by: JobKey, *, newest_first: bool
    ) -> None:
        for name, amount in (("b", 3), ("C", 1), ("a", 3), ("d", 2)):
            job = await queued(store, name)
            await store.amend(job.id, bytes_total=amount)
        expected = {
            (JobKey.SIZE, False): "Cdba",
            (JobKey.SIZE, True): "badC",
            (JobKey.FOLDER, False): "abCd",
            (JobKey.FOLDER, True): "dCba",
        }[by, newest_first]
        page = [await store.jobs(EVERY, skip=skip, limit=2, newest_first=newest_first, by=by) for skip in (0, 2)]
        jobs = [*page[0], *page[1]]
        assert "".join(job.run_path[-1] for job in jobs) == expected
        assert [await store.place(job, EVERY, newest_first=newest_first, by=by) for job in jobs] == [0, 1, 2, 3]

    async def test_a_place_counts_what_fits_and_comes_before(self, store: JobStore) -> None:
        jobs = [await (verified if number % 2 else queued)(store, str(number)) for number in range(6)]
        assert [await store.place(job, EVERY) for job in jobs] == [0, 1, 2, 3, 4, 5]
        wanted = JobFilter(frozenset({S.VERIFIED}))
        assert [await store.place(job, wanted) for job in jobs] == [0, 0, 1, 1, 2, 2]
        assert [await store.place(job, wanted, newest_first=True) for job in jobs] == [3, 2, 2, 1, 1, 0]

    async def test_filters_restrict_together(self, store: JobStore) -> None:
        await verified(store, "Straße_1")
        await queued(store, "STRASSE_2")
        await queued(store, "strasse_3", "READER")
        failed = await queued(store, "other")
        await store.move(failed.id, S.FAILED, at=NOON, who="e", what="w")

        async def names(wanted: JobFilter, limit: int = 9) -> list[str]:
            return [job.run_path.removeprefix("/lab/") for job in await store.jobs(wanted, limit=limit)]

        assert await names(JobFilter(text="strasse")) == ["Straße_1", "STRASSE_2", "strasse_3"]
        assert await names(JobFilter(states=frozenset({S.VERIFIED, S.FAILED}))) == ["Straße_1", "other"]
        assert await names(JobFilter(states=frozenset({S.VERIFIED, S.FAILED})), limit=1) == ["Straße_1"]
        assert await names(JobFilter(equipment_id="READER")) == ["strasse_3"]
        both = JobFilter(states=frozenset({S.QUEUED}), equipment_id="SCOPE", text="sSe_")
        assert await names(both) == ["STRASSE_2"]
        assert await names(JobFilter(text="%")) == []

    async def test_counts_follow_every_step(self, store: JobStore) -> None:
        assert await store.counts() == {}
        await verified(store, "a")
        await queued(store, "b")
        await queued(store, "c", "READER")
        assert await store.counts() == {("SCOPE", S.VERIFIED): 1, ("SCOPE", S.QUEUED): 1, ("READER", S.QUEUED): 1}
        await store.claim("READER", at=NOON)
        await reopened(store)
        assert await store.counts() == {("SCOPE", S.VERIFIED): 1, ("SCOPE", S.QUEUED): 1, ("READER", S.RUNNING): 1}

    async def test_what_waits_follows_every_step(self, store: JobStore) -> None:
        assert await store.waiting() == {}
        await verified(store, "a")
        first, _ = await store.enqueue(NewJob("b", "/lab/b", "SCOPE", "", files=3, size=500), at=NOON, who="monitor")
        assert (first.files_total, first.bytes_total) == (3, 500)
        second = await queued(store, "c")
        await queued(store, "d", "READER")
        assert await store.waiting() == {"SCOPE": Waiting(500, 1), "READER": Waiting(0, 1)}
        await store.claim("SCOPE", at=NOON)
        await store.amend(first.id, files_total=4, bytes_total=700)
        await store.amend(second.id, files_total=1, bytes_total=1 << 41)
        await reopened(store)
        assert await store.waiting() == {"SCOPE": Waiting(700 + (1 << 41), 0), "READER": Waiting(0, 1)}
        await store.move(first.id, S.AWAITING_VERIFY, at=NOON, who="e", what="w")
        await store.move(second.id, S.FAILED, at=NOON, who="e", what="w")
        assert await store.waiting() == {"READER": Waiting(0, 1)}


class TestFiles:
    RECORDS = (
        FileRecord("a", 1, -5, 7, b"\x01" * 32, b"\x01" * 32, EvidenceLevel.REMOTE_HASH, published=True),
        FileRecord("a/b", 2, 1 << 64, (1 << 64) - 1, b"\x02" * 32, b"\x03" * 32, EvidenceLevel.READ_BACK),
        FileRecord("a/Ω", 4, 3, 0, b"\x04" * 32),
        FileRecord("z\udcff", 8, 4),
    )

    async def test_records_come_back_in_the_order_of_their_bytes(self, store: JobStore) -> None:
        job = await queued(store)
        await store.put_files(job.id, list(reversed(self.RECORDS)))
        assert await store.files(job.id) == list(self.RECORDS)
        assert await store.files(job.id, limit=2) == list(self.RECORDS[:2])
        assert await store.files(job.id, after="a/b") == list(self.RECORDS[2:])
        assert await store.files(job.id, skip=1, limit=2) == list(self.RECORDS[1:3])
        assert await store.files("nobody") == []
        assert await store.file_totals("nobody") == FileTotals()

    async def test_only_what_is_not_proven_or_not_published_is_read(self, store: JobStore) -> None:
        job = await queued(store)
        await store.put_files(job.id, self.RECORDS)
        assert await store.files(job.id, wanted=FilesWanted.UNPROVEN) == list(self.RECORDS[1:])
        assert await store.files(job.id, wanted=FilesWanted.UNPUBLISHED, limit=1) == [self.RECORDS[1]]
        assert await store.files(job.id, wanted=FilesWanted.SENT) == [
            record for record in self.RECORDS if record.sha256 and not record.published
        ]
        assert await store.file_totals(job.id) == FileTotals(4, 15, 1, 1, 14)

    async def test_a_record_is_replaced_as_a_whole(self, store: JobStore) -> None:
        job = await queued(store)
        await store.put_files(job.id, self.RECORDS)
        await store.put_files(job.id, [FileRecord("a", 9, 9)])
        assert (await store.files(job.id))[0] == FileRecord("a", 9, 9)

    async def test_published_marks_are_set_for_some_or_for_all(self, store: JobStore) -> None:
        job, other = await queued(store, "a"), await queued(store, "b")
        await store.put_files(job.id, self.RECORDS)
        await store.put_files(other.id, self.RECORDS)
        await store.mark_published(job.id, ["z\udcff", "unknown"])
        assert [r.rel for r in await store.files(job.id, wanted=FilesWanted.UNPUBLISHED)] == ["a/b", "a/Ω"]
        await store.mark_published(job.id)
        assert await store.files(job.id, wanted=FilesWanted.UNPUBLISHED) == []
        assert len(await store.files(other.id, wanted=FilesWanted.UNPUBLISHED)) == 3

    async def test_records_are_dropped_one_by_one_or_all(self, store: JobStore) -> None:
        job, other = await queued(store, "a"), await queued(store, "b")
        await store.put_files(job.id, self.RECORDS)
        await store.put_files(other.id, self.RECORDS)
        await store.drop_files(job.id, ["a", "z\udcff", "unknown"])
        assert [record.rel for record in await store.files(job.id)] == ["a/b", "a/Ω"]
        await store.drop_files(job.id)
        assert await store.files(job.id) == []
        assert len(await store.files(other.id)) == 4


class TestHolds:
    HOLD = Hold(HoldScope.DESTINATION, "nas:\udcff", HoldKind.AWAY, "no answer", NOON, None, "wait", "SCOPE")

    async def test_the_same_hold_again_is_no_news_and_keeps_its_beginning(self, store: JobStore) -> None:
        assert await store.set_hold(self.HOLD)
        until = NOON + 9 * SECOND
        assert not await store.set_hold(replace(self.HOLD, since=NOON + SECOND, until=until))
        assert await store.hold(HoldScope.DESTINATION, "nas:\udcff") == replace(self.HOLD, until=until)
        assert await store.set_hold(replace(self.HOLD, since=NOON + SECOND, sentence="still none \udcff"))
        kept = await store.hold(HoldScope.DESTINATION, "nas:\udcff")
        assert kept == replace(self.HOLD, sentence="still none \\udcff")

    async def test_another_kind_begins_anew(self, store: JobStore) -> None:
        await store.set_hold(self.HOLD)
        full = replace(self.HOLD, kind=HoldKind.NO_SPACE, since=NOON + SECOND)
        assert await store.set_hold(full)
        assert await store.clear_hold(HoldScope.DESTINATION, "nas:\udcff") == full
        assert await store.clear_hold(HoldScope.DESTINATION, "nas:\udcff") is None
        assert await store.hold(HoldScope.DESTINATION, "nas:\udcff") is None

    async def test_pages_are_ordered_by_key_and_never_part_one_key(self, store: JobStore) -> None:
        for key in "cab":
            for scope in HoldScope:
                await store.set_hold(replace(self.HOLD, key=key, scope=scope, equipment_id=key.upper()))
        first = await store.holds(limit=1)
        assert [(hold.key, hold.scope.value) for hold in first] == [
            ("a", "destination"),
            ("a", "equipment"),
            ("a", "run"),
        ]
        assert [hold.key for hold in await store.holds(after_key="a", limit=4)] == ["b"] * 3 + ["c"] * 3
        assert [hold.key for hold in await store.holds(equipment_id="B", limit=2)] == ["b"] * 3
        assert await store.holds(after_key="c") == []


class TestLedger:
    async def test_a_story_is_read_page_by_page(self, store: JobStore) -> None:
        data: dict[str, str | int | float | bool | None] = {
            "bytes": 7,
            "evidence": "read_back",
            "name": "\udcff",
            "share": 0.5,
            "final": True,
            "none": None,
        }
        for number in range(5):
            await store.record(HistoryEntry(NOON, f"/lab/{number % 2}", "", "mira", f"line {number}", data=data))
        first = await store.history("/lab/0", limit=2)
        rest = await store.history("/lab/0", after_seq=first[-1].seq)
        assert [line.what for line in [*first, *rest]] == ["line 0", "line 2", "line 4"]
        assert rest[0].data == data
        assert await store.history("/lab/7") == []

    async def test_the_reason_of_an_unpaid_debt_never_brings_an_older_value_back(self, store: JobStore) -> None:
        old, newer = (Debt("/r", DebtKind.SYNC_STATUS, value, NOON) for value in ("pending", "synced"))
        await store.owe(old)
        await store.unpaid(old, "locked")
        assert await store.debts() == [replace(old, last_error="locked")]
        await store.owe(newer)
        await store.unpaid(old, "locked")
        assert await store.debts() == [newer]

    async def test_a_debt_is_paid_only_as_it_was_read(self, store: JobStore) -> None:
        old = Debt("/lab/a", DebtKind.SYNC_STATUS, "synced", NOON + SECOND)
        await store.owe(old)
        await store.owe(Debt("/lab/b", DebtKind.LOCAL_RECORDS, "", NOON))
        newer = replace(old, value="cleaned")
        await store.owe(newer)
        await store.paid(old)
        assert [debt.run_path for debt in await store.debts()] == ["/lab/b", "/lab/a"]
        assert await store.debts("/lab/a") == [newer]
        await store.owe(replace(newer, last_error="locked"))
        await store.paid(newer)
        assert await store.debts("/lab/a") == []
        await store.paid(newer)

    async def test_a_run_is_taken_only_as_it_was_seen_and_if_that_is_still_known(self, store: JobStore) -> None:
        seen = Observation(STRANGE, "f1", NOON, NOON + SECOND)
        await store.observe(seen)
        await store.mark_taken(STRANGE, "f0")
        assert await store.observation(STRANGE) == seen
        await store.mark_taken(STRANGE, "f1")
        assert await store.observation(STRANGE) == replace(seen, taken=True)
        await store.forget_observation(STRANGE)
        await store.mark_taken(STRANGE, "f1")
        assert await store.observation(STRANGE) is None

    async def test_the_last_observation_counts(self, store: JobStore) -> None:
        seen = Observation(STRANGE, "f1", NOON, NOON + SECOND)
        await store.observe(seen)
        await store.observe(replace(seen, fingerprint="f2", taken=True))
        assert await store.observation(STRANGE) == replace(seen, fingerprint="f2", taken=True)
        await store.forget_observation(STRANGE)
        await store.forget_observation(STRANGE)
        assert await store.observation(STRANGE) is None

    async def test_jobs_and_observations_of_many_runs_are_read_at_once(self, store: JobStore) -> None:
        jobs = {job.run_path: job for job in [await queued(store, name) for name in ("a", "b", "c")]}
        seen = {path: Observation(path, "f", NOON, NOON) for path in (STRANGE, "/lab/a")}
        for one in seen.values():
            await store.observe(one)
        asked = [STRANGE, *(f"/lab/{name}" for name in "ab"), *(f"/lab/none-{number}" for number in range(1_200))]
        assert await store.jobs_of(asked) == {path: jobs[path] for path in ("/lab/a", "/lab/b")}
        assert await store.observations(asked) == seen
        assert not await store.jobs_of([])
        assert not await store.observations([])

    async def test_notes_are_kept_replaced_and_removed(self, store: JobStore) -> None:
        assert await store.noted("paused") is None
        await store.note("paused", "by mira \udcff")
        await store.note("paused", "by otto \udcff")
        assert await (await reopened(store)).noted("paused") == "by otto \udcff"
        await store.note("paused", None)
        assert await store.noted("paused") is None


async def test_a_closed_store_says_so(store: JobStore) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await store.jobs(EVERY)
    with pytest.raises(StoreError, match="not open"):
        await store.note("a", "b")


async def eligible(store: JobStore, name: str = "a") -> SyncJobRow:
    job = await verified(store, name)
    return await store.move(job.id, S.CLEANUP_ELIGIBLE, at=NOON, who="engine", what="passes and age hold")


class TestRelease:
    async def test_the_mark_is_set_once_and_stays(self, store: JobStore) -> None:
        job = await eligible(store)
        marked = await store.begin_release(job.id, at=NOON, who="reaper", what="deletion begins")
        assert (marked.releasing_at, marked.is_released, marked.state) == (NOON, True, S.CLEANUP_ELIGIBLE)
        again = await store.begin_release(job.id, at=NOON + SECOND, who="reaper", what="deletion begins")
        assert again == marked
        await reopened(store)
        assert await store.job(job.id) == marked
        assert [line.what for line in await store.history("/lab/a")].count("deletion begins") == 1
        assert [one.id for one in await store.jobs(JobFilter(releasing=True))] == [job.id]

    async def test_a_run_that_is_being_deleted_is_never_queued_again(self, store: JobStore) -> None:
        job = await eligible(store)
        await store.begin_release(job.id, at=NOON, who="reaper", what="deletion begins")
        for state in (S.QUEUED, S.FAILED):
            with pytest.raises(IllegalTransitionError):
                await store.move(job.id, state, at=NOON, who="monitor", what="changed")
        cleaned = await store.move(job.id, S.CLEANED, at=NOON, who="reaper", what="deleted")
        assert cleaned.is_released

    async def test_it_needs_the_state_and_a_run_that_owes_nothing_and_is_not_kept(self, store: JobStore) -> None:
        not_yet, kept, owing = await verified(store, "a"), await eligible(store, "b"), await eligible(store, "c")
        await store.amend(kept.id, keep_local=True)
        await store.owe(Debt("/lab/c", DebtKind.SYNC_STATUS, "synced", NOON))
        for job in (not_yet, kept, owing):
            with pytest.raises(IllegalTransitionError):
                await store.begin_release(job.id, at=NOON, who="reaper", what="deletion begins")
        assert await store.jobs(JobFilter(releasing=True)) == []


class TestForget:
    async def test_everything_goes_but_the_history(self, store: JobStore) -> None:
        job = await verified(store)
        await store.put_files(job.id, [FileRecord("a.raw", 1, 2)])
        await store.owe(Debt("/lab/a", DebtKind.SYNC_STATUS, "synced", NOON))
        await store.observe(Observation("/lab/a", "f", NOON, NOON))
        await store.set_hold(Hold(HoldScope.RUN, "/lab/a", HoldKind.CONFLICT, "something", NOON))
        await store.forget(job.id, at=NOON, who="mira", what="deleted on purpose")
        assert await store.job_of("/lab/a") is None
        assert await store.debts() == []
        assert await store.holds() == []
        assert await store.observation("/lab/a") is None
        assert await store.files(job.id) == []
        assert (await store.counts()).get(("SCOPE", S.VERIFIED), 0) == 0
        last = (await store.history("/lab/a"))[-1]
        assert (last.who, last.what, last.before, last.after) == ("mira", "deleted on purpose", "verified", "")

    async def test_a_run_on_its_way_is_not_forgotten(self, store: JobStore) -> None:
        await queued(store)
        running = await store.claim("SCOPE", at=NOON)
        assert running is not None
        with pytest.raises(IllegalTransitionError, match="pause"):
            await store.forget(running.id, at=NOON, who="mira", what="gone")
        with pytest.raises(NotFoundError):
            await store.forget("nobody", at=NOON, who="mira", what="gone")


class TestRestore:
    async def test_a_whole_row_comes_back(self, store: JobStore) -> None:
        job = await eligible(store)
        await store.begin_release(job.id, at=NOON, who="reaper", what="deletion begins")
        known = await store.job(job.id)
        assert known is not None
        told = replace(known, id="other", run_path="/lab/b", verify_passes=2, passed_at=NOON, beside="abcd1234")
        assert await store.restore(told, at=NOON, who="rebuild", what="found on the destination")
        again = await store.job("other")
        assert again == replace(told, seq=again.seq if again else 0)
        assert not await store.restore(replace(told, id="third"), at=NOON, who="rebuild", what="again")
        assert not await store.restore(replace(told, run_path="/lab/c"), at=NOON, who="rebuild", what="again")


class TestStale:
    async def test_the_longest_unproved_comes_first(self, store: JobStore) -> None:
        for name, hours in (("a", 3), ("b", 1), ("c", 2), ("d", 9)):
            job = await verified(store, name)
            await store.amend(job.id, passed_at=NOON + timedelta(hours=hours), verify_passes=hours)
        await verified(store, "e")
        states = frozenset({S.VERIFIED, S.CLEANED})
        before = NOON + timedelta(hours=3)
        assert [job.id for job in await store.stale("SCOPE", states, before)] == ["id-b", "id-c", "id-a"]
        assert [job.id for job in await store.stale("SCOPE", states, before, limit=1, skip=1)] == ["id-c"]
        assert await store.stale("OTHER", states, before) == []
        assert await store.stale("SCOPE", frozenset({S.CLEANED}), before) == []
        assert [job.id for job in await store.jobs(JobFilter(min_passes=3))] == ["id-a", "id-d"]
