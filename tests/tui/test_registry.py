"""No key without a test: each reaches its action, each can be given to another key, and each is named here."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from exlab_sync_tui.tui.commands import BY_ID, COMMANDS, MOVES, Command
from exlab_sync_tui.tui.options import ConsoleOptions
from exlab_sync_tui.tui.widgets.run_list import RunList
from tests.tui import test_commands, test_first_run, test_instruments, test_keys
from tests.tui.conftest import opened
from tests.tui.lab import FakeCockpit

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.tui.conftest import Console

EVERYTHING = (*COMMANDS, *MOVES)
TESTS: dict[str, Callable[..., object]] = {
    "run.retry": test_keys.test_r_retries_the_selected_run_and_says_what_became_of_it,
    "run.retry_all": test_commands.test_capital_r_retries_every_failed_run_after_a_question,
    "run.verify": test_keys.test_v_verifies_the_selected_run,
    "run.enqueue": test_commands.test_e_queues_a_run_that_is_still_written_after_a_question,
    "run.enqueue_path": test_commands.test_capital_e_queues_a_folder_that_is_typed,
    "run.override": test_commands.test_o_lets_a_rule_pass_with_a_reason_and_an_end,
    "run.revoke": test_commands.test_x_takes_an_override_back_with_a_reason,
    "run.resolve": test_commands.test_c_decides_about_a_conflict,
    "run.keep_local": test_commands.test_l_keeps_a_local_copy_and_lets_it_go_after_a_question,
    "run.cleanup": test_commands.test_d_shows_what_may_go_and_deletes_it_only_if_it_is_wanted,
    "run.cleanup_all": test_commands.test_d_where_nothing_may_go_offers_nothing,
    "run.forget": test_commands.test_capital_f_forgets_a_run_with_a_reason,
    "run.copy_path": test_commands.test_paths_and_command_lines_are_copied,
    "run.copy_far": test_commands.test_paths_and_command_lines_are_copied,
    "run.command_line": test_commands.test_paths_and_command_lines_are_copied,
    "run.details": test_keys.test_enter_shows_the_story_of_the_selected_run_and_follows_the_selection,
    "details.next": test_commands.test_the_tabs_tell_story_files_findings_and_log,
    "details.previous": test_commands.test_the_tabs_tell_story_files_findings_and_log,
    "details.zoom": test_commands.test_z_gives_the_details_the_whole_screen,
    "details.unproven": test_commands.test_u_lists_only_the_files_that_are_not_proved,
    "list.filter": test_keys.test_slash_filters_while_one_types,
    "list.sort": test_commands.test_s_lists_in_other_orders,
    "list.instrument": test_commands.test_i_lists_one_instrument_after_the_other,
    "list.all": test_commands.test_the_digits_list_parts_of_the_runs,
    "list.needs": test_commands.test_the_digits_list_parts_of_the_runs,
    "list.moving": test_commands.test_the_digits_list_parts_of_the_runs,
    "list.writing": test_commands.test_the_digits_list_parts_of_the_runs,
    "list.safe": test_commands.test_the_digits_list_parts_of_the_runs,
    "list.mark": test_commands.test_space_marks_and_orders_go_to_all_marked,
    "list.mark_all": test_commands.test_a_marks_everything_that_is_listed_or_nothing,
    "list.follow": test_commands.test_f_follows_what_is_sent_until_somebody_moves,
    "list.goto": test_commands.test_go_to_takes_a_number_or_a_part_of_a_name,
    "instrument.pause": test_keys.test_p_pauses_the_instrument_of_the_selected_run_and_resumes_a_paused_one,
    "instrument.show": test_instruments.test_capital_i_tells_all_of_every_instrument_and_stays_true,
    "instrument.add": test_first_run.test_the_console_adds_an_instrument_with_the_same_questions,
    "instrument.rescan": test_commands.test_n_looks_at_the_folders,
    "view.log": test_commands.test_w_hides_and_shows_what_happened,
    "view.theme": test_commands.test_capital_t_offers_the_themes,
    "view.help": test_keys.test_help_names_every_key_and_the_usual_keys_close_it,
    "view.hint": test_commands.test_f1_explains_what_has_the_keys,
    "view.commands": test_keys.test_the_palette_has_the_same_commands,
    "view.back": test_keys.test_escape_closes_the_details_and_then_the_filter,
    "console.quit": test_keys.test_q_leaves,
    **dict.fromkeys((one.id for one in MOVES), test_keys.test_the_cursor_goes_by_line_by_page_and_to_both_ends),
}
"""Of each command, the test that presses its key and looks at what it does."""


def test_every_command_has_a_test_that_presses_its_key() -> None:
    assert TESTS.keys() == BY_ID.keys()
    for name, test in TESTS.items():
        source, keys = inspect.getsource(test), BY_ID[name].keys.split(",")
        assert any(f'"{key}"' in source or f'"{key}' in source or key in _digits(source) for key in keys), name


def _digits(source: str) -> str:
    """Keys that a test takes one by one from a string."""
    return "".join(part for part in source.split('"') if part.isdecimal())


async def _reached(console: Console, keys: dict[str, Command], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Which actions each key starts; nothing else comes of it."""
    heard: list[str] = []
    runs = console.app.main.query_one(RunList)
    for command in EVERYTHING:
        name, _, rest = command.action.partition("(")

        def note(*arguments: object, name: str = name, has: bool = bool(rest)) -> None:
            heard.append(f"{name}({', '.join(map(repr, arguments))})" if has else name)

        monkeypatch.setattr(runs if command in MOVES else console.app, f"action_{name}", note)
    reached = {}
    for key in keys:
        heard.clear()
        await console.pilot.press(key)
        reached[key] = list(heard)
    return reached


async def test_every_key_reaches_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {key: one for one in EVERYTHING for key in one.keys.split(",")}
    async with opened(FakeCockpit()) as console:
        reached = await _reached(console, keys, monkeypatch)
    assert reached == {key: [one.action] for key, one in keys.items()}


async def test_every_command_can_be_given_to_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [f"{also}+f{number}" for also in ("ctrl", "shift", "alt") for number in range(1, 25)]
    keys = dict(zip(others, EVERYTHING, strict=False))
    assert len(keys) == len(EVERYTHING)
    options = ConsoleOptions("mira", keymap={one.id: key for key, one in keys.items()})
    async with opened(FakeCockpit(), options=options) as console:
        reached = await _reached(console, keys, monkeypatch)
        before = await _reached(console, {"r": BY_ID["run.retry"], "F": BY_ID["run.forget"]}, monkeypatch)
    assert reached == {key: [one.action] for key, one in keys.items()}
    assert before == {"r": [], "F": []}
