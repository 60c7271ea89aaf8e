"""Two days beside an instrument, in simulated time: the defaults release a local copy without an operator."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import CreationWriter, NASSyncClient, Validator
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.testing import FakeTransport, ManualClock
from tests.unit.sim_lab import breathe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exlab_sync_tui.engine.lane import Lane
    from exlab_sync_tui.engine.upkeep.caretaker import Caretaker
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.job import SyncJobRow

S = SyncJobState
HOUR = 3_600.0
START = datetime(2025, 3, 24, 7, 0, tzinfo=UTC)


@dataclass
class CleanupLab:
    """One instrument, a destination in memory, and engines that are started as often as needed."""

    root: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    far: FakeTransport = field(default_factory=lambda: FakeTransport(title="nas01"))
    layout: str = "exlab"
    operators: tuple[str, ...] = ()
    events: list[Event] = field(default_factory=list)

    @property
    def run(self) -> Path:
        below = self.root / "data"
        return below / "SCOPE_01" / "Kelp" / "Runs" / "Run_A" if self.layout == "exlab" else below / "Run_A"

    def prepare(self) -> CleanupLab:
        (self.run / "deep" / "er").mkdir(parents=True)
        (self.run / "a.raw").write_text("alpha")
        (self.run / "deep" / "b.raw").write_text("beta")
        (self.run / "deep" / "er" / "c.raw").write_text("gamma")
        (self.run / "nothing in it").mkdir()
        (self.run / "link").symlink_to("a.raw")
        if self.layout == "exlab":
            cache = self.run / ".exlab-wizard"
            cache.mkdir()
            (cache / "creation.json").write_text(json.dumps(CREATION))
            (cache / "ingest.json").write_text(
                json.dumps({"schema_version": "1.1", "current_state": "complete", "history": []})
            )
        return self

    def client(self, *, cleanup: Mapping[str, object] | None = None, **verify: object) -> NASSyncClient:
        """*cleanup*: the ``nas_cleanup`` block, ``None`` for none."""
        instrument = {
            "id": "SCOPE_01",
            "label": "Scope",
            "local_root": str(self.root / "data"),
            "nas_root": "//nas01/lab",
            "layout": self.layout,
            "completeness_signal": "quiescence",
            "settle_seconds": 1,
            "transport": {"type": "mount", "path": "/mnt/nas01/lab"},
        }
        config: dict[str, object] = {
            "equipment": [instrument],
            "verify": verify,
            "operators": {"allowlist": self.operators},
        }
        if cleanup is not None:
            config["nas_cleanup"] = dict(cleanup)
        return NASSyncClient(
            config=config,
            queue_db=self.root / "state" / "queue.db",
            validator=Validator(),
            cache_creation=CreationWriter(),
            clock=self.clock,
            operator="mira",
            transport_factory=lambda _: self.far,
        )

    async def job(self, client: NASSyncClient) -> SyncJobRow:
        job = await client.job_of(self.run)
        assert job is not None
        return job

    async def live(self, client: NASSyncClient, hours: float, *, step: float = 1_800) -> None:
        """Let time pass, and let what runs on threads keep up with it."""
        for _ in range(int(hours * HOUR / step)):
            await self.clock.advance(step)
            await quiet(client)

    def data_left(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.run))
            for path in self.run.rglob("*")
            if ".exlab-wizard" not in path.parts and not path.is_dir()
        )

    @property
    def everything(self) -> list[str]:
        return ["a.raw", "deep/b.raw", "deep/er/c.raw", "link"]


CREATION = {
    "schema_version": "1.4",
    "created_at": "2025-03-03T08:00:00Z",
    "created_by": "asmith",
    "level": "run",
    "run_kind": "experimental",
    "template": {"name": "imaging", "version": "1.0", "source_path": "/nowhere"},
    "variables": {},
    "paths": {"local": "/data", "nas": "//nas/lab"},
    "plugins_applied": [],
    "orchestrator": {},
    "sync_status": "pending",
}


async def quiet(client: NASSyncClient) -> None:
    works = client._engine.works
    while True:
        await breathe()
        busy: list[Lane | Caretaker] = [*works.lanes.values(), *works.caretakers.values()]
        if all(one.is_idle for one in busy) and not any(scout._turn.locked() for scout in works.scouts.values()):
            return


@pytest.fixture
def lab(tmp_path: Path) -> CleanupLab:
    return CleanupLab(tmp_path).prepare()


async def verified(lab: CleanupLab, client: NASSyncClient) -> SyncJobRow:
    await client.enqueue(lab.run)
    await client.drain()
    job = await lab.job(client)
    assert job.state is S.VERIFIED, job
    return job


class TestDefaults:
    async def test_the_defaults_release_a_run_after_the_second_pass_and_a_day(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={}) as client:
            listener = asyncio.create_task(_listen(lab, client))
            before = await verified(lab, client)
            await lab.live(client, 23)
            assert (await lab.job(client)).state is S.VERIFIED
            assert lab.data_left() == lab.everything
            await lab.live(client, 1.5)
            job = await lab.job(client)
            assert job.state is S.CLEANED
            assert (job.verify_passes, job.verified_at) == (2, before.verified_at)
            assert job.passed_at is not None
            assert job.passed_at - START >= timedelta(hours=24)
            assert lab.data_left() == []
            assert not (lab.run / "deep").exists()
            assert not (lab.run / "nothing in it").exists()
            assert read_creation(lab.run).sync_status == "cleaned"
            ingest = json.loads((lab.run / ".exlab-wizard" / "ingest.json").read_text())
            assert ingest["current_state"] == "cleared"
            assert [line["state"] for line in ingest["history"]] == ["sync_queued", "sync_verified", "cleared"]
            assert lab.far.files[f"{job.nas_path}/deep/b.raw"] == b"beta"
            released = [line for line in await client.store.history(job.run_path) if line.what == "released"]
            assert [dict(line.data) for line in released] == [
                {"files": 3, "bytes": 14, "evidence": "remote_hash", "passes": 2}
            ]
            states = [line.after for line in await client.store.history(job.run_path) if line.after]
            assert states[-3:] == ["verified", "cleanup_eligible", "cleaned"]
            assert await client.store.holds() == []
            assert await client.store.debts() == []
        await listener
        cleaned = [event for event in lab.events if event.kind is EventKind.RUN_CLEANED]
        assert [event.sentence for event in cleaned] == [
            "SCOPE_01 Run_A: local copy deleted: 3 files, 14 B, proved by remote_hash in 2 passes."
        ]

    async def test_without_a_block_nothing_is_ever_deleted_and_the_far_side_is_left_alone(
        self, lab: CleanupLab
    ) -> None:
        async with lab.client() as client:
            await verified(lab, client)
            calls = dict(lab.far.calls)
            await lab.live(client, 72, step=3_600)
            assert (await lab.job(client)).state is S.VERIFIED
            assert lab.data_left() == lab.everything
            assert lab.far.calls["digests"] == calls.get("digests", 0)

    async def test_disabled_cleanup_makes_runs_eligible_and_keeps_them(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={"enabled": False}) as client:
            await verified(lab, client)
            await lab.live(client, 72, step=3_600)
            job = await lab.job(client)
            assert (job.state, job.verify_passes) == (S.CLEANUP_ELIGIBLE, 2)
            assert lab.data_left() == lab.everything

    async def test_three_passes_lie_half_a_day_apart(self, lab: CleanupLab) -> None:
        async with lab.client(cleanup={"min_verify_passes": 3}) as client:
            await verified(lab, client)
            await lab.live(client, 13)
            assert (await lab.job(client)).verify_passes == 2
            await lab.live(client, 13)
            assert (await lab.job(client)).state is S.CLEANED
            assert lab.far.calls["digests"] == 2

    async def test_a_plain_run_is_released_as_well(self, tmp_path: Path) -> None:
        lab = CleanupLab(tmp_path, layout="plain").prepare()
        async with lab.client(cleanup={}) as client:
            await verified(lab, client)
            await lab.live(client, 25)
            assert (await lab.job(client)).state is S.CLEANED
            assert list(lab.run.iterdir()) == []


async def _listen(lab: CleanupLab, client: NASSyncClient) -> None:
    async for event in client.events():
        lab.events.append(event)
