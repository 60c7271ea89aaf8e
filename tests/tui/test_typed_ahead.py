"""What is typed right behind the key that opens a dialog stands in the dialog, and is no order for the list below."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from textual.events import Paste
from textual.widgets import Input, OptionList

from exlab_sync_tui.engine.cockpit.permits import Permit
from exlab_sync_tui.engine.cockpit.view import Verb
from exlab_sync_tui.tui import typed_ahead
from exlab_sync_tui.tui.options import ConsoleOptions
from exlab_sync_tui.tui.screens.main import MainScreen
from exlab_sync_tui.tui.widgets.filter_bar import FilterBar
from tests.tui.conftest import opened
from tests.tui.lab import FakeCockpit, FakePremises, busy_day, premises

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.operate.objections import Objections
    from exlab_sync_tui.queue.store import JobStore

BLOCKED, FAILED = "Run_<date>", "Run_2025-03-05T11-20"
ORDERS = "prove rex, Dear"
"""Most of its letters are orders for the list."""


@pytest.fixture
async def cockpit() -> FakeCockpit:
    made = FakeCockpit()
    await busy_day(made)
    return made


@pytest.mark.parametrize(
    ("key", "run"),
    [("o", BLOCKED), ("x", BLOCKED), ("F", FAILED), ("E", FAILED), ("/", FAILED), (":", FAILED), ("A", FAILED)],
)
async def test_it_stands_in_the_first_line_of_the_dialog(
    cockpit: FakeCockpit, tmp_path: Path, key: str, run: str
) -> None:
    options = ConsoleOptions("mira", config=tmp_path / "config.yaml", store_path=tmp_path / "queue.db")
    async with opened(cockpit, options=options) as console:
        await console.go_to(run)
        await console.hurry(key + ORDERS)
        assert isinstance(console.app.focused, Input)
        assert console.app.focused.value == ORDERS
        assert not cockpit.orders


async def test_a_messenger_that_is_lost_does_not_hold_the_keys_for_ever(
    cockpit: FakeCockpit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_ahead, "_LOST", 0.001)
    async with opened(cockpit) as console:
        await console.go_to(FAILED)
        monkeypatch.setattr(typed_ahead.TypedAheadApp, "on_followed", lambda _, message: message.stop())
        await console.hurry("/" + ORDERS)
        await console.press("z")
        assert isinstance(console.app.focused, Input)
        assert console.app.focused.value.endswith("z")
        assert not cockpit.orders


@pytest.mark.parametrize("key", ["ctrl+p", "T"])
async def test_it_stands_in_the_palette(cockpit: FakeCockpit, key: str) -> None:
    async with opened(cockpit) as console:
        await console.hurry("", key, *ORDERS)
        assert isinstance(console.app.focused, Input)
        assert console.app.focused.value == ORDERS


async def test_a_dialog_that_the_palette_opens_gets_the_keys_as_well(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to(BLOCKED)
        await console.press("ctrl+p")
        offered = console.app.screen.query_one(OptionList)
        offered.highlighted = [str(one.prompt).startswith("Let pass") for one in offered.options].index(True)
        await console.hurry("", "enter")
        await console.hurry(ORDERS)
        assert isinstance(console.app.focused, Input)
        assert (console.app.focused.id, console.app.focused.value) == ("reason", ORDERS)


async def test_a_whole_override_is_typed_at_one_go(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to(BLOCKED)
        await console.hurry("o" + ORDERS, "enter")
        await console.hurry("2025-04-01", "enter")
        (order,) = cockpit.orders
        permit = Permit.of(order.target)
        assert (order.verb, permit.reason) == (Verb.OVERRIDE, ORDERS)
        assert permit.expires_at is not None


async def test_a_question_is_answered_at_one_go(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.hurry("Rn")
        assert (cockpit.orders, console.notices) == ([], ["Nothing was done."])
        await console.hurry("Ry")
        assert [order.verb for order in cockpit.orders] == [Verb.RETRY]


async def test_what_is_pasted_comes_in_its_turn(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        console.app.post_message(Paste("/data/"))
        await console.hurry("E/x")
        driver = console.app._driver
        assert driver is not None
        assert isinstance(console.app.focused, Input)
        assert console.app.focused.value == "/x"
        driver.send_message(Paste("/pasted"))
        await console.settle(0.3)
        assert console.app.focused.value == "/x/pasted"


async def test_where_no_dialog_opens_it_is_no_order(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to("RNA_batch_08")
        await console.hurry("o" + ORDERS)
        assert isinstance(console.app.screen, MainScreen)
        assert not cockpit.orders
        assert console.notices == ["The gate has nothing against RNA_batch_08 that keeps it here."]
        await console.press("v")
        assert [order.verb for order in cockpit.orders] == [Verb.VERIFY]


async def test_a_keymap_and_a_filter_that_is_there_already_change_nothing(cockpit: FakeCockpit) -> None:
    options = ConsoleOptions("mira", keymap={"list.filter": "F3"})
    async with opened(cockpit, options=options) as console:
        await console.hurry("", "F3", *"rna", "enter")
        await console.hurry("", "j", "F3", *"_batch_1")
        assert console.app.main.query_one(FilterBar).typed == "_batch_1"


class SlowGate(FakePremises):
    """A gate over a run of a million files."""

    def __init__(self, around: FakePremises) -> None:
        super().__init__(around.surroundings, around.findings)
        self.asked_for = asyncio.Event()
        self.answers = asyncio.Event()

    async def objections(self, store: JobStore, run_path: str, now: datetime) -> Objections:
        self.asked_for.set()
        await self.answers.wait()
        return await super().objections(store, run_path, now)


async def slow(act: Callable[[SlowGate], object], *keys: str) -> tuple[str, list[str], int]:
    """What stands in the dialog, what was said, and how many orders were given."""
    cockpit, gate = FakeCockpit(), SlowGate(premises())
    await busy_day(cockpit)
    async with opened(cockpit, around=gate) as console:
        await console.go_to(BLOCKED)
        await console.hurry("ore")
        await gate.asked_for.wait()
        act(gate)
        await console.hurry("", *keys)
        focused = console.app.focused
        typed = focused.value if isinstance(focused, Input) else console.app.screen.__class__.__name__
        return typed, console.notices, len(cockpit.orders)


async def test_what_is_typed_while_the_gate_is_asked_waits_for_the_dialog() -> None:
    assert await slow(lambda gate: gate.answers.set(), "v") == ("rev", [], 0)


async def test_escape_gives_up_what_takes_too_long() -> None:
    assert await slow(lambda gate: gate.asked, "v", "escape", "j") == ("MainScreen", ["Nothing was done."], 0)
