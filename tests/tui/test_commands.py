"""Every other key: views, orders, marks, tabs, dialogs. Each says what it did, or why it could not."""

from __future__ import annotations

import json

import pytest
from textual.containers import VerticalScroll
from textual.widgets import Input, OptionList

from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.engine.cockpit.wishes import Foreseen, Preview
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.tui.commands import BY_ID, COMMANDS, MOVES
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.screens.ask import AskScreen
from exlab_sync_tui.tui.screens.command_line import CommandLineScreen
from exlab_sync_tui.tui.screens.help import HelpScreen
from exlab_sync_tui.tui.screens.line import LineScreen
from exlab_sync_tui.tui.screens.override import OverrideScreen, RevokeScreen
from exlab_sync_tui.tui.screens.upkeep import CleanupScreen
from exlab_sync_tui.tui.widgets.details.file_list import FileRows
from exlab_sync_tui.tui.widgets.details.findings import FindingsView
from exlab_sync_tui.tui.widgets.details.log import LogView
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.details.story import StoryView
from exlab_sync_tui.tui.widgets.event_log import EventLog
from exlab_sync_tui.tui.widgets.instruments import Instruments
from exlab_sync_tui.tui.widgets.key_bar import KeyBar
from exlab_sync_tui.tui.widgets.run_list import RunList
from exlab_sync_tui.tui.widgets.view_bar import ViewBar
from tests.tui.conftest import Console, opened
from tests.tui.lab import CONFOCAL, NOW, READER, SEQUENCER, FakeCockpit, busy_day, hold, outage, queued, quiet_day

FAILED, BLOCKED, WRITTEN = "Run_2025-03-05T11-20", "Run_<date>", "Run_2025-03-05T14-00"
NORMAL = (120, 36)


@pytest.fixture
async def cockpit() -> FakeCockpit:
    made = FakeCockpit()
    await busy_day(made)
    return made


def listed(console: Console) -> list[str]:
    listing = console.app.main.query_one(RunList)._listing
    return [row.name for index in range(listing.total) if (row := listing.row(index))]


