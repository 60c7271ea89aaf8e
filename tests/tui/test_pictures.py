"""The console looks as it was approved, in every size and colour that counts as normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from exlab_sync_tui.engine.cockpit.wishes import Foreseen, Preview
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.options import ConsoleOptions
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from tests.tui.conftest import opened
from tests.tui.lab import NOW, FakeCockpit, busy_day, lost, outage, quiet_day

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from syrupy.assertion import SnapshotAssertion

    from tests.tui.conftest import Console

_YOUNG = "it was verified 2 h ago, and must be 24 h old"
SMALL, NORMAL, WIDE = (80, 24), (120, 36), (200, 60)
SIZES = (SMALL, NORMAL, WIDE)
PREVIEWED = (
    Foreseen("/data/lab/CONFOCAL_01/Kelp/Run_2025-03-05T09-14", "2", "CONFOCAL_01", 24, 96 << 20, "age", _YOUNG, NOW),
    Foreseen("/data/lab/SEQUENCER_01/Coral/RNA_batch_08", "1", "SEQUENCER_01", 3_412, 61 << 30),
)
FAILED, SENDING = "Run_2025-03-05T11-20", "RNA_batch_09"


async def in_every_size(
    console: Console, picture: SnapshotAssertion, *, sizes: tuple[tuple[int, int], ...] = SIZES
) -> None:
    """One start of the console, a picture for each size of the terminal."""
    for field in console.app.screen.query(Input):
        field.cursor_blink = False
    for width, height in sizes:
        await console.pilot.resize_terminal(width, height)
        await console.settle()
        assert console.screenshot() == picture(name=f"{width}x{height}")


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "ansi"])
async def test_a_busy_day(picture: SnapshotAssertion, theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=NORMAL, theme=theme) as console:
        await in_every_size(console, picture, sizes=SIZES if theme in {"dark", "light"} else (NORMAL,))


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_tab_of_the_details(picture: SnapshotAssertion, theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=NORMAL, theme=theme) as console:
        pane = console.app.main.query_one(DetailPane)
        await console.press("enter")
        for tab, run in ((Tab.STORY, FAILED), (Tab.FILES, SENDING), (Tab.FINDINGS, "Run_<date>"), (Tab.LOG, FAILED)):
            await console.go_to(run)
            pane.open(tab)
            for width, height in SIZES if theme == "dark" else (NORMAL,):
                await console.pilot.resize_terminal(width, height)
                await console.settle(0.6)
                assert console.screenshot() == picture(name=f"{tab}-{width}x{height}")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_dialog(picture: SnapshotAssertion, theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    cockpit.answer = Preview("1 local copy, 61.0 GiB, would go; 1 held.", PREVIEWED).as_outcome()
    async with opened(cockpit, size=NORMAL, theme=theme) as console:
        for name, key in (
            ("override", "o"),
            ("revoke", "x"),
            ("retry-all", "R"),
            ("folder", "E"),
            ("go-to", "colon"),
            ("command-line", "dollar_sign"),
            ("help", "question_mark"),
            ("explained", "f1"),
            ("cleanup", "d"),
            ("resolve", "c"),
            ("forget", "F"),
        ):
            if key == "d":
                await console.go_to(FAILED)
            await console.press(key)
            for field in console.app.screen.query(Input):
                field.cursor_blink = False
            for width, height in SIZES if theme == "dark" else (NORMAL,):
                await console.pilot.resize_terminal(width, height)
                await console.settle()
                assert console.screenshot() == picture(name=f"{name}-{width}x{height}")
            await console.press("escape")
            console.app.clear_notifications()


async def engine_lost(cockpit: FakeCockpit) -> None:
    """The engine that the console is attached to is gone."""
    await busy_day(cockpit)
    lost(cockpit)
    cockpit.in_flight = []


async def no_runs_yet(cockpit: FakeCockpit) -> None:
    """A new lab."""
    await cockpit.start()


@pytest.mark.parametrize("state", [quiet_day, outage, engine_lost, no_runs_yet])
async def test_every_state(picture: SnapshotAssertion, state: Callable[[FakeCockpit], Awaitable[None]]) -> None:
    cockpit = FakeCockpit()
    await state(cockpit)
    async with opened(cockpit, size=NORMAL) as console:
        await in_every_size(console, picture)


async def test_a_filter_marks_and_an_empty_part(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=SMALL) as console:
        await console.press("space", "space", "slash")
        await console.enter("rna", "enter")
        await in_every_size(console, picture, sizes=(SMALL, NORMAL))
        await console.press("slash", "s", "s")
        await console.settle(0.6)
        assert console.screenshot() == picture(name="nothing-fits")


async def test_a_terminal_with_ascii_alone(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, options=ConsoleOptions("mira", ascii=True)) as console:
        for keys in (("down", "r"), ("enter",), ("right_square_bracket",), ("o",), ("escape", "question_mark")):
            await console.press(*keys)
            assert console.text.isascii(), {char for char in console.text if not char.isascii()}
        await console.press("escape", "escape", "ctrl+p")
        assert console.text.isascii(), {char for char in console.text if not char.isascii()}
        await console.press("escape", "up", "enter")
        console.app.clear_notifications()
        await console.settle()
        assert console.screenshot() == picture


async def test_a_terminal_without_colours(picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit) as console:
        assert console.app.no_color
        assert all(word in console.text for word in ("blocked", "failed", "sending", "queued", "paused", "verified"))
        assert console.screenshot() == picture(name="overview")
        await console.press("o")
        assert console.screenshot() == picture(name="dialog")
