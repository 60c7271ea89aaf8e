"""Who hears what was said before anybody listened?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.bus import Bus
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.model.event import Event


async def sentences(events: AsyncIterator[Event]) -> list[str]:
    return [event.sentence async for event in events]


def bus_that_said(*words: str) -> Bus:
    bus = Bus(ManualClock())
    for word in words:
        bus.say(EventKind.WARNING, word)
    return bus


async def test_the_first_who_asks_for_the_beginning_hears_it_and_nobody_after_that() -> None:
    bus = bus_that_said("one", "two")
    bus.close()
    assert await sentences(bus.events(early=True)) == ["one", "two"]
    assert await sentences(bus.events(early=True)) == []


async def test_a_listener_that_does_not_ask_leaves_the_beginning_to_others() -> None:
    bus = bus_that_said("one")
    bus.close()
    assert await sentences(bus.events()) == []
    assert await sentences(bus.events(early=True)) == ["one"]


async def test_the_beginning_and_what_follows_come_in_order_and_once() -> None:
    bus = bus_that_said("one")
    listener = bus.events(early=True)
    assert (await anext(listener)).sentence == "one"
    bus.say(EventKind.WARNING, "two")
    bus.close()
    assert await sentences(listener) == ["two"]


async def test_where_nobody_ever_listens_only_the_newest_are_kept() -> None:
    bus = bus_that_said(*map(str, range(1_001)))
    bus.close()
    kept = await sentences(bus.events(early=True))
    assert (len(kept), kept[0], kept[-1]) == (1_000, "1", "1000")
