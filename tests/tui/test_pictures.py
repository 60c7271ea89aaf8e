"""The console looks as it was approved, in every size and colour that counts as normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from exlab_sync_tui.tui.options import ConsoleOptions
from tests.tui.conftest import opened
from tests.tui.lab import FakeCockpit, busy_day, lost, outage, quiet_day

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SMALL, WIDE, HUGE = (80, 24), (120, 36), (200, 60)
SIZES = [pytest.param(SMALL, id="80x24"), pytest.param(WIDE, id="120x36")]


@pytest.mark.parametrize("theme", ["exlab-dark", "exlab-light"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_busy_day(picture: SnapshotAssertion, size: tuple[int, int], theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=size, theme=theme) as console:
        assert console.screenshot() == picture


@pytest.mark.parametrize("size", SIZES)
async def test_the_details_of_a_failed_run(picture: SnapshotAssertion, size: tuple[int, int]) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=size) as console:
        await console.press("down", "enter")
        assert console.screenshot() == picture


async def test_a_quiet_day(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await quiet_day(cockpit)
    async with opened(cockpit, size=WIDE) as console:
        assert console.screenshot() == picture


async def test_the_nas_is_away(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await outage(cockpit)
    async with opened(cockpit) as console:
        assert console.screenshot() == picture


async def test_the_engine_is_lost(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    lost(cockpit)
    cockpit.in_flight = []
    async with opened(cockpit) as console:
        assert console.screenshot() == picture


async def test_no_runs_yet(picture: SnapshotAssertion) -> None:
    async with opened(FakeCockpit()) as console:
        assert console.screenshot() == picture


async def test_a_filter_is_typed(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit) as console:
        console.app.main.query_one(Input).cursor_blink = False
        await console.press("slash", "r", "n", "a")
        assert console.screenshot() == picture


@pytest.mark.parametrize("size", SIZES)
async def test_help(picture: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(FakeCockpit(), size=size) as console:
        await console.press("question_mark")
        assert console.screenshot() == picture


async def test_a_large_terminal(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=HUGE) as console:
        await console.press("enter")
        assert console.screenshot() == picture


async def test_a_terminal_with_ascii_alone(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, options=ConsoleOptions("mira", ascii=True)) as console:
        await console.press("down", "r")
        assert console.text.isascii()
        await console.press("ctrl+p")
        assert console.text.isascii(), {char for char in console.text if not char.isascii()}
        assert console.screenshot() == picture


async def test_a_terminal_without_colours(picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit) as console:
        assert console.app.no_color
        assert all(word in console.text for word in ("blocked", "failed", "sending", "queued", "paused", "verified"))
        assert console.screenshot() == picture
