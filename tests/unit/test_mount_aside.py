"""Threads that ask a share: used again, never waited for, and gone when nobody needs them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.transport.mount.aside import MOST_AT_REST, Hands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONG = 3_600.0


@pytest.fixture
def hands() -> Iterator[Hands]:
    made = Hands(rest_seconds=_LONG)
    yield made
    made.close()


async def until(condition: Callable[[], bool]) -> None:
    """Threads come to rest by themselves; nothing tells us when."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.to_thread(lambda: None)


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "share"}


async def test_a_thread_that_is_done_takes_the_next_question(hands: Hands) -> None:
    first = await hands.aside(threading.get_ident)
    await until(lambda: hands.at_rest == 1)
    assert await hands.aside(threading.get_ident) == first


async def test_a_thread_that_hangs_keeps_no_question_waiting(hands: Hands) -> None:
    released = threading.Event()
    hanging = [hands.aside(released.wait) for _ in range(2 * MOST_AT_REST)]
    assert await hands.aside(lambda: "answered") == "answered"
    released.set()
    assert all(await asyncio.gather(*hanging))
    await until(lambda: hands.at_rest == MOST_AT_REST)


async def test_no_more_than_a_few_threads_rest(hands: Hands) -> None:
    before = threads()
    for _ in range(100):
        await asyncio.gather(*(hands.aside(lambda: None) for _ in range(5)))
    await until(lambda: len(threads() - before) == hands.at_rest)
    assert 1 <= hands.at_rest <= MOST_AT_REST


async def test_a_thread_that_nobody_needs_ends_by_itself() -> None:
    before = threads()
    hands = Hands(rest_seconds=0.01)
    await hands.aside(lambda: None)
    await until(lambda: not threads() - before)
    assert hands.at_rest == 0
    assert await hands.aside(lambda: "asked again") == "asked again"


async def test_closed_hands_still_answer_and_keep_no_thread() -> None:
    before = threads()
    hands = Hands(rest_seconds=_LONG)
    await hands.aside(lambda: None)
    await until(lambda: hands.at_rest == 1)
    hands.close()
    hands.close()
    assert await hands.aside(lambda: "late") == "late"
    await until(lambda: not threads() - before)


async def test_an_error_is_raised_where_the_answer_is_awaited(hands: Hands) -> None:
    def refuse() -> None:
        raise PermissionError("not yours")

    with pytest.raises(PermissionError, match="not yours"):
        await hands.aside(refuse)
    assert await hands.aside(lambda: 1) == 1


async def test_an_answer_that_nobody_waits_for_any_more_is_handed_on(hands: Hands) -> None:
    released, told = threading.Event(), asyncio.Event()
    late: list[str] = []

    def answer() -> str:
        released.wait()
        return "an open folder"

    def close(result: str) -> None:
        late.append(result)
        told.set()

    asked = hands.aside(answer, late=close)
    asked.cancel()
    released.set()
    await told.wait()
    assert late == ["an open folder"]


async def test_a_thread_at_rest_keeps_nothing_of_what_it_did(hands: Hands) -> None:
    class Folder:
        def name(self) -> str:
            return "opened"

    folder = Folder()
    gone = weakref.ref(folder)
    assert await hands.aside(folder.name) == "opened"
    del folder
    await until(lambda: hands.at_rest == 1)
    gc.collect()
    assert gone() is None


def test_the_end_of_the_loop_ends_no_thread_with_an_error() -> None:
    released = threading.Event()
    hands = Hands(rest_seconds=0.01)

    async def ask() -> None:
        hands.aside(released.wait)

    before = threads()
    asyncio.run(ask())
    released.set()
    for thread in threads() - before:
        thread.join(30)
        assert not thread.is_alive()
