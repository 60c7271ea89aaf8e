"""Is a listing that takes longer than a stall may last waited for while it moves, and ended once it does not?"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from exlab_sync_tui.engine.travel.stall import run_unless_stalled
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.testing import FakeTransport, ManualClock
from exlab_sync_tui.transport.base import Pulse, PushPlan, RemoteEntry
from exlab_sync_tui.transport.listing import moving, paged
from exlab_sync_tui.transport.rclone import push as rclone_push
from exlab_sync_tui.transport.rclone.remote import Remote
from exlab_sync_tui.transport.rsync import push as rsync_push
from exlab_sync_tui.transport.rsync.account import Ended
from exlab_sync_tui.transport.rsync.far import FarFolder
from tests.unit.sim_lab import INSTRUMENTS, WeekLab, breathe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient

STALL = 120.0
"""Seconds."""

UNDER_WAY = (SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY)


class SlowRclone:
    """The real listing over an rclone that writes what the test lets it write."""

    def __init__(self, tmp_path: Path) -> None:
        del tmp_path
        self.out = asyncio.StreamReader()
        self.ended = False
        self.remote = Remote(cast("Any", self), "nas", "lab", "the remote")

    async def call(self, command: str, **_: object) -> dict[str, Any]:
        return {"list": [command]}

    async def helper(self, *_: str, feed: bytes = b"") -> object:
        async def nothing() -> int:
            return len(feed)

        async def end() -> None:
            self.ended = True

        return SimpleNamespace(child=SimpleNamespace(out=self.out, wait=nothing), heard=[], heard_all=nothing, end=end)

    @asynccontextmanager
    async def watching(self, *_: object) -> AsyncIterator[None]:
        yield

    def say(self, name: str) -> None:
        self.out.feed_data(f"3;{name}\n".encode())

    def finish(self) -> None:
        self.out.feed_eof()

    async def everything(self, alive: Callable[[], None]) -> Sequence[RemoteEntry]:
        return await self.remote.everything("run", alive)

    def present(self, plan: PushPlan) -> Coroutine[None, None, dict[str, int]]:
        return rclone_push.Sending(self.remote, cast("Any", None), plan, cast("Any", None), None).present()


class SlowRsync:
    """The real listing over an rsync that writes what the test lets it write."""

    access = None

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = False
        self.far = FarFolder(cast("Any", self))

    def argument(self, folder: str = "") -> str:
        return folder

    def fresh(self, kind: str) -> Path:
        (self.folder / kind).mkdir()
        return self.folder / kind

    async def rsync(self, *_: object, hear: Callable[[bytes], None], **__: object) -> Ended:
        try:
            while piece := await self.said.get():
                hear(piece)
        finally:
            self.ended = True
        return Ended(0, b"", "")

    def say(self, name: str) -> None:
        self.said.put_nowait(f"-rw-r--r--              3 2026/02/28 12:00:00 run/{name}\n".encode())

    def finish(self) -> None:
        self.said.put_nowait(b"")

    async def everything(self, alive: Callable[[], None]) -> Sequence[RemoteEntry]:
        return await self.far.everything("run", alive)

    def present(self, plan: PushPlan) -> Coroutine[None, None, dict[str, int]]:
        return rsync_push.Sending(cast("Any", self), self.far, plan, cast("Any", None), cast("Any", None)).present()


SLOW = pytest.mark.parametrize("make", [SlowRclone, SlowRsync])


async def names_in(pages: AsyncIterator[Sequence[RemoteEntry]]) -> list[str]:
    return [entry.rel async for page in pages for entry in page]


def watched(step: Coroutine[None, None, Any], pulse: Pulse, clock: ManualClock) -> asyncio.Task[Any]:
    return asyncio.ensure_future(run_unless_stalled(step, pulse, clock, STALL, "nas01"))


@SLOW
async def test_a_listing_that_comes_slowly_is_waited_for(make: type[SlowRclone | SlowRsync], tmp_path: Path) -> None:
    far, pulse, clock = make(tmp_path), Pulse(), ManualClock()
    listing = watched(names_in(moving(paged(far.everything), pulse)), pulse, clock)
    for number in range(9):
        far.say(f"{9 - number}.raw")
        await clock.advance(STALL / 2)
    assert not listing.done()
    far.finish()
    assert await listing == [f"{number}.raw" for number in range(1, 10)]


@SLOW
async def test_a_listing_that_says_nothing_more_is_ended(make: type[SlowRclone | SlowRsync], tmp_path: Path) -> None:
    far, pulse, clock = make(tmp_path), Pulse(), ManualClock()
    listing = watched(names_in(moving(paged(far.everything), pulse)), pulse, clock)
    far.say("a.raw")
    await clock.advance(STALL / 2)
    await clock.until(listing.done, limit=3 * STALL)
    with pytest.raises(TransportError) as refusal:
        await listing
    assert refusal.value.error_kind is TransportErrorKind.NETWORK
    assert far.ended


@SLOW
async def test_what_an_earlier_attempt_left_may_be_listed_slowly(
    make: type[SlowRclone | SlowRsync], tmp_path: Path
) -> None:
    far, pulse, clock = make(tmp_path), Pulse(), ManualClock()
    plan = PushPlan(tmp_path, "run", cast("Any", None), pulse)
    looking = watched(far.present(plan), pulse, clock)
    for name in "abcde":
        far.say(name)
        await clock.advance(STALL / 2)
    assert not looking.done()
    far.finish()
    assert await looking == dict.fromkeys("abcde", 3)


async def test_the_trouble_of_a_listing_is_raised_after_its_signs_of_life() -> None:
    async def fails(alive: Callable[[], None]) -> Sequence[RemoteEntry]:
        alive()
        await asyncio.sleep(0)
        raise TransportError("gone", TransportErrorKind.NETWORK)

    with pytest.raises(TransportError, match="gone"):
        await names_in(paged(fails))


class SlowLister(FakeTransport):
    """Says at each sign that the test gives that its listing moves, and lists once it is let."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.signs: asyncio.Queue[bool] = asyncio.Queue()
        self.asked = self.let_go = False

    async def list(self, folder: str) -> AsyncIterator[Sequence[RemoteEntry]]:
        self.asked = True
        try:
            while not self.let_go and await self.signs.get():
                yield ()
        finally:
            self.let_go = True
        async for page in super().list(folder):
            yield page


