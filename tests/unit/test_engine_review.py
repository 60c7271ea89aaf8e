"""What an enemy of the engine tried: each of these once lost a byte, lied about one, or kept a run waiting for ever."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui import CreationWriter, NASSyncClient, Validator, platform
from exlab_sync_tui.engine.debts import Bookkeeper
from exlab_sync_tui.engine.travel.assembled import AssembledWay
from exlab_sync_tui.engine.travel.journey import Journey, RunBlocked
from exlab_sync_tui.engine.travel.papers import _others
from exlab_sync_tui.errors import RefusedError, TransportError, TransportErrorKind
from exlab_sync_tui.model.finding import Finding, OffendingKind, Rule, Tier
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import Round, SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Debt, DebtKind
from exlab_sync_tui.testing import ManualClock
from exlab_sync_tui.text import without_secrets
from exlab_sync_tui.transport.mount.transport import MountTransport
from exlab_sync_tui.tree.walk import walk
from tests.checker import check_sides

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow

S = SyncJobState
IDENTITY = "0d1c5a3e-6b53-4f0a-9c59-2f6f4d1a7e11"


@dataclass
class Bench:
    """One plain instrument, a folder that stands for its share, and an engine that is started as often as needed."""

    root: Path
    clock: ManualClock

    @property
    def nas(self) -> Path:
        return self.root / "nas"

    @property
    def run(self) -> Path:
        return self.root / "data" / "Run_A"

    @property
    def far(self) -> Path:
        return self.nas / "PLAIN_01" / "Run_A"

    def prepare(self) -> Bench:
        self.run.mkdir(parents=True)
        (self.run / "a.raw").write_text("alpha")
        (self.run / "b.raw").write_text("beta")
        self.adopt()
        return self

    def adopt(self, identity: str = IDENTITY) -> None:
        self.nas.mkdir()
        marker = {"id": identity, "created_at": "2025-01-01T00:00:00Z"}
        (self.nas / ".exlab-destination.json").write_text(json.dumps(marker))

    def client(self, **sync: object) -> NASSyncClient:
        instrument = {
            "id": "PLAIN_01",
            "label": "Plain instrument",
            "local_root": str(self.root / "data"),
            "nas_root": "//nas/lab",
            "layout": "plain",
            "completeness_signal": "quiescence",
            "settle_seconds": 1,
            "transport": {"type": "mount", "path": str(self.nas)},
        }
        return NASSyncClient(
            config={"equipment": [instrument], "sync": sync},
            queue_db=self.root / "state" / "queue.db",
            validator=Validator(),
            cache_creation=CreationWriter(),
            clock=self.clock,
            operator="mira",
        )

    async def send(self, client: NASSyncClient) -> SyncJobRow:
        """Queue the run, let the lane do what it can, and return the job."""
        await client.enqueue(self.run)
        await client.drain()
        return await self.job(client)

    async def job(self, client: NASSyncClient) -> SyncJobRow:
        job = await client.job_of(self.run)
        assert job is not None
        return job

    def problems(self, *places: str) -> list[object]:
        """What the independent checker objects to; *places* are the folders that must be on the share."""
        sides = dict.fromkeys(places, self.run)
        return list(check_sides(sides, self.nas, expected=places, settled=True))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, ManualClock()).prepare()


@contextmanager
def replaced(owner: type, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """For a while *owner* has another method *name*, made from the one that it has."""
    before = getattr(owner, name)
    setattr(owner, name, make(before))
    try:
        yield
    finally:
        setattr(owner, name, before)


def then_fails(method: Any) -> Any:
    """The method does its work, and the destination is lost before it can say so."""

    async def lost(*given: Any) -> None:
        await method(*given)
        raise TransportError("lost", TransportErrorKind.NETWORK)

    return lost


async def until_verified(bench: Bench, client: NASSyncClient) -> SyncJobRow:
    """Let the waiting times pass."""
    for _ in range(200):
        await client.drain()
        job = await bench.job(client)
        if job.state is not S.QUEUED:
            return job
        await bench.clock.advance(60)
        await asyncio.sleep(0)
    raise AssertionError("the run is still waiting")


class TestAMismatchFoundLater:
    async def test_what_is_sent_afterwards_is_the_whole_run(self, bench: Bench) -> None:
        async with bench.client() as client:
            job = await bench.send(client)
            (bench.far / "a.raw").write_text("ALPHA")
            await client.retry(job.id)
            assert (await bench.job(client)).state is S.FAILED
            bench.far.rename(bench.nas / "aside")
            await client.retry(job.id)
            await client.drain()
            assert (await bench.job(client)).state is S.VERIFIED
        shutil.rmtree(bench.nas / "aside")
        assert not bench.problems("PLAIN_01/Run_A")

    async def test_a_retry_after_additions_does_not_make_it_verified_again(self, bench: Bench) -> None:
        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "c.raw").write_text("gamma")
            job = await bench.send(client)
            assert job.round is Round.ADDITIONS
            (bench.far / "a.raw").write_text("ALPHA")
            await client.retry(job.id)
            await client.retry(job.id)
            await client.drain()
            job = await bench.job(client)
            assert job.state is S.FAILED
            assert (job.last_error or "").startswith("conflict:")
        assert (bench.far / "a.raw").read_text() == "ALPHA"

    @pytest.mark.parametrize("where", ["nas/PLAIN_01/Run_A/analysis.csv", "data/Run_A/c.raw"])
    async def test_a_file_that_came_later_is_no_mismatch(self, bench: Bench, where: str) -> None:
        async with bench.client() as client:
            job = await bench.send(client)
            (bench.root / where).write_text("x")
            await client.retry(job.id)
            assert (await bench.job(client)).state is S.VERIFIED

    async def test_another_share_in_its_place_is_no_mismatch(self, bench: Bench) -> None:
        async with bench.client() as client:
            job = await bench.send(client)
        bench.nas.rename(bench.root / "elsewhere")
        bench.adopt("f" * 8)
        bench.far.mkdir(parents=True)
        async with bench.client() as client:
            with pytest.raises(RefusedError, match="wrong destination"):
                await client.retry(job.id)
            assert (await bench.job(client)).state is S.VERIFIED


class TestAfterTheRename:
    async def test_an_error_after_the_rename_does_not_make_our_run_a_conflict(self, bench: Bench) -> None:
        async with bench.client() as client:
            with replaced(MountTransport, "publish", then_fails):
                assert (await bench.send(client)).state is S.QUEUED
            assert (await until_verified(bench, client)).state is S.VERIFIED
        assert not bench.problems("PLAIN_01/Run_A")

    async def test_an_assembly_that_cannot_be_removed_is_removed_by_the_next_engine(self, bench: Bench) -> None:
        def refuse(_: Any) -> Any:
            async def refused(*_given: Any) -> None:
                raise TransportError("lost", TransportErrorKind.NETWORK)

            return refused

        async with bench.client() as client:
            with replaced(MountTransport, "remove_incoming", refuse):
                assert (await bench.send(client)).state is S.VERIFIED
            assert (bench.nas / "PLAIN_01" / ".exlab-incoming").exists()
        async with bench.client() as client:
            await client.drain()
            assert (await bench.job(client)).state is S.VERIFIED
        assert not (bench.nas / "PLAIN_01" / ".exlab-incoming").exists()

    async def test_papers_of_an_earlier_attempt_do_not_prove_a_file_that_came_since(self, bench: Bench) -> None:
        def lost_after_the_receipt(write: Any) -> Any:
            async def written(self: MountTransport, folder: str, rel: str, data: bytes) -> None:
                await write(self, folder, rel, data)
                if rel.endswith("receipt.json"):
                    raise TransportError("lost", TransportErrorKind.NETWORK)

            return written

        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "c.raw").write_text("gamma")
            with replaced(MountTransport, "write_text", lost_after_the_receipt):
                assert (await bench.send(client)).state is S.QUEUED
            (bench.run / "d.raw").write_text("delta")
            assert (await until_verified(bench, client)).state is S.VERIFIED
            assert {record.rel for record in await client.store.files((await bench.job(client)).id)} == {
                "a.raw",
                "b.raw",
                "c.raw",
            }
            assert (await bench.send(client)).state is S.VERIFIED
        assert not bench.problems("PLAIN_01/Run_A")

    async def test_records_that_were_frozen_anew_are_not_taken_for_what_was_published(self, bench: Bench) -> None:
        def blind_once(look: Any) -> Any:
            blind = iter([True])

            async def looked(self: Journey, trip: Trip) -> bool:
                return False if next(blind, False) else await look(self, trip)

            return looked

        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "c.raw").write_text("gamma")
            with replaced(AssembledWay, "_publish_file_by_file", then_fails):
                assert (await bench.send(client)).state is S.QUEUED
            (bench.run / "d.raw").write_text("delta")
            with replaced(Journey, "_was_published", blind_once):
                assert (await until_verified(bench, client)).state is S.VERIFIED
        assert not bench.problems("PLAIN_01/Run_A")


class TestFileByFile:
    async def test_a_run_can_be_published_directly(self, bench: Bench) -> None:
        async with bench.client(publish="direct") as client:
            assert (await bench.send(client)).state is S.VERIFIED
        assert not bench.problems("PLAIN_01/Run_A")

    async def test_a_half_published_run_is_ours_to_go_on_with(self, bench: Bench) -> None:
        def lost_at_the_second(publish: Any) -> Any:
            calls = iter(range(9))

            async def published(*given: Any) -> None:
                if next(calls):
                    raise TransportError("lost", TransportErrorKind.NETWORK)
                await publish(*given)

            return published

        async with bench.client(publish="direct") as client:
            with replaced(MountTransport, "publish_file", lost_at_the_second):
                assert (await bench.send(client)).state is S.QUEUED
            assert {path.name for path in bench.far.glob("*.raw")} == {"a.raw"}
        async with bench.client(publish="direct") as client:
            assert (await until_verified(bench, client)).state is S.VERIFIED
        assert not bench.problems("PLAIN_01/Run_A")

    async def test_a_folder_that_appears_meanwhile_is_left_alone(self, bench: Bench) -> None:
        def with_a_stranger(publish: Any) -> Any:
            async def published(*given: Any) -> None:
                bench.far.mkdir(exist_ok=True)
                (bench.far / "theirs.txt").write_text("theirs")
                await publish(*given)

            return published

        async with bench.client(publish="direct") as client:
            with replaced(AssembledWay, "publish", with_a_stranger):
                job = await bench.send(client)
                assert (job.state, (job.last_error or "").partition(":")[0]) == (S.FAILED, "conflict")
            await client.retry(job.id)
            await client.drain()
            assert (await bench.job(client)).state is S.FAILED
        assert [path.name for path in bench.far.rglob("*")] == ["theirs.txt"]


class TestARevision:
    async def test_a_death_before_it_is_queued_loses_nothing_that_is_known(self, bench: Bench) -> None:
        def dies(move: Any) -> Any:
            async def moved(self: SQLiteStore, job_id: str, to: S, **given: Any) -> Any:
                if given.get("what", "").startswith("changed since"):
                    raise OSError("killed")
                return await move(self, job_id, to, **given)

            return moved

        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "a.raw").write_text("changed")
            with replaced(SQLiteStore, "move", dies), pytest.raises(OSError, match="killed"):
                await client.enqueue(bench.run)
        async with bench.client() as client:
            job = await bench.send(client)
            assert (job.state, job.revision) == (S.VERIFIED, 2)
        assert (bench.nas / "PLAIN_01" / "Run_A__r2" / "a.raw").read_text() == "changed"

    async def test_a_death_while_additions_are_frozen_does_not_forget_what_was_published(self, bench: Bench) -> None:
        def dies(amend: Any) -> Any:
            async def amended(self: SQLiteStore, job_id: str, **given: Any) -> Any:
                if given.get("round") is Round.REVISION:
                    raise OSError(5, "killed")
                return await amend(self, job_id, **given)

            return amended

        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "c.raw").write_text("gamma")
            with replaced(MountTransport, "push", lambda _: _gone):
                assert (await bench.send(client)).state is S.QUEUED
            (bench.run / "a.raw").write_text("changed")
            with replaced(SQLiteStore, "amend", dies):
                await bench.clock.advance(60)
                await client.drain()
        async with bench.client() as client:
            job = await until_verified(bench, client)
            assert (job.state, job.revision) == (S.VERIFIED, 2)
        assert (bench.far / "a.raw").read_text() == "alpha"
        assert (bench.nas / "PLAIN_01" / "Run_A__r2" / "a.raw").read_text() == "changed"

    async def test_many_at_once_make_one(self, bench: Bench) -> None:
        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "a.raw").write_text("changed")
            await asyncio.gather(*(client.enqueue(bench.run) for _ in range(6)))
            await client.drain()
            job = await bench.job(client)
            assert (job.state, job.revision) == (S.VERIFIED, 2)


class TestAtTheSameTime:
    async def test_many_retries_are_one(self, bench: Bench) -> None:
        bench.far.mkdir(parents=True)
        async with bench.client() as client:
            job = await bench.send(client)
            assert job.state is S.FAILED
            bench.far.rmdir()
            answers = await asyncio.gather(*(client.retry(job.id) for _ in range(6)), return_exceptions=True)
            assert None in answers
            assert all(answer is None or isinstance(answer, RefusedError) for answer in answers), answers
            await client.drain()
            job = await bench.job(client)
            assert (job.state, job.attempts, job.revision) == (S.VERIFIED, 0, 1)

    async def test_a_run_that_the_gate_stops_and_that_vanishes_does_not_end_its_lane(self, bench: Bench) -> None:
        finding = Finding(
            Rule.ORPHAN, Tier.HARD, str(bench.run), ".", OffendingKind.DIRECTORY_SEGMENT, "x", "a rule of this test"
        )

        class Verdict:
            blocking = (finding,)

        def stops(_: Any) -> Any:
            def ask(self: Journey, trip: Trip) -> None:  # as the method that it stands for
                shutil.rmtree(trip.run.path)
                raise RunBlocked(trip.run, Verdict())  # type: ignore[arg-type]  # all that is read of a verdict

            return ask

        async with bench.client() as client:
            with replaced(Journey, "_ask_gate", stops):
                job = await bench.send(client)
            assert (job.state, job.held) == (S.QUEUED, True)
            await client.drain()

    async def test_an_older_status_is_never_written_last(self, bench: Bench) -> None:
        written: list[str] = []

        class Creation:
            def set_sync_status(self, run: Path, status: str) -> None:  # noqa: ARG002  # as CreationWriter has it
                written.append(status)

        async with bench.client() as client:
            parts = client._engine.works.parts  # there is no other way to its store and clock
            store = parts.store
            await store.owe(Debt(str(bench.run), DebtKind.SYNC_STATUS, "pending", bench.clock.now()))
            keeper = Bookkeeper(parts, ())
            object.__setattr__(parts, "creation", Creation())
            first = asyncio.create_task(keeper.pay())
            await asyncio.sleep(0)
            await store.owe(Debt(str(bench.run), DebtKind.SYNC_STATUS, "synced", bench.clock.now()))
            await asyncio.gather(first, keeper.pay(str(bench.run)))
            assert written[-1] == "synced"
            assert await store.debts() == []


class TestHolds:
    async def test_the_hold_of_a_run_that_was_renamed_ends_with_one_look(self, bench: Bench) -> None:
        bad = bench.run.rename(bench.run.with_name("Run_<x>"))
        async with bench.client() as client:
            await client.scan()
            await bench.clock.advance(2)
            await client.scan()
            assert [hold.kind for hold in await client.store.holds()] == [HoldKind.BLOCKED]
            bad.rename(bench.run)
            await client.scan()
            assert str(bad) not in {hold.key for hold in await client.store.holds()}

    async def test_a_name_that_cannot_be_taken_is_tried_again_when_it_has_changed(self, bench: Bench) -> None:
        tried = []

        def refuse(_: Any) -> Any:
            async def refused(*_given: Any) -> None:
                tried.append(1)
                raise TransportError("cannot take that name", TransportErrorKind.NAMES)

            return refused

        async with bench.client() as client:
            with replaced(MountTransport, "open_incoming", refuse):
                for _ in range(6):
                    await client.scan()
                    await client.drain()
                    await bench.clock.advance(60)
            assert len(tried) == 1
            (bench.run / "a.raw").rename(bench.run / "c.raw")
            for _ in range(2):
                await client.scan()
                await bench.clock.advance(60)
            await client.drain()
            assert (await bench.job(client)).state is S.VERIFIED

    async def test_the_hold_of_a_verified_run_ends_when_the_gate_is_content(self, bench: Bench) -> None:
        async with bench.client() as client:
            await bench.send(client)
            (bench.run / "bad<x>.txt").touch()
            await client.enqueue(bench.run)
            assert [hold.kind for hold in await client.store.holds()] == [HoldKind.BLOCKED]
            (bench.run / "bad<x>.txt").unlink()
            await client.enqueue(bench.run)
            assert await client.store.holds() == []


async def test_folders_that_the_destination_does_not_tell_apart_are_twins_too(bench: Bench) -> None:
    for rel in ("Scan/x.raw", "scan/y.raw"):
        (bench.run / rel).parent.mkdir()
        (bench.run / rel).touch()

    def blind_to_case(opened: Any) -> Any:
        async def capabilities(*given: Any) -> Any:
            return replace(await opened(*given), case_sensitive=False)

        return capabilities

    async with bench.client() as client:
        with replaced(MountTransport, "open_incoming", blind_to_case):
            job = await bench.send(client)
        assert (job.last_error or "").startswith("names: ")
        assert "Scan and scan are one name" in (job.last_error or "").replace("scan and Scan", "Scan and scan")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("sftp://bob:hun@ter2@nas/x", "sftp://bob:***@nas/x"),
        ("--password=hunter2 -v", "--password=*** -v"),
        ("Token: 'a b' \x1b[31m", "Token: *** \\x1b[31m"),
        ('{"secret_key": "a b"}', '{"secret_key": ***}'),
        ("key file /home/x/.ssh/id_ed25519: no such file", "key file /home/x/.ssh/id_ed25519: no such file"),
    ],
)
def test_a_tool_s_words_are_shown_without_secrets(said: str, shown: str) -> None:
    assert without_secrets(said) == shown


def test_inodes_that_do_not_outlast_a_mount_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.raw").touch()
    assert [entry.inode for entry in walk(tmp_path)] == [(tmp_path / "a.raw").stat().st_ino]
    monkeypatch.setattr(platform, "file_system", lambda _: "vfat")
    assert [entry.inode for entry in walk(tmp_path)] == [0]


def test_a_cache_file_that_another_program_removes_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "readme_fields.json").write_text("{}")
    (tmp_path / "vanishing.json").write_text("{}")
    read = type(tmp_path).read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "vanishing.json":
            path.unlink()
        return read(path)

    monkeypatch.setattr(type(tmp_path), "read_bytes", read_bytes)
    assert _others(tmp_path) == (("readme_fields.json", b"{}"),)
    assert _others(tmp_path / "absent") == ()


async def _gone(*_: Any) -> AsyncIterator[list[FileRecord]]:
    yield []
    raise TransportError("lost", TransportErrorKind.NETWORK)
