"""A hostile name is just a name: in every pane, tab and dialog it is shown as it is, and nothing of it is obeyed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.view import Outcome, Pulse
from exlab_sync_tui.engine.cockpit.wishes import Foreseen, Preview
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.finding import Finding, OffendingKind, Rule, Tier
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.operate.objections import Objections
from exlab_sync_tui.operate.run_log import RunLog
from exlab_sync_tui.queue.store import HistoryEntry
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.options import ConsoleOptions, Instrument, Lab
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.event_log import EventLog
from exlab_sync_tui.tui.widgets.health_line import HealthLine
from exlab_sync_tui.tui.widgets.instruments import Instruments
from exlab_sync_tui.tui.widgets.run_list import RunList
from exlab_sync_tui.tui.widgets.title_bar import TitleBar
from exlab_sync_tui.tui.widgets.view_bar import ViewBar
from tests.tui.conftest import opened
from tests.tui.lab import CONFOCAL, NOW, FakeCockpit, FakePremises, failed, hold, queued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tui.conftest import Console

NAMES = {
    "markup": "run[",  # with what follows the slash: run[/foo]
    "escapes": "\x1b[2J\x1b]0;x\x07\x9b31m\x00\n\r",
    "bidi": "\u202egnp.\u2066\u2069\u200f",
    "bytes": "\udcff\udc80$(reboot);`id`",
    "long": "é" * 110 + "x" * 33,
}


def _path(name: str, last: str) -> str:
    return f"/data/lab/{CONFOCAL}/{name}/foo] {name} {last}"


def _override(name: str) -> dict[str, str]:
    return {
        "id": "3f2a9c01-0000-4000-8000-000000000000",
        "rule": f"rule {name}",
        "state": "in force",
        "operator": name,
        "recorded_at": name,
        "expires_at": "",
        "reason": name,
    }


async def _lab(name: str) -> tuple[FakeCockpit, FakePremises, Lab]:
    """A blocked, a failed and an unfinished run, and everything that can be told of them in hostile words."""
    cockpit = FakeCockpit(beat=Pulse(alive=True, hosted=False, process=7, host=name))
    await cockpit.start()
    store, blocked, broken = cockpit.store, _path(name, "B"), _path(name, "F")
    for kind, path in ((HoldKind.BLOCKED, blocked), (HoldKind.ACQUIRING, _path(name, "W"))):
        laid = hold(
            kind, path, f"it is {safe_text(name)}", scope=HoldScope.RUN, ago=9, next_step=name, equipment_id=CONFOCAL
        )
        await store.set_hold(laid)
    away = hold(HoldKind.NO_SPACE, "mount:/mnt", f"full: {safe_text(name)}", scope=HoldScope.DESTINATION, ago=9)
    await store.set_hold(away)
    job = await failed(store, await queued(store, broken, CONFOCAL), f"conflict: {name}")
    await store.put_files(job.id, [FileRecord(f"{name}/{name}.tif", 5, 0)])
    await store.record(HistoryEntry(NOW, broken, job.id, name, f"told {name}"))
    finding = Finding(
        Rule.ILLEGAL_FILESYSTEM_CHARACTER, Tier.HARD, blocked, name, OffendingKind.FILE_NAME, name, f"It has {name}."
    )
    around = FakePremises(
        findings={blocked: Objections((finding,), (_override(name),))}, logs={broken: RunLog((safe_text(name), "end"))}
    )
    for news in (EventKind.RUN_FAILED, EventKind.HOLD_SET):
        cockpit.say(news, f"It said {name}", run_path=broken, equipment_id=CONFOCAL, data={"hold": name})
    foreseen = (
        Foreseen(broken, job.id, CONFOCAL, 1, 5),
        Foreseen(blocked, "2", CONFOCAL, 1, 5, "age", f"not yet: {name}", NOW),
    )
    cockpit.answer = Preview(f"Would go: {name}", foreseen).as_outcome()
    return cockpit, around, Lab((Instrument(CONFOCAL, f"/data/lab/{name}", "/mnt", name),))


class Reader:
    """Reads the screen, and sees at each look that nothing on it could drive a terminal."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._start = "".join(safe_text(name).split())[:16]

    def sees(self, *places: str | type) -> None:
        """The name is there, beginning as it is written, in each of these parts of the screen."""
        screen = self._console.app.screen
        rows = [strip.text for strip in screen._compositor.render_strips()]
        assert [row for row in rows if not row.isprintable()] == []
        self._console.screenshot().encode()
        for place in places:
            region = screen.query(place).first().region
            part = "".join(row[region.x : region.right] for row in rows[region.y : region.bottom])
            assert self._start in "".join(part.split()), (place, "\n".join(rows))


