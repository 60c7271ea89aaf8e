"""Whatever goes wrong around a cleanup, in simulated time: the local copy stays, and somebody is told why."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui import NASSyncClient, TransportResult
from exlab_sync_tui.cleanup import release
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.cockpit.wishes import Preview
from exlab_sync_tui.engine.upkeep.turn import Turn
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.provenance.creation import CreationWriter
from exlab_sync_tui.queue.store import Debt, DebtKind
from exlab_sync_tui.transport.base import Capabilities, Identity
from tests.unit.test_cleanup_days import HOUR, START, CleanupLab, quiet, verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from exlab_sync_tui.engine.cockpit.wishes import Foreseen
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.hold import Hold

S = SyncJobState
AT_ONCE = {"min_verify_passes": 1, "min_age_hours": 0}
ONE_PASS = {"min_verify_passes": 1, "min_age_hours": 24}


@pytest.fixture
def lab(tmp_path: Path) -> CleanupLab:
    return CleanupLab(tmp_path).prepare()


async def foreseen(client: NASSyncClient) -> Foreseen:
    [run] = Preview.of(await client.order(Order(Verb.CLEANUP_PREVIEW, "", "mira"))).runs
    return run


async def hold_of(client: NASSyncClient, lab: CleanupLab) -> Hold | None:
    return await client.store.hold(HoldScope.RUN, str(lab.run))


class TestWhatBlocks:
    async def stays(self, lab: CleanupLab, client: NASSyncClient, interlock: str, words: str) -> None:
        await lab.live(client, 30, step=3_600)
        seen = await foreseen(client)
        assert seen.interlock == interlock
        assert words in seen.sentence
        assert lab.data_left() == lab.everything
        assert (await lab.job(client)).releasing_at is None

    async def test_a_revoked_override(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            writer = CreationWriter()
            entry = writer.add_override(
                lab.run, problem_class="orphan", operator="mira", reason="x", recorded_at=lab.clock.now()
            ).validation_overrides[0]
            await verified(lab, client)
            await lab.clock.advance(60)
            writer.revoke_override(lab.run, str(entry["id"]), operator="otto", reason="y", recorded_at=lab.clock.now())
            await self.stays(lab, client, "revoked", "an override was revoked since the run was verified")

    async def test_a_creation_json_that_cannot_be_read(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            (lab.run / ".exlab-wizard" / "creation.json").write_text("{")
            await self.stays(lab, client, "revoked", "cannot be told whether an override was revoked")

    @pytest.mark.parametrize("change", ["extra", "changed", "missing", "link", "relinked"])
    async def test_a_local_tree_that_is_not_the_recorded_one(self, lab: CleanupLab, change: str) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            if change == "extra":
                (lab.run / "new.raw").write_text("new")
            elif change == "changed":
                (lab.run / "a.raw").write_text("other")
            elif change == "missing":
                (lab.run / "a.raw").unlink()
            elif change == "link":
                (lab.run / "another link").symlink_to("nowhere")
            else:
                (lab.run / "link").unlink()
                (lab.run / "link").symlink_to("deep/b.raw")
            await lab.live(client, 30, step=3_600)
            seen = await foreseen(client)
            assert seen.interlock == "local_tree"
            assert (await lab.job(client)).releasing_at is None
            assert (lab.run / "deep" / "b.raw").exists()

    async def test_a_receipt_that_is_nowhere(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            job = await verified(lab, client)
            (lab.root / "state" / "records" / job.id / "receipt.json").unlink()
            (lab.run / ".exlab-wizard" / "receipt.json").unlink()
            await self.stays(lab, client, "local_tree", "the receipt of what was published is not on this PC")

    async def test_a_debt(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            job = await verified(lab, client)
            await client.store.owe(Debt(job.run_path, DebtKind.INCOMING, "elsewhere", START, "the share is busy"))
            await self.stays(lab, client, "debt", "1 write still owed: the share is busy")

    async def test_another_destination(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            lab.far.identity = Identity("0b9f5b1e-0000-4f3f-9d57-0f6f0b1f2c3d", "2025-01-01T00:00:00Z")
            await self.stays(lab, client, "destination", "is not the destination on which the run lies")

    async def test_a_destination_that_is_away(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            lab.far.away = True
            await self.stays(lab, client, "destination", "does not answer")
            lab.far.away = False
            await lab.live(client, 2, step=600)
            assert (await lab.job(client)).state is S.CLEANED

    async def test_a_proof_that_is_too_weak(self, lab: CleanupLab) -> None:
        lab.far.capabilities = Capabilities(rung=EvidenceLevel.READ_BACK_CACHED)
        async with lab.client(cleanup=ONE_PASS, minimum="size_mtime") as client:
            await verified(lab, client)
            await self.stays(lab, client, "verify_passes", "its content is proved by read_back_cached only")
            lab.far.capabilities = Capabilities(rung=EvidenceLevel.READ_BACK)
            await lab.live(client, 26, step=3_600)
            job = await lab.job(client)
            assert (job.state, job.evidence) == (S.CLEANED, EvidenceLevel.READ_BACK)

    async def test_a_proof_that_has_become_too_weak_does_not_count(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={}, minimum="size_mtime") as client:
            await verified(lab, client)
            lab.far.capabilities = Capabilities(rung=EvidenceLevel.READ_BACK_CACHED)
            await lab.live(client, 60, step=3_600)
            job = await lab.job(client)
            assert (job.state, job.verify_passes) == (S.VERIFIED, 1)
            assert lab.data_left() == lab.everything

    async def test_papers_that_are_not_on_the_destination_any_more(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            job = await verified(lab, client)
            lab.far.files[f"{job.nas_path}/.exlab-wizard/receipt.json"] = b"{}"
            await lab.live(client, 30, step=3_600)
            assert (await lab.job(client)).state is S.CLEANUP_ELIGIBLE
            assert lab.data_left() == lab.everything
            del lab.far.files[f"{job.nas_path}/.exlab-wizard/checksums.sha256"]
            outcome = await client.order(Order(Verb.CLEANUP, job.id, "mira"))
            assert "is not the receipt of this run any more" in outcome.sentence


class TestDamage:
    async def test_a_flipped_bit_between_two_passes_fails_the_run_and_keeps_everything(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={}) as client:
            job = await verified(lab, client)
            lab.far.damage(f"{job.nas_path}/deep/b.raw")
            await lab.live(client, 30, step=3_600)
            job = await lab.job(client)
            assert (job.state, job.verify_passes, job.verified_at) == (S.FAILED, 0, START)
            assert "deep/b.raw" in (job.last_error or "")
            assert lab.data_left() == lab.everything

    async def test_a_file_that_is_gone_there_is_as_bad(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={}) as client:
            job = await verified(lab, client)
            del lab.far.files[f"{job.nas_path}/a.raw"]
            await lab.live(client, 30, step=3_600)
            assert (await lab.job(client)).state is S.FAILED
            assert lab.data_left() == lab.everything


def when_the_first_is_gone(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Do something right after the first file of a run has been deleted."""
    real = release.Hands.unlink

    def unlink(self: release.Hands, records: Iterable[FileRecord]) -> bool:
        first, *others = records
        real(self, [first])
        monkeypatch.setattr(release.Hands, "unlink", real)
        then()
        return real(self, others)

    monkeypatch.setattr(release.Hands, "unlink", unlink)