async def when_not_under_way(client: NASSyncClient, job_id: str) -> SyncJobRow:
    while (job := await client.store.job(job_id)) is None or job.state in UNDER_WAY:
        await breathe()
    return job


async def test_a_run_whose_assembly_is_listed_slowly_is_verified_at_the_first_attempt(tmp_path: Path) -> None:
    lab, slow = WeekLab(tmp_path), SlowLister(title="nas01")
    client = lab.client(make=lambda _: slow)
    async with client:
        handle = await client.enqueue(lab.write_run(INSTRUMENTS[0], "Run_slow"))
        while not slow.asked:
            await breathe()
        for _ in range(9):
            slow.signs.put_nowait(True)
            await lab.clock.advance(STALL / 2)
        assert not slow.let_go
        slow.signs.put_nowait(False)
        job = await when_not_under_way(client, handle.job_id)
        assert (job.state, job.attempts) == (SyncJobState.VERIFIED, 0)


async def test_a_run_whose_listing_says_nothing_is_ended_as_stalled(tmp_path: Path) -> None:
    lab, slow = WeekLab(tmp_path), SlowLister(title="nas01")
    client = lab.client(make=lambda _: slow)
    async with client:
        handle = await client.enqueue(lab.write_run(INSTRUMENTS[0], "Run_mute"))
        while not slow.asked:
            await breathe()
        while not slow.let_go:
            await lab.clock.advance(10)
            await breathe()
        job = await when_not_under_way(client, handle.job_id)
        assert job.state is SyncJobState.QUEUED
        assert "has not moved a byte for 2 min" in (job.last_error or "")


async def test_a_comparison_that_is_asked_for_does_not_wait_for_ever_either(tmp_path: Path) -> None:
    lab, slow = WeekLab(tmp_path), SlowLister(title="nas01")
    client = lab.client(make=lambda _: slow)
    async with client:
        run = lab.write_run(INSTRUMENTS[0], "Run_asked")
        handle = await client.enqueue(run)
        while not slow.asked:
            await breathe()
        slow.signs.put_nowait(False)
        assert (await when_not_under_way(client, handle.job_id)).state is SyncJobState.VERIFIED
        slow.asked = slow.let_go = False
        comparing = asyncio.create_task(client.force_verify(run))
        while not slow.asked:
            await breathe()
        while not slow.let_go:
            await lab.clock.advance(10)
            await breathe()
        result = await comparing
        assert (result.ok, result.error_kind) == (False, TransportErrorKind.NETWORK)
