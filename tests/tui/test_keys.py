"""Every key does what the footer says, and every order is answered by a sentence."""

from __future__ import annotations

import pytest
from textual.containers import VerticalScroll
from textual.widgets import Input

from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.tui.commands import COMMANDS, MOVES
from exlab_sync_tui.tui.options import ConsoleOptions, Lab
from exlab_sync_tui.tui.screens.help import HelpScreen
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.filter_bar import FilterBar
from exlab_sync_tui.tui.widgets.run_list import RunList
from tests.tui.conftest import opened
from tests.tui.lab import CONFOCAL, LAB, READER, FakeCockpit, busy_day, hold, queued, quiet_day

FAILED = "Run_2025-03-05T11-20"


@pytest.fixture
async def cockpit() -> FakeCockpit:
    made = FakeCockpit()
    await busy_day(made)
    return made


async def test_r_retries_the_selected_run_and_says_what_became_of_it(cockpit: FakeCockpit) -> None:
    cockpit.answer = Outcome(f"{FAILED} was queued again.")
    async with opened(cockpit) as console:
        await console.go_to(FAILED)
        await console.press("r")
        (order,) = cockpit.orders
        job = await cockpit.store.job(order.target)
        assert job is not None
        assert job.run_path.endswith(FAILED)
        assert (order.verb, order.who) == (Verb.RETRY, "mira")
        assert console.notices == [f"{FAILED} was queued again."]


async def test_a_refusal_is_shown_as_it_is_said(cockpit: FakeCockpit) -> None:
    cockpit.answer = Outcome("It is queued, so [/there] is nothing to retry.", 1)
    async with opened(cockpit) as console:
        await console.go_to(FAILED)
        await console.press("r")
        (notice,) = console.app._notifications
        assert (notice.message, notice.severity, notice.markup) == (cockpit.answer.sentence, "error", False)
        assert "It is queued, so [/there] is nothing to retry." in " ".join(console.text.split())


