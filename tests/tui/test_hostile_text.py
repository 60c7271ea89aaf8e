"""Names that are markup, commands or escapes are shown as they are, in every part of the screen."""

from __future__ import annotations

import os

import pytest
from textual.widgets import Input

from exlab_sync_tui.engine.cockpit.view import Outcome, Pulse
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.queue.store import HistoryEntry
from exlab_sync_tui.tui.health import health
from exlab_sync_tui.tui.options import ConsoleOptions, Instrument, Lab
from exlab_sync_tui.tui.scene import Scene
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.event_log import EventLog
from exlab_sync_tui.tui.widgets.filter_bar import FilterBar
from exlab_sync_tui.tui.widgets.run_list import RunList
from tests.tui.conftest import opened
from tests.tui.lab import CONFOCAL, HOSTILE, HOSTILE_NAME, LAB, NOW, FakeCockpit, failed, hold, queued

WORDS = "[/red] [bold]$(reboot)\x1b[2J\n\udcff \u202e"
SHOWN = "[/red] [bold]$(reboot)\\x1b[2J\\n\\xff \\u202e"
SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((200, 60), id="200x60")]


async def hostile_lab() -> FakeCockpit:
    """One failed run with a hostile name, a hostile error, a hostile story and a hostile hold."""
    cockpit = FakeCockpit(beat=Pulse(alive=True, hosted=False, process=7, host=WORDS))
    await cockpit.start()
    job = await queued(cockpit.store, HOSTILE, CONFOCAL)
    await failed(cockpit.store, job, f"unknown: {WORDS}")
    await cockpit.store.record(HistoryEntry(NOW, HOSTILE, job.id, WORDS, f"told {WORDS}"))
    await cockpit.store.set_hold(
        hold(HoldKind.BLOCKED, f"/x/{WORDS}", WORDS, scope=HoldScope.RUN, ago=9, next_step=WORDS, equipment_id=CONFOCAL)
    )
    cockpit.say(EventKind.RUN_FAILED, "No.", run_path=HOSTILE, equipment_id=CONFOCAL)
    cockpit.say(EventKind.HOLD_SET, f"It said {WORDS}", equipment_id=CONFOCAL, data={"hold": WORDS})
    cockpit.answer = Outcome(f"Refused: {WORDS}", 1)
    return cockpit


def test_the_name_is_as_long_as_names_can_be() -> None:
    assert len(os.fsencode(HOSTILE_NAME)) == 255


@pytest.mark.parametrize("size", SIZES)
async def test_every_part_shows_it_literally(size: tuple[int, int]) -> None:
    async with opened(await hostile_lab(), size=size) as console:
        await console.press("down", "r")
        assert "red] [bold]" in console.words_in(RunList)
        assert "unknown: [/red]" in console.words_in(RunList)
        assert f"It said {SHOWN}"[: size[0] - 60] in console.words_in(EventLog)
        assert f"Refused: {SHOWN}" in console.notices
        await console.press("enter")
        told = console.words_in(DetailPane)
        assert "[bold]$(reboot)\\x1b[2J\\n\\xffééé" in told
        assert all(char.isprintable() for char in console.text.replace("\n", ""))
        console.screenshot().encode()


async def test_the_story_and_the_holds_show_it_literally() -> None:
    async with opened(await hostile_lab(), size=(200, 60)) as console:
        await console.press("down", "enter")
        assert "told [/red] [bold]$(reboot)\\x1b[2J\\n" in console.words_in(DetailPane)
        await console.press("up")
        assert "[/red] [bold]$(reboot)\\x1b[2J\\n" in console.words_in(DetailPane)


async def test_titles_instruments_folders_and_filters_show_it_literally() -> None:
    lab = Lab((Instrument(CONFOCAL, f"/data/{WORDS}", "/mnt", WORDS), *LAB.instruments[1:]))
    assert health(Scene(NOW), Pulse(alive=True, hosted=True), Lab(lab.instruments[:1])).sentence.endswith(f"{SHOWN}.")
    async with opened(FakeCockpit(), size=(200, 60), lab=lab, options=ConsoleOptions("mira")) as console:
        assert f"/data/{SHOWN}" in console.text
        await console.press("slash")
        console.app.main.query_one(Input).value = "[/red] [bold]"
        await console.settle(0.3)
        assert "[/red] [bold]" in console.words_in(FilterBar)


async def test_a_run_is_found_by_its_hostile_name() -> None:
    async with opened(await hostile_lab()) as console:
        await console.press("slash", *"$(reboot)")
        assert "2 of 2 runs" in console.text
