"""Injected callables through the public client: the class table, the counters and the papers, in simulated time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import CreationWriter, NASSyncClient, TransportErrorKind, TransportResult, Validator
from exlab_sync_tui.errors import NotFoundError, OrphanRunError, RefusedError, UnknownEquipmentError
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.testing import ManualClock

if TYPE_CHECKING:
    from exlab_sync_tui.model.job import SyncJobRow

START = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


def write_exlab_run(run: Path, files: dict[str, str], **creation: object) -> Path:
    document: dict[str, object] = {
        "schema_version": "1.8",
        "created_at": "2025-03-09T08:15:00Z",
        "created_by": "mira",
        "level": "run",
        "run_kind": "experimental",
        "lims_project": {"uid": "1", "short_id": "P-1", "name_at_creation": "Kelp", "source": "live"},
        "template": {"name": "spectro", "version": "3.0", "source_path": "spectro"},
        "variables": {},
        "paths": {"local": str(run), "nas": "//vault/lab"},
        "plugins_applied": [],
        "sync_status": "pending",
        "validation_overrides": [],
    }
    for rel, text in files.items():
        (run / rel).parent.mkdir(parents=True, exist_ok=True)
        (run / rel).write_text(text)
    (run / ".exlab-wizard").mkdir(parents=True)
    (run / ".exlab-wizard" / "creation.json").write_text(json.dumps(document | creation))
    return run


@dataclass
class Bench:
    """A lab with one instrument, whose far side is a folder behind callables that do as *script* says."""

    root: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    script: list[str] = field(default_factory=list)
    pushes: list[Path] = field(default_factory=list)
    limits: list[int | None] = field(default_factory=list)

    @property
    def far(self) -> Path:
        return self.root / "far"

    @property
    def run(self) -> Path:
        return self.root / "lab" / "SPEC_02" / "Kelp transcriptome" / "Runs" / "Run_2025-03-09T08-15"

    def step(self, phase: str) -> str:
        """The failure that the script has for this phase, if it is next."""
        if self.script and self.script[0].startswith(f"{phase}:"):
            return self.script.pop(0).partition(":")[2]
        if phase == "verify" and self.script and self.script[0] == "ok":
            self.script.pop(0)
        return ""

    def client(self, *, enabled: bool = True, **bandwidth: object) -> NASSyncClient:
        async def push(local: Path, *, bwlimit_kibps: int | None) -> TransportResult:
            self.pushes.append(local)
            self.limits.append(bwlimit_kibps)
            if kind := self.step("push"):
                return TransportResult(ok=False, error_kind=TransportErrorKind(kind), stderr=f"scripted {kind}")
            await asyncio.to_thread(shutil.copytree, local, self.far / local.name, dirs_exist_ok=True)
            return TransportResult(ok=True)

        async def hashsum(run_dir: Path) -> dict[str, str]:
            kind = self.step("verify")
            far = self.far / run_dir.name
            found = {
                str(path.relative_to(far)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in far.rglob("*")
                if path.is_file()
            }
            if kind == "missing_remote":
                found.pop("data.raw")
            elif kind == "hash_mismatch":
                found["data.raw"] = "0" * 64
            elif kind:
                from exlab_sync_tui import TransportError  # noqa: PLC0415

                raise TransportError(f"scripted {kind}", TransportErrorKind(kind))
            return found

        instrument = {
            "id": "SPEC_02",
            "label": "Spectrometer",
            "local_root": str(self.root / "lab"),
            "nas_root": "//vault/lab",
            "completeness_signal": "sentinel_file",
            "sentinel_filename": "done.flag",
            "transport": {
                "type": "rclone",
                "rclone_remote": "vault",
                "rclone_remote_path": "lab",
                "bandwidth": bandwidth,
            },
        }
        return NASSyncClient(
            config={"equipment": [instrument], "sync": {"enabled": enabled}},
            queue_db=self.root / "state" / "queue.db",
            validator=Validator(),
            cache_creation=CreationWriter(),
            push_callable_factory=lambda _: push,
            hashsum_callable_factory=lambda _: hashsum,
            clock=self.clock,
            operator="mira",
        )

    async def play(self, client: NASSyncClient) -> SyncJobRow:
        """Let the lane work through the script, forcing every waiting time to pass; the job after the last step."""
        await client.drain()
        while self.script:
            if self.script[0] == "retry":
                self.script.pop(0)
                await client.retry((await self.job(client)).id)
            else:
                await self.clock.advance(_STEP)
            await settle(client)
        return await self.job(client)

    async def job(self, client: NASSyncClient) -> SyncJobRow:
        job = await client.job_of(self.run)
        assert job is not None
        return job


_STEP = 30.0
"""Seconds: every waiting time is a multiple, and a step of the lane is never taken for a stall."""


async def settle(client: NASSyncClient) -> None:
    """Give woken lanes a turn of the loop, then wait until nothing can move."""
    for _ in range(5):
        await asyncio.sleep(0)
    await client.drain()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    write_exlab_run(bench.run, {"data.raw": "01", "scan/deep.raw": "23"})
    return bench


@pytest.mark.parametrize(
    ("steps", "state", "attempts", "delay"),
    [
        (["push:unknown"], "queued", 1, 30),
        (["push:network", "push:unknown"], "queued", 2, 120),
        (["push:network", "push:unknown", "push:network"], "queued", 3, 480),
        (["push:network"] * 4, "queued", 4, 1_800),
        (["push:network"] * 5, "failed", 5, None),
        (["push:auth"], "failed", 0, None),
        (["push:local_file_vanished"], "failed", 0, None),
        (["push:hash_mismatch"], "verified", 0, None),
        (["push:hash_mismatch", "push:hash_mismatch"], "failed", 0, None),
        (["verify:missing_remote"], "verified", 0, None),
        (["verify:missing_remote", "verify:missing_remote"], "failed", 0, None),
        (["verify:hash_mismatch", "verify:hash_mismatch"], "failed", 0, None),
        (["verify:network"] * 5, "failed", 5, None),
        (["push:network", "push:network", "ok"], "verified", 2, None),
        (["push:network"] * 5 + ["retry", "ok"], "verified", 0, None),
    ],
)
async def test_the_class_table(bench: Bench, steps: list[str], state: str, attempts: int, delay: int | None) -> None:
    bench.script = list(steps)
    async with bench.client() as client:
        await client.enqueue(bench.run)
        job = await bench.play(client)
        assert (job.state.value, job.attempts) == (state, attempts)
        if delay is None:
            assert job.next_attempt_at is None
        else:
            assert job.next_attempt_at is not None
            assert (job.next_attempt_at - bench.clock.now()).total_seconds() == delay
        status = json.loads((bench.run / ".exlab-wizard" / "creation.json").read_text())["sync_status"]
        assert status == {"queued": "pending", "failed": "failed", "verified": "synced"}[state]


async def test_a_verified_run_has_its_papers_here(bench: Bench) -> None:
    async with bench.client() as client:
        handle = await client.enqueue(bench.run)
        assert handle.state.value == "queued"
        assert handle.run_path == str(bench.run)
        await client.drain()
        assert await client.status(bench.run) == "verified"
        receipt = json.loads((bench.run / ".exlab-wizard" / "receipt.json").read_text())
        manifest = (bench.run / ".exlab-wizard" / "checksums.sha256").read_bytes()
        assert receipt["publish"] == "direct"
        assert receipt["job_id"] == handle.job_id
        assert receipt["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
        assert [line.split(b"  ")[1] for line in manifest.splitlines()] == [b"data.raw", b"scan/deep.raw"]
        assert bench.pushes == [bench.run]


async def test_one_run_has_one_job_by_whatever_name(bench: Bench, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(bench.run.parent)
    names = [
        bench.run,
        bench.run.parent / ".." / "Runs" / bench.run.name,
        Path(f"{bench.run}/"),
        alias / bench.run.name,
    ]
    async with bench.client() as client:
        handles = await asyncio.gather(*(client.enqueue(name) for name in names))
        assert len({handle.job_id for handle in handles}) == 1
        await client.drain()
        assert (await client.enqueue(bench.run)).job_id == handles[0].job_id
        await client.drain()
        assert len(bench.pushes) == 1


async def test_what_is_no_run_is_refused_and_leaves_no_trace(bench: Bench, tmp_path: Path) -> None:
    orphan = bench.run.parent / "Run_orphan"
    orphan.mkdir()
    (tmp_path / "elsewhere").mkdir()
    async with bench.client() as client:
        with pytest.raises(OrphanRunError):
            await client.enqueue(orphan)
        with pytest.raises(UnknownEquipmentError):
            await client.enqueue(tmp_path / "elsewhere")
        with pytest.raises(NotFoundError):
            await client.enqueue(bench.run.parent / "Run_nowhere")
        assert await client.status(orphan) == "none"
        assert not list(orphan.iterdir())


async def test_a_blocked_run_gets_no_job_and_a_repaired_one_does(bench: Bench) -> None:
    broken = bench.run / "<sample>.raw"
    broken.touch()
    async with bench.client() as client:
        handle = await client.enqueue(bench.run)
        assert (handle.state.value, handle.job_id) == ("blocked", "")
        assert {finding.rule.value for finding in handle.blocking_findings} == {
            "illegal_filesystem_character",
            "unresolved_placeholder_token",
        }
        assert await client.status(bench.run) == "none"
        creation = bench.run / ".exlab-wizard" / "creation.json"
        assert json.loads(creation.read_text())["sync_status"] == "blocked_by_validation"
        broken.rename(bench.run / "sample.raw")
        assert (await client.enqueue(bench.run)).state.value == "queued"
        await client.drain()
        assert await client.status(bench.run) == "verified"
        assert json.loads(creation.read_text())["sync_status"] == "synced"


async def test_a_run_that_breaks_while_it_waits_is_held_and_goes_on_when_repaired(bench: Bench) -> None:
    bench.script = ["push:network"]
    async with bench.client() as client:
        await client.enqueue(bench.run)
        await client.drain()
        broken = bench.run / "aux.raw"
        broken.touch()
        await bench.clock.advance(1_800)
        await settle(client)
        job = await bench.job(client)
        assert (job.state.value, job.held) == ("queued", True)
        broken.unlink()
        await client.enqueue(bench.run)
        await settle(client)
        assert await client.status(bench.run) == "verified"


async def test_a_file_that_changes_after_it_was_sent_is_never_verified(bench: Bench) -> None:
    client = bench.client()
    await client.init()
    original = bench.step

    def change_then(phase: str) -> str:
        if phase == "verify" and not (bench.run / "late.raw").exists():
            (bench.run / "late.raw").write_text("late")
        return original(phase)

    bench.step = change_then  # type: ignore[method-assign]
    (bench.run / "data.raw").write_text("changed")
    await client.enqueue(bench.run)
    await client.drain()
    assert await client.status(bench.run) in {"queued", "verified"}
    await client.close()


async def test_a_verified_row_whose_status_was_lost_is_healed_at_start(bench: Bench) -> None:
    async with bench.client() as client:
        await client.enqueue(bench.run)
        await client.drain()
    creation = bench.run / ".exlab-wizard" / "creation.json"
    creation.write_text(json.dumps(json.loads(creation.read_text()) | {"sync_status": "pending"}))
    async with bench.client() as client:
        await client.drain()
        assert json.loads(creation.read_text())["sync_status"] == "synced"
        assert await client.status(bench.run) == "verified"
    assert len(bench.pushes) == 1


async def test_force_verify_compares_and_never_rewrites(bench: Bench) -> None:
    async with bench.client() as client:
        await client.enqueue(bench.run)
        await client.drain()
        manifest = bench.run / ".exlab-wizard" / "checksums.sha256"
        before = manifest.read_bytes()
        assert (await client.force_verify(bench.run)).ok
        (bench.far / bench.run.name / "data.raw").write_text("damaged")
        assert (await client.force_verify(bench.run)).mismatched == ("data.raw",)
        (bench.far / bench.run.name / "data.raw").write_text("01")
        (bench.run / "data.raw").write_text("changed here")
        result = await client.force_verify(bench.run)
        assert not result.ok
        assert manifest.read_bytes() == before
        assert await client.status(bench.run) == "verified"


async def test_retry_is_for_failed_and_verified_runs_only(bench: Bench) -> None:
    bench.script = ["push:network"]
    async with bench.client() as client:
        handle = await client.enqueue(bench.run)
        await client.drain()
        with pytest.raises(RefusedError, match="nothing to retry"):
            await client.retry(handle.job_id)
        with pytest.raises(NotFoundError):
            await client.retry("no such job")


async def test_a_pass_counts_only_after_the_interval(bench: Bench) -> None:
    async with bench.client() as client:
        handle = await client.enqueue(bench.run)
        await client.drain()
        verified_at = (await bench.job(client)).verified_at
        await client.retry(handle.job_id)
        assert (await bench.job(client)).verify_passes == 1
        await bench.clock.advance(12 * 3_600)
        await client.retry(handle.job_id)
        job = await bench.job(client)
        assert (job.verify_passes, job.verified_at) == (2, verified_at)
        (bench.far / bench.run.name / "data.raw").write_text("damaged")
        await client.retry(handle.job_id)
        job = await bench.job(client)
        assert (job.state.value, job.verify_passes) == ("failed", 0)


async def test_the_limit_is_handed_to_the_callable(bench: Bench) -> None:
    async with bench.client(upload_mbps=8) as client:
        await client.enqueue(bench.run)
        await client.drain()
    assert bench.limits == [1_024]


async def test_switched_off_it_watches_and_queues_and_sends_nothing(bench: Bench) -> None:
    (bench.run / "done.flag").touch()
    async with bench.client(enabled=False) as client:
        await client.scan()
        await bench.clock.advance(31)
        await client.scan()
        await client.drain()
        assert await client.status(bench.run) == "queued"
        assert not bench.pushes
        hold = await client.store.hold(HoldScope.EQUIPMENT, "SPEC_02")
        assert hold is not None
        assert "sync.enabled" in hold.sentence
    async with bench.client() as client:
        await client.drain()
        assert await client.status(bench.run) == "verified"
        assert await client.store.hold(HoldScope.EQUIPMENT, "SPEC_02") is None