async def test_the_digits_list_parts_of_the_runs(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        numbers = {}
        for key in "23451":
            await console.press(key)
            numbers[key] = len(listed(console))
        assert numbers == {"2": 2, "3": 7, "4": 1, "5": 11, "1": 21}
        await console.press("2")
        assert listed(console) == [BLOCKED, FAILED]
        await console.press("escape")
        assert len(listed(console)) == 21


async def test_i_lists_one_instrument_after_the_other(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        numbers = []
        for _ in range(4):
            await console.press("i")
            numbers.append(len(listed(console)))
        assert numbers == [13, 6, 2, 21]
        await console.press("i", "5")
        assert "All 13" in console.words_in(ViewBar)
        assert CONFOCAL in console.words_in(ViewBar)
        assert len(listed(console)) == 9
        await console.press("i", "4")
        await console.settle(1)
        assert f"No run of {SEQUENCER} is being written or held. Press 1 for all runs." in console.text


async def test_s_lists_in_other_orders(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        first = {}
        for _ in range(5):
            await console.press("s")
            order = console.app.main._wanted.sort.value
            first[order] = listed(console)[2]
        assert first["newest first"] == FAILED
        assert first["oldest first"].startswith("Run_2025-03-01")
        assert first["largest first"].startswith("RNA_batch_0")
        assert first["by folder"] == "Run_2025-03-01T09-10"
        assert listed(console)[0] == BLOCKED


async def test_space_marks_and_orders_go_to_all_marked(cockpit: FakeCockpit) -> None:
    cockpit.answer = Outcome("It is so.", 1)
    async with opened(cockpit, size=NORMAL) as console:
        await console.go_to("RNA_batch_08")
        await console.press("space", "space")
        assert "2 runs marked" in console.words_in(ViewBar)
        assert [row.name for row in console.app.main.marked] == ["RNA_batch_08", "RNA_batch_07"]
        await console.press("v")
        assert [order.verb for order in cockpit.orders] == [Verb.VERIFY, Verb.VERIFY]
        assert console.notices == ["Comparing 2 runs with their destination.", "0 of 2 runs done. It is so."]
        assert not console.app.main.marked


async def test_a_marks_everything_that_is_listed_or_nothing(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.press("3", "a")
        assert len(console.app.main.marked) == 7
        await console.press("a")
        assert not console.app.main.marked
        await console.press("a", "escape")
        assert not console.app.main.marked
        await console.press("space", "up", "space")
        assert not console.app.main.marked


async def test_capital_r_retries_every_failed_run_after_a_question(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("R")
        assert isinstance(console.app.screen, AskScreen)
        assert "Retry 1 failed run?" in console.text
        await console.press("n")
        assert (cockpit.orders, console.notices) == ([], ["Nothing was done."])
        await console.press("R", "escape", "R", "enter", "R", "y")
        (order,) = cockpit.orders
        assert order.verb is Verb.RETRY
        await console.press("R", "right", "enter")
        assert len(cockpit.orders) == 2


async def test_capital_r_without_failed_runs_says_so() -> None:
    cockpit = FakeCockpit()
    await quiet_day(cockpit)
    async with opened(cockpit) as console:
        await console.press("R")
        assert console.notices == ["No run has failed, so there is nothing to retry."]


async def test_e_queues_a_run_that_is_still_written_after_a_question(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to(WRITTEN)
        await console.press("e")
        assert f"Queue {WRITTEN} now?" in console.text
        await console.press("y")
        assert cockpit.orders == [Order(Verb.ENQUEUE, f"/data/lab/{CONFOCAL}/Kelp/{WRITTEN}", "mira")]
        await console.press("home", "e")
        await console.go_to("RNA_batch_10")
        await console.press("e")
        assert console.notices[-2:] == [
            f"{BLOCKED}: the gate keeps it here; let it pass, or repair it, so there is nothing to queue.",
            "RNA_batch_10: it is queued already, so there is nothing to queue.",
        ]
        assert len(cockpit.orders) == 1


async def test_capital_e_queues_a_folder_that_is_typed(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("E", "enter")
        assert isinstance(console.app.screen, LineScreen)
        await console.enter("/x/[y]", "enter")
        assert cockpit.orders == [Order(Verb.ENQUEUE, "/x/[y]", "mira")]
        await console.press("E", "x", "escape")
        assert len(cockpit.orders) == 1


async def test_o_lets_a_rule_pass_with_a_reason_and_an_end(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.press("o")
        screen = console.app.screen
        assert isinstance(screen, OverrideScreen)
        await console.press("enter")
        assert "Say why" in console.text
        await console.enter("so it is", "enter")
        await console.enter("yesterday", "enter")
        assert "yesterday is no moment" in console.text
        screen.query_one("#expires", Input).value = "2025-03-01"
        await console.press("enter")
        assert "has passed already" in console.text
        screen.query_one("#expires", Input).value = "2025-04-01"
        screen.query_one(OptionList).highlighted = 1
        await console.press("enter")
        (order,) = cockpit.orders
        assert (order.verb, order.who) == (Verb.OVERRIDE, "mira")
        assert json.loads(order.target) == {
            "run": f"/data/lab/{CONFOCAL}/Kelp/{BLOCKED}",
            "rule": "illegal_filesystem_character",
            "reason": "so it is",
            "expires_at": "2025-04-01T00:00:00Z",
        }


async def test_o_and_x_say_why_they_have_nothing_to_do(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to(FAILED)
        await console.press("o", "x", "home", "o", "escape", "x", "escape")
        assert console.notices == [
            f"The gate has nothing against {FAILED} that keeps it here.",
            f"No override of {FAILED} is in force, so there is nothing to revoke.",
        ]
        assert not cockpit.orders


async def test_x_takes_an_override_back_with_a_reason(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("x")
        assert isinstance(console.app.screen, RevokeScreen)
        await console.press("enter")
        assert "Say why" in console.text
        await console.enter("renamed", "enter")
        (order,) = cockpit.orders
        assert order.verb is Verb.REVOKE
        assert json.loads(order.target)["id"] == "3f2a9c01-0000-4000-8000-000000000000"


async def test_paths_and_command_lines_are_copied(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.press("y")
        assert console.app.clipboard == f"/data/lab/{CONFOCAL}/Kelp/{BLOCKED}"
        await console.press("Y")
        assert console.notices[-1] == f"{BLOCKED} has no place on the NAS yet."
        await console.go_to(FAILED)
        await console.press("Y")
        assert console.app.clipboard == f"/mnt/nas/lab/lab/{CONFOCAL}/Kelp/{FAILED}"
        await console.press("dollar_sign")
        assert isinstance(console.app.screen, CommandLineScreen)
        assert "exlab-sync retry 00000019" in console.text
        await console.press("down", "y")
        assert console.app.clipboard == "exlab-sync retry 00000019"
        await console.press("dollar_sign", "escape")
        assert not cockpit.orders


async def test_f_follows_what_is_sent_until_somebody_moves(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("f")
        assert console.selected == "Run_2025-03-05T13-41"
        assert "following" in console.words_in(ViewBar)
        cockpit.in_flight = cockpit.in_flight[1:]
        await console.settle(1)
        assert console.selected == "RNA_batch_09"
        await console.press("down")
        at = console.selected
        cockpit.in_flight = []
        await console.settle(1)
        assert console.selected == at
        assert "following" not in console.words_in(ViewBar)
        await console.press("f", "f")
        assert "following" not in console.words_in(ViewBar)


@pytest.mark.parametrize("key", ["colon", "ctrl+g"])
async def test_go_to_takes_a_number_or_a_part_of_a_name(cockpit: FakeCockpit, key: str) -> None:
    async with opened(cockpit) as console:
        await console.press(key)
        await console.enter("12", "enter")
        assert console.app.main.query_one(RunList).cursor == 11
        await console.press(key)
        await console.enter("plate_119", "enter")
        assert console.selected == "Plate_119"
        await console.press(key)
        await console.enter("<date>", "enter")
        assert console.selected == BLOCKED
        await console.press(key)
        await console.enter("nobody", "enter")
        assert console.notices[-1] == "No listed run has nobody in its path."


async def test_the_tabs_tell_story_files_findings_and_log(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.go_to(FAILED)
        pane = console.app.main.query_one(DetailPane)
        await console.press("right_square_bracket")
        assert (pane.display, pane.tab) == (True, Tab.STORY)
        await console.press("left_square_bracket")
        assert pane.tab is Tab.LOG
        assert "ERROR failed: nas01 already has a folder" in console.words_in(LogView)
        await console.press("left_square_bracket")
        assert "The gate has nothing against this run." in console.words_in(FindingsView)
        await console.press("home")
        told = console.words_in(FindingsView)
        assert "unresolved_placeholder_token keeps the run here" in told
        assert "press o" in told
        assert "Findings 3" in console.words_in(DetailPane)
        await console.go_to("RNA_batch_09")
        await console.press("left_square_bracket")
        told = console.words_in(FileRows)
        assert "✗ differs 4.08 KiB Config/[/red]$(reboot).xml" in told
        assert "✓ proved" in told
        assert "Files 62" in console.words_in(DetailPane)


async def test_u_lists_only_the_files_that_are_not_proved(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.go_to("RNA_batch_09")
        await console.press("u")
        files = console.app.main.query_one(FileRows)
        assert files._files.total == 40
        assert "proved" not in console.words_in(FileRows)
        await console.press("u")
        assert files._files.total == 62
        await console.go_to("RNA_batch_10")
        assert "No file of this run is known yet" in console.words_in(FileRows)


async def test_z_gives_the_details_the_whole_screen(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("z")
        pane = console.app.main.query_one(DetailPane)
        zoomed = pane.size.height
        await console.press("z")
        assert zoomed > pane.size.height
        await console.press("escape")
        assert not pane.display
        await console.press("enter")
        assert pane.size.height < zoomed


async def test_a_wait_is_counted_down() -> None:
    cockpit = FakeCockpit()
    await outage(cockpit)
    async with opened(cockpit, size=NORMAL) as console:
        await console.press("enter")
        assert "Next look" not in console.words_in(StoryView)
        (away,) = await cockpit.store.holds()
        later = NOW.replace(minute=7)
        await cockpit.store.set_hold(
            hold(HoldKind.AWAY, away.key, "Still away.", scope=HoldScope.DESTINATION, ago=0, until=later)
        )
        await console.settle(6)
        first = console.words_in(StoryView)
        await console.settle(3)
        assert "Next look in 4 min" in first
        assert console.words_in(StoryView) != first


async def test_w_hides_and_shows_what_happened(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        log = console.app.main.query_one(EventLog)
        shown = [log.display and log.size.height > 0]
        for _ in range(2):
            await console.press("w")
            shown.append(log.region.height > 0)
        assert shown == [True, False, True]


async def test_n_looks_at_the_folders(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("n")
        assert cockpit.orders == [Order(Verb.RESCAN, "", "mira")]


async def test_f1_explains_what_has_the_keys(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.press("f1")
        assert isinstance(console.app.screen, HelpScreen)
        assert "The list of runs" in console.text
        await console.press("escape", "enter")
        main = console.app.main
        for tab, view, told in (
            (Tab.STORY, main.query_one(StoryView), "Why the run is"),
            (Tab.FILES, main.query_one(FileRows), "SHA-256 of both sides"),
            (Tab.FINDINGS, main.query_one(FindingsView), "asked just now"),
            (Tab.LOG, main.query_one(LogView), "The last lines of the logs"),
        ):
            main.query_one(DetailPane).open(tab)
            await console.settle(0.3)
            view.focus()
            await console.press("f1")
            assert told in " ".join(console.text.split())
            await console.press("f1")
        await console.press("escape")
        main.query_one(EventLog).focus()
        await console.press("f1")
        assert "since this console was opened" in " ".join(console.text.split())


async def test_capital_t_offers_the_themes(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("T")
        await console.enter("contrast", "enter")
        await console.settle(1)
        assert console.app.theme == "exlab-contrast"


async def test_clicks_do_what_keys_do(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.pilot.click(ViewBar, offset=(14, 0))
        await console.settle(0.3)
        assert listed(console) == [BLOCKED, FAILED]
        await console.press("escape")
        await console.pilot.click(Instruments, offset=(20, 3))
        await console.settle(0.3)
        assert listed(console) == ["Plate_118", "Plate_119"]
        await console.pilot.click(Instruments, offset=(20, 3))
        await console.settle(0.3)
        assert len(listed(console)) == 21
        await console.pilot.click(KeyBar, offset=(16, 0))
        await console.settle(0.3)
        assert console.app.main.query_one(DetailPane).display


async def test_the_key_bar_offers_what_fits_the_run(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        offered = {}
        for name in (BLOCKED, FAILED, "RNA_batch_10", WRITTEN, "RNA_batch_08"):
            await console.go_to(name)
            offered[name] = console.words_in(KeyBar).split(" / ")[0]
        assert offered == {
            BLOCKED: "o Let pass enter Details",
            FAILED: "c Resolve r Retry enter Details",
            "RNA_batch_10": "enter Details",
            WRITTEN: "e Queue now enter Details",
            "RNA_batch_08": "v Verify d Clean up l Keep local enter Details",
        }
        await console.press("enter")
        assert "esc Back ] Next tab z Zoom" in console.words_in(KeyBar)


async def test_resizing_keeps_the_selection_and_the_marks(cockpit: FakeCockpit) -> None:
    async with opened(cockpit, size=NORMAL) as console:
        await console.go_to("RNA_batch_07")
        await console.press("space", "up", "enter")
        for size in ((80, 24), (200, 60), (40, 12), NORMAL):
            await console.pilot.resize_terminal(*size)
            await console.settle(0.3)
            assert console.selected == "RNA_batch_07"
            assert [row.name for row in console.app.main.marked] == ["RNA_batch_07"]
            runs = console.app.main.query_one(RunList)
            assert runs.scroll_offset.y <= runs.cursor < runs.scroll_offset.y + max(runs.size.height, 1)


async def test_rows_do_not_jump_under_the_cursor(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        runs = console.app.main.query_one(RunList)
        await console.press("end")
        line, name = runs.cursor - runs.scroll_offset.y, console.selected
        for number in range(3):
            await queued(cockpit.store, f"/data/plates/Plate_13{number}", READER)
        await console.settle(6)
        assert console.selected == name
        assert runs.cursor - runs.scroll_offset.y == line


async def test_a_run_that_becomes_safe_takes_the_cursor_with_it(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to("RNA_batch_09")
        row = console.app.main.selected
        assert row is not None
        assert row.job is not None
        for state in (SyncJobState.AWAITING_VERIFY, SyncJobState.VERIFIED):
            await cockpit.store.move(row.job.id, state, at=NOW, who="engine", what=state.value)
        cockpit.in_flight = []
        await console.settle(6)
        assert console.selected == "RNA_batch_09"
        assert console.app.main.query_one(RunList).cursor == 9


async def test_l_keeps_a_local_copy_and_lets_it_go_after_a_question(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.go_to("RNA_batch_08")
        await console.press("l")
        row = console.app.main.selected
        assert row is not None
        assert row.job is not None
        await cockpit.store.amend(row.job.id, keep_local=True)
        await console.settle(6)
        await console.press("l", "n", "l", "y")
        assert [json.loads(order.target)["keep"] for order in cockpit.orders] == [True, False]
        await console.go_to(BLOCKED)
        await console.press("l")
        assert console.notices[-1].startswith(f"{BLOCKED} is not queued yet")


async def test_d_shows_what_may_go_and_deletes_it_only_if_it_is_wanted(cockpit: FakeCockpit) -> None:
    job = (await cockpit.store.jobs(JobFilter(frozenset({SyncJobState.VERIFIED})), newest_first=True))[0]
    seen = Foreseen(job.run_path, job.id, SEQUENCER, 3_412, job.bytes_total)
    kept = Foreseen("/x/[/y]", "2", CONFOCAL, 1, 10, "age", "It was verified 2 h ago", NOW)
    cockpit.answer = Preview("1 local copy, 61.0 GiB, would go; 1 held.", (kept, seen)).as_outcome()
    async with opened(cockpit, size=NORMAL) as console:
        await console.go_to("RNA_batch_08")
        await console.press("d")
        assert isinstance(console.app.screen, CleanupScreen)
        told = console.words_in(VerticalScroll)
        assert "✓ goes RNA_batch_08 61.0 GiB" in told
        assert "◦ stays y] 10 B" in told
        assert "Deleting frees 61.0 GiB on this PC." in told
        await console.press("n", "d", "escape", "d", "enter")
        assert {order.verb for order in cockpit.orders} == {Verb.CLEANUP_PREVIEW}
        await console.press("D", "y")
        assert cockpit.orders[-1] == Order(Verb.CLEANUP, "", "mira")
        await console.press("d", "y")
        assert cockpit.orders[-1] == Order(Verb.CLEANUP, job.id, "mira")
        cockpit.answer = Outcome("Cleanup is off.", 1)
        await console.press("d")
        assert console.notices[-1] == "Cleanup is off."


async def test_d_where_nothing_may_go_offers_nothing(cockpit: FakeCockpit) -> None:
    cockpit.answer = Preview("0 local copies, 0 B, would go; 0 held.", ()).as_outcome()
    async with opened(cockpit) as console:
        await console.press("D", "y")
        assert isinstance(console.app.screen, CleanupScreen)
        assert "Delete" not in console.text
        await console.press("escape", "home", "d")
        assert console.notices[-1] == f"{BLOCKED} is not queued yet; only verified runs are cleaned up."


async def test_c_decides_about_a_conflict(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("c")
        assert console.notices[-1].startswith(f"{BLOCKED} has neither a conflict nor a damage")
        await console.go_to(FAILED)
        await console.press("c", "escape", "c", "down", "enter")
        (order,) = cockpit.orders
        assert order.verb is Verb.RESOLVE
        assert json.loads(order.target)["way"] == "beside"


async def test_capital_f_forgets_a_run_with_a_reason(cockpit: FakeCockpit) -> None:
    async with opened(cockpit) as console:
        await console.press("F")
        assert console.notices[-1].startswith(f"{BLOCKED} is not queued yet")
        await console.go_to(FAILED)
        await console.press("F", "enter")
        assert "Say why" in console.text
        await console.enter("a test", "enter")
        (order,) = cockpit.orders
        assert (order.verb, json.loads(order.target)["reason"]) == (Verb.FORGET, "a test")


def test_the_registry_is_whole() -> None:
    everything = (*COMMANDS, *MOVES)
    keys = [key for command in everything for key in command.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(everything)
    assert all(command.help.endswith(".") and command.name for command in everything)
