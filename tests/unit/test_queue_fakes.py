"""The fakes that ship: a clock that moves when told to, and a destination in memory."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.testing import FakeTransport, ManualClock
from exlab_sync_tui.transport.base import Capabilities, Identity, Owner, Pulse, PushPlan, RemoteEntry, Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.clock import Clock

HOUR = 3_600.0
K = TransportErrorKind
INCOMING = "SCOPE/.exlab-incoming/abcdefgh"
OURS = Owner("store", "job")


class TestClock:
    async def test_a_weekend_passes_hour_by_hour(self) -> None:
        clock = ManualClock()
        started = clock.now()
        hours: list[float] = []

        async def watch(clock: Clock) -> None:
            while True:
                await clock.sleep(HOUR)
                hours.append(clock.monotonic())

        task = asyncio.create_task(watch(clock))
        await clock.advance(60 * HOUR)
        assert hours == [HOUR * n for n in range(1, 61)]
        assert (clock.now() - started).total_seconds() == 60 * HOUR
        assert clock.sleepers == 1
        task.cancel()
        await clock.advance(HOUR)
        assert clock.sleepers == 0
        assert len(hours) == 60

    async def test_sleepers_wake_in_the_order_of_their_moments(self) -> None:
        clock, woken = ManualClock(), list[str]()

        async def doze(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(name)

        async with asyncio.TaskGroup() as group:
            for name, seconds in [("late", 3), ("early", 1), ("also early", 1), ("now", 0)]:
                group.create_task(doze(name, seconds))
            await clock.advance(2.9)
            assert woken == ["now", "early", "also early"]
            await clock.advance(0.1)
        assert woken[-1] == "late"

    async def test_a_jump_of_the_wall_clock_wakes_nobody(self) -> None:
        clock = ManualClock()
        before = clock.now()
        task = asyncio.create_task(clock.sleep(1))
        await clock.advance(0)
        clock.jump(-HOUR)
        assert (clock.now() - before).total_seconds() == -HOUR
        assert clock.monotonic() == 0
        assert not task.done()
        await clock.advance(1)
        await task

    async def test_waiting_for_an_outcome_ends_with_it_or_with_an_error(self) -> None:
        clock = ManualClock()
        task = asyncio.create_task(clock.sleep(90))
        await clock.until(task.done, step=60)
        assert clock.monotonic() == 120
        with pytest.raises(TimeoutError, match="within 5 s"):
            await clock.until(lambda: False, limit=5)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for rel, data in {"a.raw": b"alpha", "empty": b"", "sub/b.raw": b"beta"}.items():
        (tmp_path / rel).parent.mkdir(exist_ok=True)
        (tmp_path / rel).write_bytes(data)
    return tmp_path


def records(run: Path) -> list[FileRecord]:
    found = [(path, path.stat()) for path in sorted(run.rglob("*")) if path.is_file()]
    return [
        FileRecord(path.relative_to(run).as_posix(), seen.st_size, seen.st_mtime_ns, seen.st_ino)
        for path, seen in found
    ]


def plan(run: Path, wanted: Sequence[FileRecord] | None = None) -> PushPlan:
    async def pages() -> AsyncIterator[Sequence[FileRecord]]:
        yield records(run) if wanted is None else wanted

    return PushPlan(run, f"{INCOMING}/run", pages())


async def pushed(far: FakeTransport, planned: PushPlan) -> list[FileRecord]:
    return [record async for page in far.push(planned) for record in page]


async def listed(far: Transport, folder: str) -> list[str]:
    return [entry.rel async for page in far.list(folder) for entry in page]


class TestTransport:
    async def test_a_run_goes_the_whole_way(self, run: Path) -> None:
        far = FakeTransport(identity=None)
        transport: Transport = far
        assert (await transport.probe()).identity is None
        assert await transport.adopt(Identity("1", "now")) == await transport.adopt(Identity("2", "later"))
        await transport.open_incoming(INCOMING, OURS)
        sent = await pushed(far, plan(run))
        assert all(record.proven and record.rung is EvidenceLevel.REMOTE_HASH for record in sent)
        await transport.make_folders(f"{INCOMING}/run", ["hollow"])
        await transport.write_text(f"{INCOMING}/run", "receipt.json", b"{}")
        assert await listed(transport, f"{INCOMING}/run") == [
            "a.raw",
            "empty",
            "hollow",
            "receipt.json",
            "sub",
            "sub/b.raw",
        ]
        await transport.publish(f"{INCOMING}/run", "SCOPE/Run_1")
        assert await listed(transport, "SCOPE/Run_1/sub") == ["b.raw"]
        assert await transport.find("SCOPE/Run_1") == RemoteEntry("SCOPE/Run_1", "folder")
        assert await transport.find("SCOPE/Run_1/a.raw") == RemoteEntry("SCOPE/Run_1/a.raw", "file", 5)
        assert await transport.find(f"{INCOMING}/run") is None
        await transport.remove_incoming(INCOMING, OURS)
        assert await transport.find(INCOMING) is None
        assert await transport.read_text("SCOPE/Run_1", "receipt.json") == b"{}"
        assert await transport.read_text("SCOPE/Run_1", "absent") is None
        await transport.close()
        assert far.calls["push"] == 1

    async def test_what_lies_there_already_is_not_sent_again(self, run: Path) -> None:
        far = FakeTransport()
        far.fail("push", K.NETWORK, after=2)
        with pytest.raises(TransportError, match="network was asked for"):
            await pushed(far, plan(run))
        again = plan(run)
        assert len(await pushed(far, again)) == 3
        assert [path.rpartition("/")[2] for path in far.sent] == ["a.raw", "empty", "b.raw"]
        assert (again.pulse.skipped_bytes, again.pulse.sent_bytes, again.pulse.files_done) == (5, 4, 3)

    async def test_a_spoiled_file_is_seen_in_its_digests(self, run: Path) -> None:
        far = FakeTransport()
        far.spoil("a.raw")
        first, empty, _ = await pushed(far, plan(run))
        assert not first.proven
        assert (await pushed(far, plan(run, records(run)[:1])))[0].proven
        far.damage(f"{INCOMING}/run/a.raw")
        far.damage(f"{INCOMING}/run/empty")
        gone = FileRecord("gone", 1, 1, sha256=b"1" * 32)
        pulse = Pulse()
        fresh = [r async for page in far.digests(f"{INCOMING}/run", [first, empty, gone], pulse) for r in page]
        assert [record.proven for record in fresh] == [False, False, False]
        assert fresh[2].far_sha256 is None
        assert pulse.checked_bytes == 6

    async def test_a_destination_without_digests_proves_nothing(self, run: Path) -> None:
        far = FakeTransport(capabilities=Capabilities(rung=None))
        sent = await pushed(far, plan(run))
        assert sent[0].sha256 == hashlib.sha256(b"alpha").digest()
        assert all(record.far_sha256 is None for record in sent)

    async def test_failures_come_as_often_as_they_were_asked_for(self) -> None:
        far = FakeTransport(title="nas")
        far.fail("probe", K.AUTH, "key refused", times=2, after=1)
        await far.probe()
        for _ in range(2):
            with pytest.raises(TransportError, match="key refused") as caught:
                await far.probe()
            assert caught.value.error_kind is K.AUTH
        await far.probe()
        far.away = True
        with pytest.raises(TransportError, match="nas does not answer"):
            await far.find("x")

    async def test_something_can_happen_in_between(self, run: Path) -> None:
        far = FakeTransport()
        wanted = records(run)
        far.before["push"] = lambda: (run / "sub/b.raw").write_bytes(b"longer")
        with pytest.raises(TransportError, match="changed") as caught:
            await pushed(far, plan(run, wanted))
        assert caught.value.error_kind is K.CHANGED
        far.before["push"] = (run / "a.raw").unlink
        with pytest.raises(TransportError, match="gone") as caught:
            await pushed(far, plan(run, wanted))
        assert caught.value.error_kind is K.LOCAL_FILE_VANISHED

    async def test_a_full_destination_says_how_much_is_missing(self, run: Path) -> None:
        far = FakeTransport(free_bytes=6)
        with pytest.raises(TransportError, match="1 bytes free and 4 are needed") as caught:
            await pushed(far, plan(run))
        assert caught.value.error_kind is K.NO_SPACE

    async def test_nothing_of_others_is_touched(self) -> None:
        far = FakeTransport()
        await far.open_incoming(INCOMING, OURS)
        other = replace(OURS, job_id="other")
        with pytest.raises(TransportError, match="belongs to another job"):
            await far.open_incoming(INCOMING, other)
        await far.remove_incoming(INCOMING, other)
        assert await far.find(f"{INCOMING}/run") is not None
        await far.make_folders("SCOPE", ["Run_1"])
        with pytest.raises(TransportError, match="exists already"):
            await far.publish(f"{INCOMING}/run", "SCOPE/Run_1")

    async def test_additions_are_published_file_by_file(self) -> None:
        far = FakeTransport()
        await far.write_text(f"{INCOMING}/run", "new/c.raw", b"gamma")
        await far.publish_file(f"{INCOMING}/run", "SCOPE/Run_1", "new/c.raw")
        assert await far.read_text("SCOPE/Run_1", "new/c.raw", limit=5) == b"gamma"
        with pytest.raises(TransportError, match="larger than 4 bytes"):
            await far.read_text("SCOPE/Run_1", "new/c.raw", limit=4)
        await far.write_text(f"{INCOMING}/run", "new/c.raw", b"delta")
        with pytest.raises(TransportError, match="exists already"):
            await far.publish_file(f"{INCOMING}/run", "SCOPE/Run_1", "new/c.raw")
        await far.discard(f"{INCOMING}/run", ["new/c.raw", "absent"])
        assert await far.read_text(f"{INCOMING}/run", "new/c.raw") is None