class TestInTheMiddle:
    async def test_a_file_that_appears_after_the_mark_is_a_hold_and_is_never_sent(
        self, lab: CleanupLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        when_the_first_is_gone(monkeypatch, lambda: (lab.run / "deep" / "late.raw").write_text("late"))
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.enqueue(lab.run)
            await client.drain()
            job = await lab.job(client)
            assert job.state is S.CLEANED
            assert lab.data_left() == ["deep/late.raw"]
            hold = await hold_of(client, lab)
            assert hold is not None
            assert hold.kind is HoldKind.CONFLICT
            assert hold.sentence.startswith("deep/late.raw in Run_A is new or changed since its local copy was deleted")
            await client.scan()
            await client.enqueue(lab.run)
            await client.drain()
            assert await lab.job(client) == job
            assert not [path for path in lab.far.files if "late" in path]
            (lab.run / "deep" / "late.raw").unlink()
            await client.scan()
            assert await hold_of(client, lab) is None

    async def test_a_file_that_changes_after_the_mark_is_not_deleted(
        self, lab: CleanupLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        when_the_first_is_gone(monkeypatch, lambda: (lab.run / "deep" / "b.raw").write_text("written again"))
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.enqueue(lab.run)
            await client.drain()
            job = await lab.job(client)
            assert (job.state, lab.data_left()) == (S.CLEANUP_ELIGIBLE, ["deep/b.raw"])
            hold = await hold_of(client, lab)
            assert hold is not None
            assert hold.kind is HoldKind.CONFLICT
            (lab.run / "deep" / "b.raw").rename(lab.root / "saved.raw")
            await lab.live(client, 1, step=300)
            assert (await lab.job(client)).state is S.CLEANED
            assert await hold_of(client, lab) is None

    async def test_a_file_that_cannot_be_deleted_leaves_the_run_eligible_with_the_reason(
        self, lab: CleanupLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.unlink

        def unlink(path: Any, *, dir_fd: int | None = None) -> None:
            if path == "b.raw":
                raise OSError(errno.EBUSY, "Device or resource busy")
            real(path, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", unlink)
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.enqueue(lab.run)
            await client.drain()
            assert (await lab.job(client)).state is S.CLEANUP_ELIGIBLE
            hold = await hold_of(client, lab)
            assert hold is not None
            assert hold.kind is HoldKind.LOCKED
            assert hold.sentence == "1 file of Run_A cannot be deleted: deep/b.raw: Device or resource busy."
            monkeypatch.undo()
            await lab.live(client, 1, step=300)
            assert (await lab.job(client)).state is S.CLEANED
            assert await hold_of(client, lab) is None
            assert lab.data_left() == []

    async def test_after_a_crash_the_rest_goes_only_on_another_proof(
        self, lab: CleanupLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Death(BaseException):
            pass

        def die() -> None:
            raise Death

        when_the_first_is_gone(monkeypatch, die)
        client = lab.client(cleanup=AT_ONCE)
        await client.init()
        await client.enqueue(lab.run)
        with pytest.raises(Death):
            await client.drain()
        await client.close()
        left = lab.data_left()
        assert left == ["deep/b.raw", "deep/er/c.raw", "link"]
        good = dict(lab.far.files)
        place = "SCOPE_01/Kelp/Runs/Run_A"
        lab.far.damage(f"{place}/deep/b.raw")
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.drain()
            job = await lab.job(client)
            assert (job.state, job.verify_passes) == (S.CLEANUP_ELIGIBLE, 0)
            assert lab.data_left() == left, "what is still here may be all that there is"
            hold = await hold_of(client, lab)
            assert hold is not None
            assert hold.kind is HoldKind.DAMAGED
            lab.far.files.update(good)
            assert (await client.order(Order(Verb.RETRY, job.id, "mira"))).ok
            await lab.live(client, 13, step=3_600)
            assert (await lab.job(client)).state is S.CLEANED
            assert lab.data_left() == []
            assert await hold_of(client, lab) is None

    async def test_a_half_deleted_run_stays_half_deleted_once_cleanup_is_switched_off(
        self, lab: CleanupLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Death(BaseException):
            pass

        def die() -> None:
            raise Death

        when_the_first_is_gone(monkeypatch, die)
        client = lab.client(cleanup=AT_ONCE)
        await client.init()
        await client.enqueue(lab.run)
        with pytest.raises(Death):
            await client.drain()
        await client.close()
        left = lab.data_left()
        async with lab.client(cleanup={"enabled": False}) as client:
            await client.scan()
            await lab.live(client, 30, step=3_600)
            assert (await lab.job(client)).state is S.CLEANUP_ELIGIBLE
            assert lab.data_left() == left


class TestClocks:
    async def test_a_clock_that_jumps_a_week_ahead_deletes_nothing_where_the_destination_tells_its_time(
        self, lab: CleanupLab
    ) -> None:
        far_now = START
        lab.far.time = lambda: far_now
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            lab.clock.jump(7 * 24 * HOUR)
            far_now += timedelta(hours=1)
            await lab.live(client, 1, step=600)
            assert (await lab.job(client)).releasing_at is None
            assert lab.data_left() == lab.everything
            outcome = await client.order(Order(Verb.CLEANUP, str(lab.run), "mira"))
            assert "one of the two clocks is wrong" in outcome.sentence
            far_now += timedelta(hours=23)
            await lab.live(client, 24, step=3_600)
            assert (await lab.job(client)).state is S.CLEANED
            assert not [path for path in (*lab.far.folders, *lab.far.files) if ".exlab-incoming/" in path]

    async def test_a_clock_that_is_set_back_makes_no_run_wait_longer_than_it_must(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            await lab.live(client, 2, step=600)
            lab.clock.jump(-30 * 24 * HOUR)
            await lab.live(client, 30, step=3_600)
            assert "is still to come; set the clock" in (await foreseen(client)).sentence or lab.data_left()
            lab.clock.jump(30 * 24 * HOUR)
            await lab.live(client, 0.5, step=300)
            assert (await lab.job(client)).state is S.CLEANED

    async def test_a_laptop_that_slept_cleans_up_after_waking(self, lab: CleanupLab) -> None:
        """While it sleeps the clock on the wall goes on and the monotonic one stands still."""
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            await lab.live(client, 1, step=600)
            lab.clock.jump(3 * 24 * HOUR)
            await lab.clock.advance(61)
            await quiet(client)
            assert (await lab.job(client)).state is S.CLEANED


class TestAudits:
    async def test_every_run_is_verified_again_cleaned_ones_too(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=AT_ONCE, audit_days=2) as client:
            await client.enqueue(lab.run)
            await client.drain()
            job = await lab.job(client)
            assert job.state is S.CLEANED
            await lab.live(client, 49, step=3_600)
            audited = await lab.job(client)
            assert audited.verify_passes == job.verify_passes + 1
            lab.far.damage(f"{job.nas_path}/a.raw")
            await lab.live(client, 49, step=3_600)
            hold = await hold_of(client, lab)
            assert hold is not None
            assert (hold.kind, (await lab.job(client)).state) == (HoldKind.DAMAGED, S.CLEANED)
            assert (await lab.job(client)).verify_passes == 0
            lab.far.damage(f"{job.nas_path}/a.raw")  # flips the same bit back
            await lab.live(client, 49, step=3_600)
            assert await hold_of(client, lab) is None

    async def test_without_audit_days_nothing_is_read_again(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=AT_ONCE) as client:
            await client.enqueue(lab.run)
            await client.drain()
            calls = lab.far.calls["digests"]
            await lab.live(client, 24 * 20, step=6 * HOUR)
            assert lab.far.calls["digests"] == calls

    async def test_an_audit_of_a_verified_run_without_any_cleanup_finds_a_damage(self, lab: CleanupLab) -> None:
        async with lab.client(audit_days=1) as client:
            job = await verified(lab, client)
            lab.far.damage(f"{job.nas_path}/a.raw")
            await lab.live(client, 25, step=3_600)
            assert (await lab.job(client)).state is S.FAILED


class TestTheLaneGoesFirst:
    async def test_a_run_that_is_queued_during_a_proof_is_sent_first(
        self, lab: CleanupLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = lab.run.with_name("Run_B")
        other.mkdir()
        (other / "z.raw").write_text("omega")
        (other / ".exlab-wizard").mkdir()
        (other / ".exlab-wizard" / "creation.json").write_bytes(
            (lab.run / ".exlab-wizard" / "creation.json").read_bytes()
        )
        order: list[str] = []
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            works = client._engine.works
            lane = works.lanes["SCOPE_01"]
            real = Turn.spare

            async def spare(turn: Turn, step: Callable[[], Any]) -> Any:
                if not order:
                    order.append("the proof begins")
                    await client.enqueue(other)
                    while lane.is_idle:
                        await quiet_moment()
                    await client._engine.works.lanes["SCOPE_01"].settled()
                    order.append("the lane is done")
                return await real(turn, step)

            with monkeypatch.context() as patched:
                patched.setattr(Turn, "spare", spare)
                await lab.live(client, 25, step=3_600)
            second = await client.job_of(other)
            assert second is not None
            assert second.state in {S.VERIFIED, S.CLEANUP_ELIGIBLE, S.CLEANED}
            assert order == ["the proof begins", "the lane is done"]
            assert (await lab.job(client)).state is S.CLEANED

    async def test_a_paused_instrument_is_left_alone(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup=ONE_PASS) as client:
            await verified(lab, client)
            await client.order(Order(Verb.PAUSE, "SCOPE_01", "mira"))
            for _ in range(30):
                await lab.clock.advance(HOUR)
                await quiet_moment()
            assert lab.data_left() == lab.everything
            await client.order(Order(Verb.RESUME, "SCOPE_01", "mira"))
            await lab.live(client, 1, step=300)
            assert (await lab.job(client)).state is S.CLEANED


async def quiet_moment() -> None:
    await asyncio.sleep(0.002)


class TestCacheFolder:
    async def test_with_retain_cache_false_what_was_read_back_goes_too(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={**AT_ONCE, "retain_cache": False}) as client:
            await client.enqueue(lab.run)
            await client.drain()
            assert (await lab.job(client)).state is S.CLEANED
            await client.drain()
            kept = sorted(path.name for path in (lab.run / ".exlab-wizard").iterdir())
            assert "receipt.json" not in kept
            assert "checksums.sha256" not in kept
            assert lab.data_left() == []


async def test_passes_keep_their_weakest_rung(lab: CleanupLab) -> None:
    async with lab.client(cleanup={"min_verify_passes": 3}) as client:
        await verified(lab, client)
        lab.far.capabilities = replace(lab.far.capabilities, rung=EvidenceLevel.RSYNC_CHECKSUM)
        await lab.live(client, 28, step=3_600)
        job = await lab.job(client)
        assert (job.state, job.evidence) == (S.CLEANED, EvidenceLevel.RSYNC_CHECKSUM)


def digests_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class TestBlackBox:
    """Injected callables: their digests are the proof, and ``remote_stat_callable`` says whether the run is there."""

    def client(self, lab: CleanupLab, far: dict[str, str], there: list[bool]) -> NASSyncClient:
        async def push(local: Path, *, bwlimit_kibps: int | None) -> TransportResult:
            far.update(await asyncio.to_thread(digests_of, local))
            return TransportResult(ok=True)

        async def hashsum(run_dir: Path) -> dict[str, str]:
            return dict(far)

        plain = lab.client(cleanup=ONE_PASS)
        return NASSyncClient(
            config=plain.blueprint.settings,
            queue_db=lab.root / "state" / "queue.db",
            validator=plain.blueprint.validator,
            cache_creation=CreationWriter(),
            clock=lab.clock,
            push_callable_factory=lambda _: push,
            hashsum_callable_factory=lambda _: hashsum,
            remote_stat_callable=lambda _: there[0],
        )

    async def test_a_run_is_released_on_their_digests(self, lab: CleanupLab) -> None:
        far: dict[str, str] = {}
        there = [False]
        async with self.client(lab, far, there) as client:
            await verified(lab, client)
            await lab.live(client, 25, step=3_600)
            assert (await lab.job(client)).state is S.CLEANUP_ELIGIBLE
            assert lab.data_left() == lab.everything, "nobody has said that the run is there"
            there[0] = True
            await lab.live(client, 13, step=3_600)
            assert (await lab.job(client)).state is S.CLEANED
            assert lab.data_left() == []

    @pytest.mark.parametrize("wrong", ["", "0" * 64, "no digest at all"])
    async def test_a_digest_that_is_another_one_or_none_keeps_everything(self, lab: CleanupLab, wrong: str) -> None:
        far: dict[str, str] = {}
        async with self.client(lab, far, [True]) as client:
            await verified(lab, client)
            far["deep/b.raw"] = wrong
            await lab.live(client, 26, step=3_600)
            assert (await lab.job(client)).state is S.FAILED
            assert lab.data_left() == lab.everything