async def test_v_verifies_the_selected_run(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to("RNA_batch_08")
        await console.press("v")
        assert [order.verb for order in cockpit.orders] == [Verb.VERIFY]
        assert console.notices == ["Comparing RNA_batch_08 with its destination.", "Done as asked."]


@pytest.mark.parametrize("key", ["r", "v"])
async def test_a_run_without_a_job_is_not_ordered_about(cockpit: FakeCockpit, key: str) -> None:
    async with opened(cockpit) as console:
        await console.go_to("Run_<date>")
        await console.press(key)
        assert not cockpit.orders
        assert console.notices[0].startswith("Run_<date> is not queued yet")


async def test_p_pauses_the_instrument_of_the_selected_run_and_resumes_a_paused_one(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to(FAILED)
        await console.press("p")
        await console.go_to("Plate_118")
        await console.press("p")
        assert cockpit.orders == [Order(Verb.PAUSE, CONFOCAL, "mira"), Order(Verb.RESUME, READER, "mira")]


async def test_p_without_runs_takes_the_only_instrument_or_says_why_not() -> None:
    several, single = FakeCockpit(), FakeCockpit()
    async with opened(several) as console:
        await console.press("p", "r")
        assert not several.orders
        assert console.notices == [
            "No run is selected, so no instrument is chosen to pause.",
            "No run is selected.",
        ]
    async with opened(single, lab=Lab(LAB.instruments[:1])) as console:
        await console.press("p")
        assert single.orders == [Order(Verb.PAUSE, CONFOCAL, "mira")]


async def test_enter_shows_the_story_of_the_selected_run_and_follows_the_selection(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=(120, 36)) as console:
        await console.go_to(FAILED)
        await console.press("enter")
        told = console.words_in(DetailPane)
        assert f"{FAILED} failed after 5 attempts" in told
        assert "Story, newest first" in told
        await console.press("up")
        assert "asked again by itself once it is repaired" in console.words_in(DetailPane)
        await console.press("enter")
        assert not console.app.main.query_one(DetailPane).display


async def test_the_details_stay_true_while_the_run_changes(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=(120, 36)) as console:
        await console.go_to(FAILED)
        await console.press("enter")
        row = console.app.main.selected
        assert row is not None
        assert row.job is not None
        await cockpit.store.move(
            row.job.id, SyncJobState.QUEUED, at=console.clock.now(), who="otto", what="retry asked for", last_error=None
        )
        await console.settle(6)
        assert console.selected == FAILED
        assert "retry asked for, by otto queued" in console.words_in(DetailPane)


async def test_escape_closes_the_details_and_then_the_filter(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("slash", "r", "n", "a", "enter", "enter")
        pane, bar = console.app.main.query_one(DetailPane), console.app.main.query_one(FilterBar)
        assert (pane.display, bar.display) == (True, True)
        await console.press("escape")
        assert (pane.display, bar.display) == (False, True)
        await console.press("escape")
        assert (bar.display, bar.typed) == (False, "")
        assert "21 runs" in console.text


async def test_slash_filters_while_one_types(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("slash")
        await console.enter("rna_batch_1")
        await console.settle(0.3)
        assert "3 of 21 runs" in console.text
        assert console.selected == "RNA_batch_10"
        assert not cockpit.orders
        await console.press("enter")
        assert isinstance(console.app.focused, RunList)
        await console.press("slash")
        console.app.main.query_one(Input).value = "no such run"
        await console.settle(0.3)
        assert "No run fits the filter." in console.text


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("failed", [FAILED]),
        ("READER_01", ["Plate_118", "Plate_119"]),
        ("safe sequencer_01", ["RNA_batch_08", "RNA_batch_07"]),
        ("blocked", ["Run_<date>"]),
        ("acquiring", ["Run_2025-03-05T14-00"]),
        ("sending", ["RNA_batch_09", "Run_2025-03-05T13-41"]),
        ("plate_119", ["Plate_119"]),
    ],
)
async def test_a_filter_knows_instruments_states_and_names(cockpit: FakeCockpit, typed: str, names: list[str]) -> None:
    async with opened(cockpit) as console:
        await console.press("slash")
        console.app.main.query_one(Input).value = typed
        await console.settle(0.3)
        listing = console.app.main.query_one(RunList)._listing
        assert [row.name for index in range(listing.total) if (row := listing.row(index))] == names


async def test_what_is_listed_waits_for_a_key_and_for_no_clock(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        runs, firsts = console.app.main.query_one(RunList), []
        for key in "2351":
            await console.pilot.press(key)
            await console.drawn()
            row = runs._listing.row(0)
            firsts.append((runs._listing.total, row.name if row is not None else ""))
        assert firsts == [(2, "Run_<date>"), (7, "RNA_batch_09"), (11, "RNA_batch_08"), (21, "Run_<date>")]


async def test_help_names_every_key_and_the_usual_keys_close_it() -> None:
    async with opened(FakeCockpit(), size=(120, 100)) as console:
        for key in ("q", "escape", "enter", "question_mark"):
            await console.press("question_mark")
            assert isinstance(console.app.screen, HelpScreen)
            shown = console.words_in(VerticalScroll)
            assert all(f"{command.shown()} {command.name} " in shown for command in (*COMMANDS, *MOVES))
            await console.press(key)
            assert not isinstance(console.app.screen, HelpScreen)


async def test_the_palette_has_the_same_commands() -> None:
    async with opened(FakeCockpit()) as console:
        offered = {command.title for command in console.app.get_system_commands(console.app.screen)}
        assert offered == {command.name for command in COMMANDS if command.id != "view.commands"}
        await console.press("ctrl+p")
        assert "Find a command" in console.text


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_q_leaves(key: str) -> None:
    async with opened(FakeCockpit()) as console:
        await console.pilot.press(key)
        assert console.app.return_code == 0


async def test_the_cursor_goes_by_line_by_page_and_to_both_ends(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        runs = console.app.main.query_one(RunList)
        steps = []
        for key in ("down", "j", "k", "up", "up", "pagedown", "pageup", "end", "down", "home", "G", "g"):
            await console.press(key)
            steps.append(runs.cursor)
        page = runs.size.height - 1
        assert steps == [1, 2, 1, 0, 0, page, 0, 20, 20, 0, 20, 0]


async def test_a_click_selects_and_a_second_one_opens_the_details(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.pilot.click(RunList, offset=(20, 2))
        await console.settle(0.3)
        assert console.app.main.query_one(RunList).cursor == 2
        await console.pilot.click(RunList, offset=(20, 2))
        await console.settle(0.3)
        assert console.app.main.query_one(DetailPane).display


async def test_a_keymap_gives_other_keys_and_a_wrong_one_is_said(cockpit: FakeCockpit) -> None:
    options = ConsoleOptions("mira", keymap={"run.retry": "t", "run.fly": "f"})
    async with opened(cockpit, options=options) as console:
        await console.go_to(FAILED)
        await console.press("r", "t")
        assert [order.verb for order in cockpit.orders] == [Verb.RETRY]
        assert console.notices[0] == "console.keymap names no command of ours: run.fly."
        assert "t Retry" in console.text


async def test_the_selection_stays_on_its_run_when_others_come(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to("Plate_118")
        await cockpit.store.set_hold(
            hold(HoldKind.BLOCKED, "/data/plates/New", "No.", scope=HoldScope.RUN, ago=0, equipment_id=READER)
        )
        await queued(cockpit.store, "/data/plates/Plate_120", READER)
        await console.settle(6)
        assert console.selected == "Plate_118"
        assert "23 runs" in console.text


async def test_every_command_has_its_own_key_and_id() -> None:
    everything = (*COMMANDS, *MOVES)
    keys = [key for command in everything for key in command.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert len({command.id for command in everything}) == len(everything)


async def test_nothing_is_ordered_by_looking_around() -> None:
    cockpit = FakeCockpit()
    await quiet_day(cockpit)
    async with opened(cockpit) as console:
        await console.press("down", "enter", "tab", "down", "escape", "question_mark", "escape", "slash", "r", "escape")
        assert not cockpit.orders
