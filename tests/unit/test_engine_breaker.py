"""A destination that cannot be used holds its lanes, is looked at by itself, and costs no run anything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import TransportErrorKind
from exlab_sync_tui.engine.board import Board
from exlab_sync_tui.engine.breaker import Breaker, Trouble
from exlab_sync_tui.engine.bus import Bus
from exlab_sync_tui.engine.holds import HoldKeeper
from exlab_sync_tui.engine.parts import Destination, Identities, Injected, Parts
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.provenance.creation import CreationWriter
from exlab_sync_tui.testing import FakeTransport, ManualClock, MemoryStore
from exlab_sync_tui.verify.verifier import Verifier

if TYPE_CHECKING:
    from exlab_sync_tui.transport.base import DestinationState

NOON = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
AWAY = Trouble(HoldKind.AWAY, "nas01 does not answer.")
FULL = Trouble(HoldKind.NO_SPACE, "nas01 is full.")


class Silent(FakeTransport):
    """A destination that never answers."""

    async def probe(self) -> DestinationState:
        self.calls["probe"] += 1
        await asyncio.Event().wait()
        raise AssertionError


@dataclass
class Rig:
    transport: FakeTransport | None = field(default_factory=lambda: FakeTransport(title="nas01"))
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    store: MemoryStore = field(default_factory=MemoryStore)
    closed: int = 0
    tried: int = 0

    async def breaker(self) -> Breaker:
        await self.store.open()
        bus = Bus(self.clock)
        parts = Parts(
            store=self.store,
            clock=self.clock,
            bus=bus,
            board=Board(),
            holds=HoldKeeper(self.store, bus, self.clock),
            validator=Validator(),
            creation=CreationWriter(),
            verifier=Verifier(EvidenceLevel.READ_BACK),
            minimum=EvidenceLevel.READ_BACK,
            records_folder=Path("unused"),
            identities=Identities("pc", "mira", "1"),
        )
        destination = Destination("nas", "nas01", "/", "ONE", Injected(), lambda: None, transport=self.transport)
        return Breaker(destination, parts, on_close=self._on_close, on_try=self._on_try)

    async def _on_close(self) -> None:
        self.closed += 1

    def _on_try(self) -> None:
        self.tried += 1

    async def hold(self) -> Hold | None:
        return await self.store.hold(HoldScope.DESTINATION, "nas")

    @property
    def probes(self) -> int:
        assert self.transport is not None
        return self.transport.calls["probe"]


async def test_it_looks_at_growing_distances_until_the_destination_is_back() -> None:
    rig = Rig()
    breaker = await rig.breaker()
    assert rig.transport is not None
    rig.transport.away = True
    await breaker.open(AWAY, "ONE")
    distances = []
    for _ in range(6):
        assert not await breaker.admits(), "not before its time"
        seconds = breaker.seconds_left
        assert seconds is not None
        distances.append(seconds)
        await rig.clock.advance(seconds)
        assert not await breaker.admits()
    assert distances == [30, 60, 120, 300, 300, 300]
    assert rig.probes == 6
    rig.transport.away = False
    await rig.clock.advance(300)
    assert await breaker.admits()
    assert (rig.closed, await rig.hold(), breaker.seconds_left) == (1, None, None)


async def test_a_link_that_works_for_moments_only_is_asked_less_and_less_until_something_gets_through() -> None:
    rig = Rig()
    breaker = await rig.breaker()
    for distance in (30, 60, 120, 300):
        await breaker.open(AWAY, "ONE")
        assert breaker.seconds_left == distance
        await rig.clock.advance(distance)
        assert await breaker.admits()
    await breaker.worked()
    await breaker.open(AWAY, "ONE")
    assert breaker.seconds_left == 30
    await rig.clock.advance(30)
    assert await breaker.admits()
    await breaker.open(AWAY, "ONE", moved_forward=True)
    assert breaker.seconds_left == 30


async def test_several_lanes_make_one_look() -> None:
    rig = Rig()
    breaker = await rig.breaker()
    await breaker.open(AWAY, "ONE")
    await rig.clock.advance(30)
    assert await asyncio.gather(*(breaker.admits() for _ in range(5))) == [True] * 5
    assert rig.probes == 1


async def test_a_probe_that_never_answers_counts_as_away() -> None:
    rig = Rig(Silent(title="nas01"))
    breaker = await rig.breaker()
    asked = asyncio.ensure_future(breaker.trouble())
    await rig.clock.advance(10)
    trouble = await asked
    assert trouble is not None
    assert trouble.kind is HoldKind.AWAY
    assert "has not answered" in trouble.sentence


@pytest.mark.parametrize(
    ("kind", "hold"),
    [
        (TransportErrorKind.NETWORK, HoldKind.AWAY),
        (TransportErrorKind.UNKNOWN, HoldKind.AWAY),
        (TransportErrorKind.AUTH, HoldKind.AUTH),
        (TransportErrorKind.SET_UP, HoldKind.SET_UP),
        (TransportErrorKind.READ_ONLY, HoldKind.READ_ONLY),
    ],
)
async def test_what_a_probe_meets_is_what_the_hold_says(kind: TransportErrorKind, hold: HoldKind) -> None:
    rig = Rig()
    breaker = await rig.breaker()
    assert rig.transport is not None
    rig.transport.fail("probe", kind, "so it is", times=2)
    assert await breaker.trouble() == Trouble(hold, "so it is")
    await breaker.open(AWAY, "ONE")
    await rig.clock.advance(30)
    assert not await breaker.admits()
    laid = await rig.hold()
    assert laid is not None
    assert (laid.kind, laid.sentence) == (hold, "so it is")


async def test_a_share_without_its_marker_is_the_wrong_destination() -> None:
    rig = Rig()
    breaker = await rig.breaker()
    assert rig.transport is not None
    assert await breaker.trouble() is None
    marker = rig.transport.identity
    assert marker is not None
    rig.transport.identity = None
    trouble = await breaker.trouble()
    assert trouble is not None
    assert trouble.kind is HoldKind.WRONG_DESTINATION
    rig.transport.identity = replace(marker, id="another one")
    trouble = await breaker.trouble()
    assert trouble is not None
    assert "not the destination that runs were sent to before" in trouble.sentence


async def test_nobody_can_be_asked_where_there_is_no_transport() -> None:
    rig = Rig(None)
    breaker = await rig.breaker()
    assert await breaker.trouble() is None
    await breaker.open(Trouble(HoldKind.AUTH, "refused"), "ONE")
    await rig.clock.advance(30)
    assert await breaker.admits(), "only an attempt can tell"
    assert await rig.hold() is not None
    assert [rig.closed, rig.tried] == [0, 1]
    await breaker.worked()
    assert [rig.closed, await rig.hold()] == [1, None]


async def test_rights_are_found_out_by_trying_under_the_hold() -> None:
    rig = Rig()
    breaker = await rig.breaker()
    refused = Trouble(HoldKind.PERMISSION, "may not write")
    for distance in (30, 60, 120):
        await breaker.open(refused, "ONE")
        assert breaker.seconds_left == distance
        await rig.clock.advance(distance)
        assert await breaker.admits()
        assert not breaker.is_shut
        assert await breaker.admits(), "every lane may try"
        assert await rig.hold() is not None
    assert [rig.closed, rig.tried] == [0, 3]
    await breaker.worked()
    assert await rig.hold() is None


async def test_a_full_destination_is_tried_when_there_is_room_and_now_and_then_for_smaller_runs() -> None:
    rig = Rig(FakeTransport(title="nas01", free_bytes=100))
    breaker = await rig.breaker()
    assert rig.transport is not None
    await breaker.open(FULL, "ONE", needed_bytes=200)
    looks = 0
    while breaker.is_shut:
        seconds = breaker.seconds_left
        assert seconds is not None
        await rig.clock.advance(seconds)
        await breaker.admits()
        looks += 1
    assert looks == 6
    await breaker.open(FULL, "ONE", needed_bytes=200)
    rig.transport.free_bytes = 200
    await rig.clock.advance(300)
    assert await breaker.admits()


async def test_a_hold_that_an_earlier_engine_laid_is_looked_at_once_and_at_once() -> None:
    rig = Rig()
    first = await rig.breaker()
    await first.open(AWAY, "ONE")
    second = await rig.breaker()
    await second.take_up()
    assert (second.is_shut, second.seconds_left) == (True, 0.0)
    assert await second.admits()
    assert (await rig.hold(), rig.closed) == (None, 1)
    await second.take_up()
    assert not second.is_shut


async def test_a_clock_on_the_wall_that_is_set_back_delays_no_look() -> None:
    rig = Rig()
    breaker = await rig.breaker()
    await breaker.open(AWAY, "ONE")
    rig.clock.jump(-86_400)
    await rig.clock.advance(30)
    assert await breaker.admits()