def _dialogs() -> Iterator[tuple[str, str, str]]:
    """The key, the last letter of the run, and the part that shows a hostile text."""
    yield from (("o", "B", "#dialog"), ("x", "B", "#dialog"), ("dollar_sign", "B", "#dialog OptionList"))
    yield from (("e", "W", "#dialog"), ("d", "F", "#dialog"), ("c", "F", "#dialog"), ("F", "F", "#dialog"))


OPERATOR = "[/b]\x1b]0;x\x07$(id)"
LOGIN = safe_text(OPERATOR)


async def test_an_operator_an_instrument_and_a_lab_of_that_name_are_just_names() -> None:
    cockpit, around, instrument = FakeCockpit(), FakePremises(), OPERATOR
    await cockpit.start()
    store, blocked, broken = cockpit.store, _path("x", "B"), _path("x", "F")
    job = await failed(store, await queued(store, broken, instrument), "unknown: no")
    await store.record(HistoryEntry(NOW, broken, job.id, OPERATOR, "retry asked for"))
    laid = hold(HoldKind.BLOCKED, blocked, "A name.", scope=HoldScope.RUN, ago=9, equipment_id=instrument)
    paused = f"Paused by {OPERATOR}."
    await store.set_hold(laid)
    await store.set_hold(
        hold(HoldKind.PAUSED, instrument, paused, scope=HoldScope.EQUIPMENT, ago=9, equipment_id=instrument)
    )
    finding = Finding(Rule.ORPHAN, Tier.HARD, blocked, ".", OffendingKind.DIRECTORY_SEGMENT, "x", "It has no papers.")
    around.findings[blocked] = Objections((finding,), (_override(OPERATOR),))
    cockpit.say(EventKind.OPERATOR, paused, equipment_id=instrument)
    cockpit.answer = Outcome(f"Queued again, asked for by {OPERATOR}.")
    lab, options = Lab((Instrument(instrument, "/data/lab", "/mnt", "nas01"),)), ConsoleOptions(OPERATOR)
    async with opened(cockpit, size=(160, 48), lab=lab, options=options, around=around, title=OPERATOR) as console:
        read, pane = Reader(console, OPERATOR), console.app.main.query_one(DetailPane)
        read.sees(TitleBar, Instruments, EventLog)
        assert LOGIN[:12] in console.words_in(RunList)
        for key in ("i", "p", "end", "r"):
            await console.press(key)
            read.sees(TitleBar, Instruments)
        read.sees(ViewBar)
        assert console.notices[-1] == f"Queued again, asked for by {LOGIN}."
        await console.press("i", "end", "enter")
        assert f"retry asked for, by {LOGIN}" in console.words_in(DetailPane)
        await console.press("home")
        pane.open(Tab.FINDINGS)
        await console.settle(0.6)
        assert LOGIN in console.words_in(DetailPane)
        await console.press("o")
        assert f"Recorded as {LOGIN}." in " ".join(console.text.split())
        await console.press("escape", "x")
        assert f"by {LOGIN}: {LOGIN}" in " ".join(console.text.split())
        read.sees("#dialog")
        await console.press("escape", "dollar_sign")
        read.sees()
        assert {order.who for order in cockpit.orders} == {OPERATOR}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_it_is_shown_as_it_is_everywhere(name: str) -> None:
    cockpit, around, lab = await _lab(name)
    async with opened(cockpit, size=(120, 36), lab=lab, around=around) as console:
        read, runs = Reader(console, name), console.app.main.query_one(RunList)
        places = {os.fsencode(row.run_path)[-1:]: index for index in range(3) if (row := runs._listing.row(index))}
        read.sees(RunList, EventLog, TitleBar, HealthLine)
        for key, last, part in _dialogs():
            runs.action_move(places[last.encode()] - runs.cursor)
            await console.press(key)
            if key == "dollar_sign":  # bytes that cannot be typed are written for a shell there
                read.sees()
                assert "exlab-sync why" in console.text
            else:
                read.sees(part)
            await console.press("escape")
        for key in ("R", "E", "colon", "question_mark", "f1", "ctrl+p"):
            await console.press(key)
            read.sees()
            await console.press("escape")
        for last, tabs in (("F", (Tab.STORY, Tab.FILES, Tab.LOG)), ("B", (Tab.STORY, Tab.FINDINGS))):
            runs.action_move(places[last.encode()] - runs.cursor)
            if not console.app.main.query_one(DetailPane).display:
                await console.press("enter")
            for tab in tabs:
                console.app.main.query_one(DetailPane).open(tab)
                await console.settle(0.6)
                read.sees("#detail-title", f"#{tab}")
        for width, height in ((80, 24), (200, 60)):
            await console.pilot.resize_terminal(width, height)
            await console.settle(0.3)
            read.sees(RunList, "#detail-title")
        await console.press("y", "Y")
        assert all(notice.isprintable() for notice in console.notices)
