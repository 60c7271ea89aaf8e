"""What an operator decides about local copies, conflicts and damages, through the orders that verbs and keys give."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.engine.cockpit.wishes import Forgetting, Keeping, Preview, Resolution
from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.provenance.receipt import parse_receipt
from tests.unit.test_cleanup_days import CleanupLab, verified

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient

S = SyncJobState


@pytest.fixture
def lab(tmp_path: Path) -> CleanupLab:
    return CleanupLab(tmp_path).prepare()


async def ask(client: NASSyncClient, verb: Verb, target: str, who: str = "mira") -> Outcome:
    return await client.order(Order(verb, target, who))


async def resolve(client: NASSyncClient, lab: CleanupLab, way: str) -> Outcome:
    outcome = await ask(client, Verb.RESOLVE, Resolution(str(lab.run), way).as_target())
    await client.drain()
    return outcome


class TestKeeping:
    async def test_a_kept_run_stays_until_that_is_undone(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={}) as client:
            await verified(lab, client)
            for _ in range(2):
                kept = await ask(client, Verb.KEEP_LOCAL, Keeping(str(lab.run)).as_target())
                assert kept == Outcome("The local copy of Run_A stays until `exlab-sync keep-local --undo`.")
            await lab.live(client, 60, step=3_600)
            job = await lab.job(client)
            assert (job.state, lab.data_left()) == (S.CLEANUP_ELIGIBLE, lab.everything)
            told = [line.what for line in await client.store.history(job.run_path)]
            assert told.count("the local copy is to stay") == 1
            undone = await ask(client, Verb.KEEP_LOCAL, Keeping(str(lab.run), keep=False).as_target())
            assert undone.ok
            await lab.live(client, 2, step=600)
            assert (await lab.job(client)).state is S.CLEANED
            too_late = await ask(client, Verb.KEEP_LOCAL, Keeping(str(lab.run)).as_target())
            assert too_late.exit_code == 1
            assert "was deleted already" in too_late.sentence


class TestCleaning:
    async def test_a_preview_names_what_holds_and_until_when(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={}) as client:
            await verified(lab, client)
            seen = Preview.of(await ask(client, Verb.CLEANUP_PREVIEW, ""))
            assert seen.sentence == "0 local copies, 0 B, would go; 1 held."
            [run] = seen.runs
            assert (run.interlock, run.sentence) == ("verify_passes", "1 verification pass so far, and 2 are needed")
            assert run.until is not None
            assert run.until.isoformat() == "2025-03-25T07:00:00+00:00"
            assert (run.files, run.size, run.would_go) == (3, 14, False)

    async def test_cleanup_now_takes_what_may_go_and_says_what_holds_the_rest(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={"min_verify_passes": 1, "min_age_hours": 1}) as client:
            await verified(lab, client)
            early = await ask(client, Verb.CLEANUP, str(lab.run))
            assert early.exit_code == 5
            assert early.sentence == ("Run_A stays: it was verified less than 1 h ago, until 2025-03-24T08:00:00Z.")
            lab.clock.jump(3_600)  # nobody wakes: the caretaker has not looked yet
            before = Preview.of(await ask(client, Verb.CLEANUP_PREVIEW, str(lab.run)))
            assert before.runs[0].would_go
            assert before.sentence == "1 local copy, 14 B, would go; 0 held."
            assert lab.data_left() == lab.everything
            gone = await ask(client, Verb.CLEANUP, "")
            assert gone == Outcome("1 local copy deleted, 0 held; `exlab-sync cleanup --dry-run` says why.")
            assert (await lab.job(client)).state is S.CLEANED
            again = await ask(client, Verb.CLEANUP, str(lab.run))
            assert again == Outcome("The local copy of Run_A was deleted already.")

    async def test_it_is_refused_while_cleanup_is_off(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            await verified(lab, client)
            assert (await ask(client, Verb.CLEANUP, "")).exit_code == 1
            one = await ask(client, Verb.CLEANUP, str(lab.run))
            assert one == Outcome("Run_A stays: cleanup is off: the configuration has no nas_cleanup block.", 1)
            [run] = Preview.of(await ask(client, Verb.CLEANUP_PREVIEW, "")).runs
            assert run.interlock == "enabled"
            assert lab.data_left() == lab.everything

    async def test_an_answer_that_is_no_preview_is_an_error(self) -> None:
        with pytest.raises(RefusedError, match="nobody"):
            Preview.of(Outcome("nobody is there", 12))


class TestForgetting:
    async def test_a_run_that_was_deleted_on_purpose_is_dropped(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            job = await verified(lab, client)
            wish = Forgetting(str(lab.run), "a test of the shutter").as_target()
            still_there = await ask(client, Verb.FORGET, wish)
            assert "is still there" in still_there.sentence
            shutil.rmtree(lab.run)
            nameless = await ask(client, Verb.FORGET, Forgetting(str(lab.run), " ").as_target())
            assert "A reason is needed" in nameless.sentence
            done = await ask(client, Verb.FORGET, wish)
            assert done == Outcome("Run_A was forgotten. What lies at SCOPE_01/Kelp/Runs/Run_A was left alone.")
            assert await client.job_of(lab.run) is None
            assert (await client.store.history(job.run_path))[-1].what == "forgotten: a test of the shutter"
            assert f"{job.nas_path}/a.raw" in lab.far.files
            assert (await ask(client, Verb.FORGET, wish)).exit_code == 3

    async def test_not_while_its_disk_is_away(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            await verified(lab, client)
            shutil.rmtree(lab.run.parent)
            refused = await ask(client, Verb.FORGET, Forgetting(str(lab.run), "gone").as_target())
            assert "perhaps a disk is away" in refused.sentence


class TestConflict:
    def occupy(self, lab: CleanupLab, *, identical: bool) -> str:
        place = "SCOPE_01/Kelp/Runs/Run_A"
        for rel, text in (("a.raw", b"alpha"), ("deep/b.raw", b"beta"), ("deep/er/c.raw", b"gamma")):
            lab.far._store(f"{place}/{rel}", text if identical or rel != "a.raw" else b"ALPHA")
        return place

    async def refused(self, lab: CleanupLab, client: NASSyncClient) -> None:
        await client.enqueue(lab.run)
        await client.drain()
        job = await lab.job(client)
        assert job.state is S.FAILED
        assert (job.last_error or "").startswith("conflict:")
        assert "resolve RUN adopt" in (job.last_error or "")

    async def test_an_identical_folder_is_adopted_and_only_gets_its_papers(self, lab: CleanupLab) -> None:
        place = self.occupy(lab, identical=True)
        async with lab.client() as client:
            await self.refused(lab, client)
            assert (await resolve(client, lab, "adopt")).ok
            job = await lab.job(client)
            assert (job.state, job.nas_path) == (S.VERIFIED, place)
            assert lab.far.sent == []
            receipt = parse_receipt(lab.far.files[f"{place}/.exlab-wizard/receipt.json"])
            assert receipt is not None
            assert receipt.job_id == job.id
            assert not [path for path in lab.far.folders if ".exlab-incoming" in path]

    async def test_what_is_not_identical_is_left_alone_and_the_run_goes_beside_it(self, lab: CleanupLab) -> None:
        place = self.occupy(lab, identical=False)
        before = {path: data for path, data in lab.far.files.items() if path.startswith(place)}
        async with lab.client() as client:
            await self.refused(lab, client)
            await resolve(client, lab, "adopt")
            job = await lab.job(client)
            assert job.state is S.FAILED
            assert "is not identical: 1 file, first a.raw" in (job.last_error or "")
            done = await resolve(client, lab, "beside")
            assert done.ok
            job = await lab.job(client)
            assert job.state is S.VERIFIED
            assert job.nas_path == f"{place}__conflict-{job.beside}"
            assert len(job.beside) == 8
            assert lab.far.files[f"{job.nas_path}/a.raw"] == b"alpha"
            assert {path: data for path, data in lab.far.files.items() if path.startswith(f"{place}/")} == before
            (lab.run / "a.raw").write_text("changed")
            await client.enqueue(lab.run)
            await client.drain()
            assert (await lab.job(client)).nas_path == f"{place}__conflict-{job.beside}__r2"

    async def test_a_paper_that_says_something_else_is_never_replaced(self, lab: CleanupLab) -> None:
        place = self.occupy(lab, identical=True)
        lab.far._store(f"{place}/.exlab-wizard/receipt.json", b"{}")
        async with lab.client() as client:
            await self.refused(lab, client)
            await resolve(client, lab, "adopt")
            job = await lab.job(client)
            assert job.state is S.FAILED
            assert "receipt.json is there already" in (job.last_error or "")
            assert lab.far.files[f"{place}/.exlab-wizard/receipt.json"] == b"{}"

    async def test_a_run_without_a_conflict_has_nothing_to_resolve(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            await verified(lab, client)
            for way in ("adopt", "beside", "repair", "nonsense"):
                assert not (await resolve(client, lab, way)).ok


class TestRepair:
    async def test_damaged_far_files_are_moved_aside_and_sent_again(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            job = await verified(lab, client)
            lab.far.damage(f"{job.nas_path}/a.raw")
            damaged = lab.far.files[f"{job.nas_path}/a.raw"]
            del lab.far.files[f"{job.nas_path}/deep/b.raw"]
            lab.far.sent.clear()
            found = await ask(client, Verb.RETRY, job.id)
            assert found.exit_code == 10
            assert (await lab.job(client)).verify_passes == 0
            done = await resolve(client, lab, "repair")
            assert done.ok
            assert "2 damaged files to be sent again. The damaged ones were moved to" in done.sentence
            job = await lab.job(client)
            assert job.state is S.VERIFIED
            assert lab.far.files[f"{job.nas_path}/a.raw"] == b"alpha"
            assert lab.far.files[f"{job.nas_path}/deep/b.raw"] == b"beta"
            assert sorted(path.rpartition("/")[2] for path in lab.far.sent) == ["a.raw", "b.raw"]
            kept = [data for path, data in lab.far.files.items() if "/.exlab-incoming/damaged-" in path]
            assert kept == [damaged]

    async def test_a_local_copy_that_is_damaged_too_is_no_source(self, lab: CleanupLab) -> None:
        async with lab.client() as client:
            job = await verified(lab, client)
            lab.far.damage(f"{job.nas_path}/a.raw")
            await ask(client, Verb.RETRY, job.id)
            here = lab.run / "a.raw"
            was = here.stat()
            here.write_text("ALPHA")
            os.utime(here, ns=(was.st_atime_ns, was.st_mtime_ns))
            refused = await resolve(client, lab, "repair")
            assert "is damaged on this PC as well" in refused.sentence
            assert (await lab.job(client)).state is S.FAILED

    async def test_a_released_run_that_is_damaged_is_held_until_it_is_whole_again(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={"min_verify_passes": 1, "min_age_hours": 0}) as client:
            await client.enqueue(lab.run)
            await client.drain()
            job = await lab.job(client)
            assert job.state is S.CLEANED
            good = lab.far.files[f"{job.nas_path}/a.raw"]
            lab.far.damage(f"{job.nas_path}/a.raw")
            found = await ask(client, Verb.RETRY, job.id)
            assert found.exit_code == 10
            assert (await lab.job(client)).state is S.CLEANED
            hold = await client.store.hold(HoldScope.RUN, job.run_path)
            assert hold is not None
            assert hold.kind is HoldKind.DAMAGED
            assert "a.raw" in hold.sentence
            assert "not whole any more" in (await resolve(client, lab, "repair")).sentence
            lab.far.files[f"{job.nas_path}/a.raw"] = good
            assert (await ask(client, Verb.RETRY, job.id)).ok
            assert await client.store.hold(HoldScope.RUN, job.run_path) is None


class TestAllowlist:
    async def test_who_is_not_named_may_keep_and_nothing_else(self, lab: CleanupLab) -> None:
        lab.operators = ("mira",)
        async with lab.client(cleanup={}) as client:
            await verified(lab, client)
            run = str(lab.run)
            for verb, target in (
                (Verb.CLEANUP, ""),
                (Verb.KEEP_LOCAL, Keeping(run, keep=False).as_target()),
                (Verb.FORGET, Forgetting(run, "x").as_target()),
                (Verb.RESOLVE, Resolution(run, "beside").as_target()),
            ):
                refused = await ask(client, verb, target, who="otto")
                assert refused.exit_code == 1
                assert "operators.allowlist names mira" in refused.sentence
            assert (await ask(client, Verb.KEEP_LOCAL, Keeping(run).as_target(), who="otto")).ok
