"""A damaged store is set aside with a date, and what it knew is known again from both sides."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.cockpit.wishes import Keeping
from exlab_sync_tui.engine.rebuild import Rebuilder
from exlab_sync_tui.errors import StoreDamagedError, StoreError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.salvage import begin_anew, read_salvage
from tests.unit.test_cleanup_days import START, CleanupLab, verified

if TYPE_CHECKING:
    from exlab_sync_tui import NASSyncClient

S = SyncJobState
AT_ONCE = {"min_verify_passes": 1, "min_age_hours": 0}


@pytest.fixture(params=["exlab", "plain"])
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> CleanupLab:
    return CleanupLab(tmp_path, layout=request.param).prepare()


@pytest.fixture
def exlab(tmp_path: Path) -> CleanupLab:
    return CleanupLab(tmp_path).prepare()


def db_of(lab: CleanupLab) -> Path:
    return lab.root / "state" / "queue.db"


def spoil_index(lab: CleanupLab) -> None:
    """An index that does not fit its table: SQLite finds it, and every row can still be read."""
    with closing(sqlite3.connect(db_of(lab), isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'counts')"
            " WHERE name = 'jobs_of_state'"
        )


def spoil_everything(lab: CleanupLab) -> None:
    """Nothing of the file can be read any more."""
    for end in ("-wal", "-shm"):
        db_of(lab).with_name("queue.db" + end).unlink(missing_ok=True)
    db_of(lab).write_bytes(b"\x00\xff" * 50_000)


def aside(lab: CleanupLab) -> list[str]:
    return sorted(
        path.name
        for path in (lab.root / "state").glob("queue.db.damaged-*")
        if not path.name.endswith(("-shm", "-wal"))
    )


async def told(lab: CleanupLab, client: NASSyncClient) -> str:
    """What the operator hears of it."""
    async for event in client.events():
        if event.kind is EventKind.WARNING:
            return event.sentence
    raise AssertionError


class TestVerified:
    @pytest.mark.parametrize("spoil", [spoil_index, spoil_everything])
    async def test_a_verified_run_is_known_again_and_nothing_is_sent(self, lab: CleanupLab, spoil: object) -> None:
        async with lab.client(cleanup={}) as client:
            before = await verified(lab, client)
            identity = client.store.store_id
        spoil(lab)  # type: ignore[operator]
        damaged = db_of(lab).read_bytes()
        lab.far.sent.clear()
        async with lab.client(cleanup={}) as client:
            assert (await told(lab, client)).startswith(
                f"The job store was damaged. It was set aside as {lab.root}/state/queue.db.damaged-2025-03-24T070000Z"
                " and begun anew: 1 published run and 0 released runs are known again, 0 runs queued again"
            )
            await client.drain()
            job = await lab.job(client)
            assert (job.state, job.id, job.nas_path) == (S.VERIFIED, before.id, before.nas_path)
            assert job.manifest_sha256 == before.manifest_sha256
            assert (job.verify_passes, job.frozen) == (0, False)
            assert lab.far.sent == []
            assert (client.store.store_id == identity) is (spoil is spoil_index)
            [name] = aside(lab)
            assert (lab.root / "state" / name).read_bytes() == damaged
            await lab.live(client, 13, step=3_600)
            assert lab.data_left() == lab.everything, "no pass of the older store counts"
            await lab.live(client, 25, step=3_600)
            assert (await lab.job(client)).state is S.CLEANED
            assert lab.data_left() == []

    async def test_the_far_side_alone_suffices(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            before = await verified(lab, client)
        shutil.rmtree(lab.root / "state" / "records")
        if lab.layout == "exlab":
            (lab.run / ".exlab-wizard" / "receipt.json").unlink()
        spoil_everything(lab)
        lab.far.sent.clear()
        async with lab.client() as client:
            await client.drain()
            assert (await lab.job(client)).id == before.id
            assert (await lab.job(client)).state is S.VERIFIED
            assert lab.far.sent == []
            assert (lab.root / "state" / "records" / before.id / "receipt.json").exists()

    async def test_a_destination_that_is_away_is_waited_for(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            before = await verified(lab, client)
        spoil_everything(lab)
        lab.far.away = True
        lab.far.sent.clear()
        async with lab.client() as client:
            await client.drain()
            assert (await lab.job(client)).state is not S.VERIFIED
            lab.far.away = False
            await lab.live(client, 1, step=300)
            assert (await lab.job(client)).state is S.VERIFIED
            assert (await lab.job(client)).id == before.id
            assert lab.far.sent == []

    async def test_a_local_file_that_changed_meanwhile_is_found_before_anything_is_released(
        self, exlab: CleanupLab
    ) -> None:
        lab = exlab
        async with lab.client(cleanup={}) as client:
            await verified(lab, client)
        (lab.run / "a.raw").write_text("ALPHA")
        spoil_everything(lab)
        async with lab.client(cleanup={}) as client:
            client.watch(events=False)
            await lab.live(client, 30, step=1_800)
            job = await lab.job(client)
            assert job.revision == 2
            assert lab.far.files[f"{job.nas_path}/a.raw"] == b"ALPHA"
            assert lab.far.files["SCOPE_01/Kelp/Runs/Run_A/a.raw"] == b"alpha"


class TestReleased:
    @pytest.mark.parametrize("spoil", [spoil_index, spoil_everything])
    async def test_a_cleaned_run_stays_cleaned(self, lab: CleanupLab, spoil: object) -> None:
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.enqueue(lab.run)
            await client.drain()
            assert (await lab.job(client)).state is S.CLEANED
        spoil(lab)  # type: ignore[operator]
        lab.far.sent.clear()
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.scan()
            await client.drain()
            assert (await lab.job(client)).state is S.CLEANED
            assert lab.far.sent == []
            assert await client.store.holds() == []

    async def test_a_half_deleted_run_is_neither_sent_nor_deleted_any_further(self, exlab: CleanupLab) -> None:
        lab = exlab
        async with lab.client(cleanup=AT_ONCE | {"enabled": False}) as client:
            await client.enqueue(lab.run)
            await client.drain()
        (lab.run / "a.raw").unlink()
        spoil_everything(lab)
        lab.far.sent.clear()
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.scan()
            await client.drain()
            assert (await lab.job(client)).state is S.CLEANED
            hold = await client.store.hold(HoldScope.RUN, str(lab.run))
            assert hold is not None
            assert hold.kind is HoldKind.LOCKED
            assert "was not finished when the job store was damaged" in hold.sentence
            assert lab.data_left() == ["deep/b.raw", "deep/er/c.raw", "link"]
            assert lab.far.sent == []


class TestTheRest:
    async def test_wishes_and_orders_are_read_from_the_damaged_store_as_far_as_that_goes(
        self, exlab: CleanupLab
    ) -> None:
        lab = exlab
        other = lab.run.with_name("Run_B")
        shutil.copytree(lab.run, other, symlinks=True)
        async with lab.client(cleanup={}) as client:
            await verified(lab, client)
            await client.order(Order(Verb.KEEP_LOCAL, Keeping(str(lab.run)).as_target(), "mira"))
            await client.order(Order(Verb.PAUSE, "SCOPE_01", "mira"))
            await client.enqueue(other)
        spoil_index(lab)
        async with lab.client(cleanup={}) as client:
            assert "1 run queued again" in await told(lab, client)
            assert (await lab.job(client)).keep_local
            queued = await client.job_of(other)
            assert queued is not None
            assert queued.state is S.QUEUED
            hold = await client.store.hold(HoldScope.EQUIPMENT, "SCOPE_01")
            assert hold is not None
            assert hold.kind is HoldKind.PAUSED

    async def test_a_receipt_without_its_manifest_is_not_believed(self, exlab: CleanupLab) -> None:
        lab = exlab
        async with lab.client() as client:
            job = await verified(lab, client)
        (lab.root / "state" / "records" / job.id / "checksums.sha256").write_bytes(b"")
        spoil_everything(lab)
        async with lab.client() as client:
            assert "is not the one that its receipt names" in await told(lab, client)
            assert await client.job_of(lab.run) is None

    async def test_a_verb_leaves_a_damaged_store_as_it_is(self, exlab: CleanupLab) -> None:
        lab = exlab
        async with lab.client() as client:
            await verified(lab, client)
        spoil_everything(lab)
        before = db_of(lab).read_bytes()
        client = lab.client()
        client._start_lanes = False
        with pytest.raises(StoreDamagedError):
            await client.init()
        assert db_of(lab).read_bytes() == before
        assert aside(lab) == []

    async def test_two_in_one_second_lie_beside_each_other(self, exlab: CleanupLab) -> None:
        db_of(exlab).parent.mkdir()
        for _ in range(2):
            db_of(exlab).write_bytes(b"no database")
            await asyncio.to_thread(begin_anew, db_of(exlab), START)
        assert aside(exlab) == ["queue.db.damaged-2025-03-24T070000Z", "queue.db.damaged-2025-03-24T070000Z-2"]
        assert not read_salvage(db_of(exlab).with_name(aside(exlab)[0])).is_whole

    @pytest.mark.parametrize("where", ["before", "between", "after"])
    async def test_a_crash_in_the_middle_is_taken_up(
        self, exlab: CleanupLab, where: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before the damaged store is moved, before the new one is in its place, and before it has been rebuilt."""
        lab = exlab
        async with lab.client() as client:
            before = await verified(lab, client)
        spoil_everything(lab)
        real, left = Path.rename, {"before": 0, "between": 1, "after": 9}[where]

        def rename(path: Path, target: Path) -> Path:
            nonlocal left
            if "queue.db" in path.name and not left:
                raise OSError(5, "Input/output error")
            left -= "queue.db" in path.name
            return real(path, target)

        async def broken(_: Rebuilder) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as crash:
            crash.setattr(Path, "rename", rename)
            if where == "after":
                crash.setattr(Rebuilder, "rebuild", broken)
            with pytest.raises((StoreError, OSError)):
                await lab.client().init()
        lab.far.sent.clear()
        async with lab.client() as client:
            await client.scan()
            await client.drain()
            job = await lab.job(client)
            assert (job.id, job.state) == (before.id, S.VERIFIED)
            assert lab.far.sent == []
            assert await client.store.noted("rebuild:from") is None
        assert len(aside(lab)) == 1
        assert not db_of(lab).with_name("queue.db.new").exists()
