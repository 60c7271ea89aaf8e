"""Does the bandwidth limit hold, follow the schedule, and let everything through where there is none?"""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.testing import ManualClock
from exlab_sync_tui.transport.limiter import Limiter

KIB = 1024


class Rate:
    """A rate that a test changes."""

    def __init__(self, kibps: int | None) -> None:
        self.kibps = kibps

    def __call__(self) -> int | None:
        return self.kibps


def test_without_a_rate_everything_moves_at_once() -> None:
    limiter = Limiter(None, ManualClock())
    assert limiter.always_unlimited
    assert limiter.take(1 << 40) == (1 << 40, 0.0)


def test_a_schedule_that_allows_all_now_may_still_limit_later() -> None:
    rate = Rate(None)
    limiter = Limiter(rate, ManualClock())
    assert not limiter.always_unlimited
    assert limiter.take(5_000_000) == (5_000_000, 0.0)
    rate.kibps = 100
    granted, pause = limiter.take(5_000_000)
    assert granted == 0
    assert pause > 0


@given(
    rate=st.integers(1, 1 << 20),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 1 << 22)), min_size=1, max_size=60),
)
def test_never_more_than_one_second_ahead(rate: int, steps: list[tuple[float, int]]) -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(rate), clock)
    total = 0
    for seconds, wanted in steps:
        clock._elapsed += seconds
        granted, pause = limiter.take(wanted)
        assert 0 <= granted <= wanted
        assert (granted > 0) != (pause > 0)
        total += granted
        assert total <= rate * KIB * (clock.monotonic() + 1)


async def test_a_waiting_transfer_gets_its_rate() -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(1_000), clock)
    moved = 0

    async def transfer() -> None:
        nonlocal moved
        while True:
            moved += await limiter.acquire(64 * KIB)

    task = asyncio.create_task(transfer())
    await clock.advance(10)
    task.cancel()
    assert 9_500 * KIB <= moved <= 10_500 * KIB


async def test_a_limit_that_ends_lets_a_waiting_transfer_go_within_a_moment() -> None:
    clock, rate = ManualClock(), Rate(0)
    limiter = Limiter(rate, clock)
    task = asyncio.create_task(limiter.acquire(1_000_000))
    await clock.advance(3_600)
    assert not task.done()
    rate.kibps = None
    await clock.advance(1)
    assert await task == 1_000_000


async def test_nothing_wanted_is_granted_at_once() -> None:
    assert await Limiter(Rate(0), ManualClock()).acquire(0) == 0
