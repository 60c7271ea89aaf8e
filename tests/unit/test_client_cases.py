"""Do the worked examples of the public client hold? One test per case of ``data/client_cases.json``."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.errors import UnknownEquipmentError
from exlab_sync_tui.queue.store import JobFilter
from tests.unit.test_engine_blackbox import Bench, settle, write_exlab_run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exlab_sync_tui import NASSyncClient

    Calls = Callable[[Bench, NASSyncClient], Awaitable[dict[str, Any]]]

_DATA: dict[str, Any] = json.loads(Path(__file__).with_name("data").joinpath("client_cases.json").read_text("utf-8"))


def cases(group: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", _DATA[group], ids=lambda case: case["id"])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    write_exlab_run(bench.run, {"data.raw": "01", "scan/deep.raw": "23"})
    return bench


def creation(bench: Bench) -> Path:
    return bench.run / ".exlab-wizard" / "creation.json"


async def left_behind(bench: Bench, row: dict[str, Any], status: str) -> None:
    """The store and the run as an engine that died has left them."""
    verified = row["state"] == "verified"
    async with bench.client(enabled=verified) as client:
        await client.enqueue(bench.run)
        await client.drain()
    bench.pushes.clear()
    columns = dict(row)
    if verified:
        columns.pop("verified_at")  # as the engine itself has written it
    with closing(sqlite3.connect(bench.root / "state" / "queue.db")) as store, store:
        words = ", ".join(f"{name} = ?" for name in columns)
        store.execute(f"UPDATE jobs SET {words}", tuple(columns.values()))  # noqa: S608
    document = json.loads(creation(bench).read_text())
    creation(bench).write_text(json.dumps(document | {"sync_status": status}))


@cases("replay")
async def test_a_start_after_a_crash(bench: Bench, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given, expected = case["input"], case["expected"]
    if "fault" in given:

        def step(phase: str) -> str:
            if phase == "verify":
                raise OSError(errno.EIO, os.strerror(errno.EIO))  # EACCES is a locked file (FORMATS.md 6)
            return ""

        monkeypatch.setattr(bench, "step", step)
        async with bench.client() as client:
            await client.enqueue(bench.run)
            await client.drain()
            job = await bench.job(client)
        assert (job.state.value == "queued" and job.next_attempt_at is not None) or job.state.value == "failed"
        assert bool(job.last_error) is expected["last_error_set"]
        return
    await left_behind(bench, given["row"], given["sync_status"])
    async with bench.client(enabled=False) as client:
        assert await client.status(bench.run) == expected["on_open"]
    async with bench.client() as client:
        await settle(client)
        assert await client.status(bench.run) == expected.get("settles", expected["on_open"])
    assert len(bench.pushes) == expected["pushes"]
    assert json.loads(creation(bench).read_text())["sync_status"] == expected.get("sync_status", "synced")


async def enqueue_ok(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    handle, again = await client.enqueue(bench.run), await client.enqueue(bench.run)
    assert handle.job_id
    assert handle.job_id == again.job_id
    assert handle.run_path == str(bench.run)
    return {"state": handle.state.value, "blocking_findings": list(handle.blocking_findings)}


async def enqueue_alias(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    above = bench.root / "another way"
    above.symlink_to(bench.run.parent)
    for path in (
        bench.run,
        bench.run.parent / ".." / "Runs" / bench.run.name,
        Path(f"{bench.run}/"),
        above / bench.run.name,
    ):
        await client.enqueue(path)
    return {"rows": len(await client.store.jobs(JobFilter()))}


async def enqueue_elsewhere(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    run = write_exlab_run(bench.root / "lab" / "NOBODY_07" / "Kelp" / "Runs" / "Run_1", {"a.raw": "1"})
    with pytest.raises(UnknownEquipmentError, match="NOBODY_07"):
        await client.enqueue(run)
    return {"rows": len(await client.store.jobs(JobFilter()))}


async def status_none(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    return {"returns": await client.status(bench.run)}


async def status_values(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    allowed = next(case for case in _DATA["api"] if case["id"] == "A-status-values")["expected"]["one_of"]
    await client.enqueue(bench.run)
    assert await client.status(bench.run) in allowed
    await client.drain()
    assert await client.status(bench.run) == "verified"
    return {}


async def retry_verified(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    handle = await client.enqueue(bench.run)
    await client.drain()
    await client.retry(handle.job_id)
    await settle(client)
    assert await client.status(bench.run) == "verified"
    assert len(bench.pushes) == 1
    return {}


async def factories(bench: Bench, client: NASSyncClient) -> dict[str, Any]:
    await client.enqueue(bench.run)
    await client.drain()
    assert (bench.pushes, bench.limits) == ([bench.run], [None])
    assert (await client.force_verify(bench.run)).ok
    return {}


_CALLS: dict[str, Calls] = {
    "A-enqueue-ok": enqueue_ok,
    "A-enqueue-alias": enqueue_alias,
    "A-enqueue-unknown-equipment": enqueue_elsewhere,
    "A-status-none": status_none,
    "A-status-values": status_values,
    "A-retry-verified": retry_verified,
    "A-factories": factories,
}


@cases("api")
async def test_what_a_call_answers(bench: Bench, case: dict[str, Any]) -> None:
    async with bench.client() as client:
        told = await _CALLS[case["id"]](bench, client)
    assert told == {key: case["expected"][key] for key in told}


@cases("force_verify")
async def test_a_check_compares_with_the_nas_and_writes_nothing(bench: Bench, case: dict[str, Any]) -> None:
    expected = case["expected"]
    async with bench.client() as client:
        await client.enqueue(bench.run)
        await client.drain()
        manifest = bench.run / ".exlab-wizard" / "checksums.sha256"
        before = manifest.read_bytes()
        match case["id"]:
            case "M-force-verify-remote":
                (bench.far / bench.run.name / "data.raw").write_text("xx")
            case "M-force-verify-keeps":
                (bench.run / "data.raw").write_text("changed")
            case _:
                (bench.run / "data.raw").unlink()
                shutil.rmtree(bench.run / "scan")
        result = await client.force_verify(bench.run)
        assert result.ok is expected.get("ok", result.ok)
        assert manifest.read_bytes() == before
