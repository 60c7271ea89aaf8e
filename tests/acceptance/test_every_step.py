"""A run is sent, grows and changes, and the engine dies before or after any step of its store or its destination."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.testing import ManualClock
from exlab_sync_tui.transport.mount.transport import MountTransport
from tests.unit.test_engine_review import Bench, until_verified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient

_STEPS = ((SQLiteStore, "_write"), (MountTransport, "_there"))
_MORE_THAN_THERE_ARE = 200


class Death(BaseException):
    """The end of an engine: nothing catches it, and nothing is done after it."""


class Bomb:
    """Kills at the *at*-th step, before it or *after* it; from then on no step is made any more."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after
        self.has_killed = False

    def under(self, step: Callable[..., Any]) -> Callable[..., Any]:
        async def stepped(*given: Any, **named: Any) -> Any:
            if self.has_killed:
                raise Death
            self._left -= 1
            self.has_killed = not self._left
            if self.has_killed and not self._after:
                raise Death
            result = await step(*given, **named)
            if self.has_killed:
                raise Death
            return result

        return stepped


async def die(client: NASSyncClient, bench: Bench, bomb: Bomb) -> None:
    """Let an engine work until it dies, or is through."""
    steps = [(owner, name, getattr(owner, name)) for owner, name in _STEPS]
    for owner, name, step in steps:
        setattr(owner, name, bomb.under(step))
    try:
        await client.init()
        await bench.send(client)
        await client.close()
    except Death:
        with suppress(Death):
            await client.close()  # lets go of the lock, as the end of a process does; its writes all fail
    finally:
        for owner, name, step in steps:
            setattr(owner, name, step)


async def nothing_is_claimed_that_is_not_there(client: NASSyncClient, bench: Bench) -> None:
    """VERIFIED means that every recorded file lies in the final folder with its digest."""
    job = await client.job_of(bench.run)
    if job is not None and job.state is SyncJobState.VERIFIED:
        for record in await client.store.files(job.id):
            assert hashlib.sha256((bench.nas / job.nas_path / record.rel).read_bytes()).digest() == record.sha256


async def survives(root: Path, bomb: Bomb, publish: str) -> bool:
    """Whether the bomb went off; everything that must be true then is asserted."""
    bench = Bench(root, ManualClock()).prepare()
    for change in ({}, {"c.raw": "gamma"}, {"a.raw": "changed"}):
        for name, text in change.items():
            (bench.run / name).write_text(text)
        if not bomb.has_killed:
            await die(bench.client(publish=publish), bench, bomb)
        if bomb.has_killed:
            async with bench.client(publish=publish) as client:
                await nothing_is_claimed_that_is_not_there(client, bench)
                await client.enqueue(bench.run)
                assert (await until_verified(bench, client)).state is SyncJobState.VERIFIED
                await client.enqueue(bench.run)
                assert (await until_verified(bench, client)).state is SyncJobState.VERIFIED
                await nothing_is_claimed_that_is_not_there(client, bench)
                assert await client.store.holds() == []
                assert await client.store.debts() == []
    place = bench.nas / "PLAIN_01"
    assert sorted(path.name for path in place.iterdir()) == ["Run_A", "Run_A__r2"]
    assert {path.name: path.read_text() for path in (place / "Run_A").glob("*.raw")} == {
        "a.raw": "alpha",
        "b.raw": "beta",
        "c.raw": "gamma",
    }
    assert (place / "Run_A__r2" / "a.raw").read_text() == "changed"
    return bomb.has_killed


@pytest.mark.parametrize("publish", ["auto", "direct"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.slow
async def test_a_sample_of_steps(tmp_path: Path, publish: str, *, after: bool) -> None:
    for at in range(3 + 5 * after, 75, 12):
        assert await survives(tmp_path / str(at), Bomb(at, after=after), publish)


@pytest.mark.parametrize("publish", ["auto", "direct"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.full
async def test_every_step(tmp_path: Path, publish: str, *, after: bool) -> None:
    for at in range(1, _MORE_THAN_THERE_ARE):
        if not await survives(tmp_path / str(at), Bomb(at, after=after), publish):
            return
    raise AssertionError("there were more steps than expected")
