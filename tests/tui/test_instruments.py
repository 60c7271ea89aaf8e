"""What the lines on top cannot hold is one key away, and what is pressing stands there in any size."""

from __future__ import annotations

from dataclasses import replace

from textual.containers import VerticalScroll

from exlab_sync_tui.engine.cockpit.room import Room
from exlab_sync_tui.tui.options import Lab
from exlab_sync_tui.tui.screens.main import MainScreen
from exlab_sync_tui.tui.widgets.instruments import Instruments
from tests.tui.conftest import opened
from tests.tui.lab import CONFOCAL, NOW, READER, FakeCockpit, busy_day, premises, quiet_day


async def test_capital_i_tells_all_of_every_instrument_and_stays_true() -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit) as console:
        await console.press("I")
        told = console.words_in(VerticalScroll)
        assert f"{CONFOCAL} → sending" in told
        assert "Runs 2 need you, 1 to send, 9 safe" in told
        assert "Free here 412 GiB of 1.82 TiB" in told
        cockpit.in_flight = []
        await console.settle(0.6)
        assert "Rate nothing is being sent" in console.words_in(VerticalScroll)
        await console.press("end")
        told = console.words_in(VerticalScroll)
        assert f"{READER} ◦ paused" in told
        assert "Held Paused by mira (since 13:30)." in told
        await console.press("escape")
        assert isinstance(console.app.screen, MainScreen)
    alone = FakeCockpit()
    async with opened(alone, lab=Lab()) as console:
        await console.press("I")
        assert "No instrument is configured yet" in console.words_in(VerticalScroll)


async def test_a_narrow_screen_warns_of_a_disk_that_is_nearly_full() -> None:
    quiet, around = FakeCockpit(), premises()
    await quiet_day(quiet)
    here = {**around.surroundings.here, READER: Room(2 << 30, 476 << 30, NOW)}
    around.surroundings = replace(around.surroundings, here=here)
    async with opened(quiet, around=around) as console:
        assert "! 2.00 GiB here" in console.words_in(Instruments)
        await console.pilot.resize_terminal(200, 60)
        await console.settle(0.3)
        assert "! 2.00 GiB" in console.words_in(Instruments)
