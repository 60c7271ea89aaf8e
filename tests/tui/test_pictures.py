"""The console looks as it was approved: every part, dialog and honest state, in three sizes and two themes.

An app is opened once for many pictures: another size or theme costs a fraction of another start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from exlab_sync_tui.engine.cockpit.view import Pulse
from exlab_sync_tui.engine.cockpit.wishes import Foreseen, Preview
from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.testing import MemoryStore
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.options import ConsoleOptions, Lab
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from tests.tui.conftest import opened
from tests.tui.lab import LAB, NOW, READER, FakeCockpit, busy_day, hold, lost, outage, quiet_day

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from syrupy.assertion import SnapshotAssertion

    from tests.tui.conftest import Console

_YOUNG = "it was verified 2 h ago, and must be 24 h old"
SMALL, NORMAL, WIDE = (80, 24), (120, 36), (200, 60)
SIZES = (SMALL, NORMAL, WIDE)
THEMES = ("dark", "light")
STAYS = Foreseen(
    "/data/lab/CONFOCAL_01/Kelp/Run_2025-03-05T09-14", "2", "CONFOCAL_01", 24, 96 << 20, "age", _YOUNG, NOW
)
GOES = Foreseen("/data/lab/SEQUENCER_01/Coral/RNA_batch_08", "1", "SEQUENCER_01", 3_412, 61 << 30)
FAILED, SENDING, BLOCKED, WRITTEN = "Run_2025-03-05T11-20", "RNA_batch_09", "Run_<date>", "Run_2025-03-05T14-00"


async def in_every_size(
    console: Console, picture: SnapshotAssertion, name: str = "", sizes: tuple[tuple[int, int], ...] = SIZES
) -> None:
    """A picture for each size of the terminal."""
    for field in console.app.screen.query(Input):
        field.cursor_blink = False
    for width, height in sizes:
        await console.pilot.resize_terminal(width, height)
        await console.settle()
        assert console.screenshot() == picture(name=f"{name}{width}x{height}")


async def in_every_theme(console: Console, picture: SnapshotAssertion) -> None:
    """The same in both themes."""
    for theme in THEMES:
        console.app.theme = f"exlab-{theme}"
        await in_every_size(console, picture, f"{theme}-")


@pytest.mark.parametrize("theme", [*THEMES, "high-contrast", "ansi"])
async def test_a_busy_day(picture: SnapshotAssertion, theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=NORMAL, theme=theme) as console:
        await in_every_size(console, picture, sizes=SIZES if theme in THEMES else (NORMAL,))


@pytest.mark.parametrize("theme", THEMES)
async def test_every_tab_of_the_details(picture: SnapshotAssertion, theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=NORMAL, theme=theme) as console:
        pane = console.app.main.query_one(DetailPane)
        await console.press("enter")
        for tab, run in ((Tab.STORY, FAILED), (Tab.FILES, SENDING), (Tab.FINDINGS, BLOCKED), (Tab.LOG, FAILED)):
            await console.go_to(run)
            pane.open(tab)
            await console.settle(0.6)
            await in_every_size(console, picture, f"{tab}-")
        await console.press("z")
        await in_every_size(console, picture, "zoomed-", (SMALL, WIDE))


@pytest.mark.parametrize("theme", THEMES)
async def test_every_dialog(picture: SnapshotAssertion, theme: str) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=NORMAL, theme=theme) as console:
        for name, key, run in (
            ("override", "o", BLOCKED),
            ("revoke", "x", BLOCKED),
            ("retry-all", "R", BLOCKED),
            ("folder", "E", BLOCKED),
            ("go-to", "colon", BLOCKED),
            ("command-line", "dollar_sign", BLOCKED),
            ("help", "question_mark", BLOCKED),
            ("explained", "f1", BLOCKED),
            ("instruments", "I", BLOCKED),
            ("palette", "ctrl+p", BLOCKED),
            ("queue-now", "e", WRITTEN),
            ("cleanup", "d", FAILED),
            ("cleanup-nothing", "d", FAILED),
            ("resolve", "c", FAILED),
            ("forget", "F", FAILED),
        ):
            goes = () if name == "cleanup-nothing" else (GOES,)
            said = "1 local copy, 61.0 GiB, would go; 1 held." if goes else "Nothing would go; 1 run is held."
            cockpit.answer = Preview(said, (STAYS, *goes)).as_outcome()
            await console.go_to(run)
            await console.press(key)
            await in_every_size(console, picture, f"{name}-")
            await console.press("escape")
            console.app.clear_notifications()


class SickStore(MemoryStore):
    """A store that cannot be read any more, once it is ``sick``."""

    sick = False

    async def counts(self) -> dict:  # type: ignore[type-arg]  # never returns
        if self.sick:
            raise StoreError("The job store /var/lib/exlab-sync/queue.db cannot be read: disk I/O error.")
        return await super().counts()


async def engine_lost(cockpit: FakeCockpit) -> None:
    """The engine that the console is attached to is gone."""
    await busy_day(cockpit)
    lost(cockpit)
    cockpit.in_flight = []


async def attached(cockpit: FakeCockpit) -> None:
    """The engine works elsewhere."""
    await busy_day(cockpit)
    cockpit.beat = Pulse(alive=True, hosted=False, process=4_071, host="scope-pc")


async def no_runs_yet(cockpit: FakeCockpit) -> None:
    """A new lab."""
    await cockpit.start()


async def no_instrument(cockpit: FakeCockpit) -> None:
    """A configuration without any."""
    await cockpit.start()


async def paused(cockpit: FakeCockpit) -> None:
    """Everything is safe, and somebody has paused an instrument."""
    await quiet_day(cockpit)
    await cockpit.store.set_hold(
        hold(HoldKind.PAUSED, READER, "Paused by mira.", scope=HoldScope.EQUIPMENT, ago=1_920, equipment_id=READER)
    )


async def damaged(cockpit: FakeCockpit) -> None:
    """A verified run whose copy on the NAS is not what it was."""
    await quiet_day(cockpit)
    run = "/data/lab/SEQUENCER_01/Coral/RNA_batch_07"
    sentence = "1 file on nas01 is not what was verified: Data/s_01.cbcl."
    await cockpit.store.set_hold(
        hold(HoldKind.DAMAGED, run, sentence, scope=HoldScope.RUN, ago=600, equipment_id="SEQUENCER_01")
    )


async def wrong_nas(cockpit: FakeCockpit) -> None:
    """Another share is mounted there."""
    await outage(cockpit)
    (there,) = await cockpit.store.holds()
    wrong = "/mnt/nas/lab has no marker of ours, so another share may be mounted there; nothing is written."
    await cockpit.store.set_hold(replace(there, kind=HoldKind.WRONG_DESTINATION, sentence=wrong))


@pytest.mark.parametrize(
    "state",
    [quiet_day, outage, wrong_nas, engine_lost, attached, no_runs_yet, no_instrument, paused, damaged],
)
async def test_every_state(picture: SnapshotAssertion, state: Callable[[FakeCockpit], Awaitable[None]]) -> None:
    cockpit = FakeCockpit()
    await state(cockpit)
    async with opened(cockpit, size=NORMAL, lab=Lab() if state is no_instrument else LAB) as console:
        await in_every_theme(console, picture)


async def test_a_store_that_cannot_be_read(picture: SnapshotAssertion) -> None:
    store = SickStore()
    cockpit = FakeCockpit(store)
    await quiet_day(cockpit)
    async with opened(cockpit, size=NORMAL) as console:
        store.sick = True
        await console.settle(6)
        await in_every_theme(console, picture)
        store.sick = False
        await console.settle(6)
        assert "All 11 runs are safe on nas01." in console.text


async def test_a_filter_marks_and_an_empty_part(picture: SnapshotAssertion) -> None:
    cockpit = FakeCockpit()
    await busy_day(cockpit)
    async with opened(cockpit, size=SMALL) as console:
        await console.press("space", "space", "slash")
        await console.enter("rna", "enter")
        await in_every_theme(console, picture)
        console.app.theme = "exlab-dark"
        await console.press("slash", "s", "s")
        await console.settle(0.6)
        await in_every_size(console, picture, "nothing-fits-", (SMALL,))


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
