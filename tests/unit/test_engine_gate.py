"""What the engine does with a run that the gate stops: it waits, it is asked again, and it goes by itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import SyncHandleState
from exlab_sync_tui.engine.cockpit.permits import Permit, Revocation
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.grants import entries_of, was_revoked_since
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.runs import find_run
from exlab_sync_tui.operate.why import Surroundings, why
from exlab_sync_tui.watch.discovery import locate
from tests.unit.sim_lab import HOUR, INSTRUMENTS, WeekLab, live, quiet, verified

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.queue.store import Observation
    from exlab_sync_tui.watch.completeness import Look

ONE = INSTRUMENTS[0]
RULES = ("illegal_filesystem_character", "unresolved_placeholder_token")
LONG = 86_400.0


@pytest.fixture
def lab(tmp_path: Path) -> WeekLab:
    return WeekLab(tmp_path, step=5)


def broken_run(lab: WeekLab, name: str = "Run_1") -> Path:
    run = lab.write_run(ONE, name)
    (run / "<date>.raw").write_text("never filled in")
    return run


async def order(client: NASSyncClient, verb: Verb, target: str) -> str:
    done = await client.order(Order(verb, target, "mira"))
    assert done.ok, done.sentence
    return done.sentence


async def allow(client: NASSyncClient, run: Path, *, until: datetime | None = None) -> None:
    for rule in RULES:
        await order(client, Verb.OVERRIDE, Permit(str(run), rule, "as the vendor names it", until).as_target())


async def forbid(client: NASSyncClient, run: Path) -> None:
    for entry in await entries_of(client.store, located(client, run)):
        await order(client, Verb.REVOKE, Revocation(str(run), str(entry["id"]), "renamed after all").as_target())


def located(client: NASSyncClient, run: Path) -> RunFolder:
    return locate(run, [one.folder for one in client._engine.works.instruments.values()])


async def hold_of(client: NASSyncClient, run: Path) -> Hold | None:
    return await client.store.hold(HoldScope.RUN, str(run))


async def is_held_by_the_gate(client: NASSyncClient, run: Path) -> bool:
    job, hold = await client.job_of(run), await hold_of(client, run)
    return (
        job is not None
        and (job.state, job.held, job.attempts) == (SyncJobState.QUEUED, True, 0)
        and hold is not None
        and hold.kind is HoldKind.BLOCKED
    )


async def test_a_blocked_run_says_what_where_and_both_ways_out(lab: WeekLab) -> None:
    async with lab.client() as client:
        client.watch(events=False)
        run = broken_run(lab)
        await live(lab, client, 40)
        known = await find_run(client.store, str(run))
        sentence = await why(client.store, known, Surroundings(lab.clock.now(), engine=True))
        assert "illegal_filesystem_character at <date>.raw" in sentence
        assert "rename <date>.raw to date.raw" in sentence
        assert f'exlab-sync override add {run} illegal_filesystem_character --reason "…"' in sentence
        assert sentence.endswith("asked again by itself.")


async def test_an_override_lets_a_blocked_run_go_without_waiting_for_the_rescan(lab: WeekLab) -> None:
    async with lab.client(rescan_seconds=LONG) as client:
        client.watch(events=False)
        run = broken_run(lab)
        await live(lab, client, 1)
        await client.scan()
        await live(lab, client, 40)
        hold = await hold_of(client, run)
        assert hold is not None
        assert (hold.kind, await client.job_of(run)) == (HoldKind.BLOCKED, None)
        await allow(client, run)
        await live(lab, client, 60)
        assert await verified(client) == {str(run)}
        assert await hold_of(client, run) is None


async def test_a_repaired_run_goes_within_one_rescan_and_its_settle_time(lab: WeekLab) -> None:
    async with lab.client(rescan_seconds=60) as client:
        client.watch(events=False)
        run = broken_run(lab)
        await live(lab, client, 100)
        assert await verified(client) == set()
        (run / "<date>.raw").rename(run / "2025-03-24.raw")
        await live(lab, client, 60 + 30 + 5)
        assert await verified(client) == {str(run)}


async def test_a_queued_run_whose_override_expires_before_its_turn_is_held(lab: WeekLab) -> None:
    async with lab.client(rescan_seconds=60) as client:
        client.watch(events=False)
        run = broken_run(lab)
        await order(client, Verb.PAUSE, ONE)
        await allow(client, run, until=lab.clock.now() + timedelta(hours=1))
        assert (await client.enqueue(run)).state is SyncHandleState.QUEUED
        await live(lab, client, 2 * HOUR)
        await order(client, Verb.RESUME, ONE)
        await quiet(client)
        assert await is_held_by_the_gate(client, run)
        assert lab.transports[ONE].calls["push"] == 0
        await allow(client, run)
        await live(lab, client, 120)
        assert await verified(client) == {str(run)}


async def test_a_queued_run_whose_override_is_revoked_before_its_turn_is_held(lab: WeekLab) -> None:
    async with lab.client() as client:
        run = broken_run(lab)
        await order(client, Verb.PAUSE, ONE)
        await allow(client, run)
        assert (await client.enqueue(run)).state is SyncHandleState.QUEUED
        await forbid(client, run)
        await order(client, Verb.RESUME, ONE)
        await quiet(client)
        assert await is_held_by_the_gate(client, run)
        assert lab.transports[ONE].calls["push"] == 0


async def test_a_run_whose_override_is_revoked_while_it_is_sent_is_not_published(lab: WeekLab) -> None:
    async with lab.client() as client:
        run = broken_run(lab)
        await allow(client, run)
        revoked: list[bool] = []
        await order(client, Verb.PAUSE, ONE)
        await client.enqueue(run)
        entries = await entries_of(client.store, located(client, run))
        journey = client._engine.works.lanes[ONE]._journey
        see_unchanged = journey._see_unchanged

        async def revoke_first(trip: object) -> None:
            if not revoked:
                revoked.append(True)
                target = Revocation(str(run), str(entries[0]["id"]), "no").as_target()
                await client.order(Order(Verb.REVOKE, target, "mira"))
            await see_unchanged(trip)  # type: ignore[arg-type]  # it is a trip

        journey._see_unchanged = revoke_first  # type: ignore[method-assign]  # between sending and publishing
        await order(client, Verb.RESUME, ONE)
        await quiet(client)
        assert revoked
        assert await is_held_by_the_gate(client, run)
        assert lab.transports[ONE].calls["publish"] == 0


async def test_a_finding_on_what_has_left_already_is_told_and_changes_nothing(lab: WeekLab) -> None:
    async with lab.client(rescan_seconds=60) as client:
        client.watch(events=False)
        run = broken_run(lab)
        await allow(client, run)
        await live(lab, client, 100)
        job = await client.job_of(run)
        assert job is not None
        assert job.verified_at is not None
        assert not await was_revoked_since(client.store, located(client, run), job.verified_at)
        await live(lab, client, HOUR)
        await forbid(client, run)
        assert await was_revoked_since(client.store, located(client, run), job.verified_at)
        handle = await client.enqueue(run)
        assert (handle.state, handle.job_id) == (SyncHandleState.BLOCKED, "")
        assert all(finding.synced_under_prior_policy for finding in handle.blocking_findings)
        await live(lab, client, 2 * HOUR)
        assert await client.job_of(run) == job
        assert await hold_of(client, run) is None


async def test_what_is_added_to_it_waits_for_the_gate_like_any_other_file(lab: WeekLab) -> None:
    async with lab.client(rescan_seconds=60) as client:
        client.watch(events=False)
        run = broken_run(lab)
        await allow(client, run)
        await live(lab, client, 100)
        await forbid(client, run)
        (run / "late.raw").write_text("added")
        await client._engine.steering.rescan()
        await live(lab, client, 100)
        hold = await hold_of(client, run)
        assert hold is not None
        assert hold.kind is HoldKind.BLOCKED
        assert await verified(client) == {str(run)}
        assert not any(name.endswith("late.raw") for name in lab.transports[ONE].files)


@pytest.mark.parametrize("repair", ["name", "override", "record"])
async def test_a_blocked_run_that_is_dear_to_look_at_is_not_walked_until_it_may_be_repaired(
    lab: WeekLab, repair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.step = 1
    async with lab.client(rescan_seconds=20) as client:
        client.watch(events=False)
        run = broken_run(lab)
        await live(lab, client, 60)
        scout = client._engine.works.scouts[ONE]
        assert str(run) in scout._blocked
        scout._rests_until[str(run)] = lab.clock.monotonic() + LONG  # as after a very long look
        looks: list[str] = []
        look = scout._look

        def noted(run: RunFolder, before: Observation | None) -> Look:
            looks.append(str(run.path))
            return look(run, before)

        monkeypatch.setattr(scout, "_look", noted)
        await live(lab, client, 60)
        assert looks == []
        if repair == "name":
            (run / "<date>.raw").rename(run / "date.raw")
        elif repair == "override":
            await allow(client, run)
        else:
            entries = [{"id": rule, "problem_class": rule, "operator": "m", "reason": "r"} for rule in RULES]
            document = {"schema_version": "1.8", "paths": {}, "validation_overrides": entries}
            (run / ".exlab-wizard").mkdir()
            (run / ".exlab-wizard" / "creation.json").write_text(json.dumps(document))
        await live(lab, client, 25)
        assert looks[:1] == [str(run)], "within one rescan"
        scout._rests_until.clear()
        await live(lab, client, 100)
        assert await verified(client) == {str(run)}
