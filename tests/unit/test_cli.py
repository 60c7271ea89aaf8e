"""What can be typed, and what does it answer before there is anything to answer about?"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from exlab_sync_tui.cli import console
from exlab_sync_tui.cli.app import VERBS, app
from exlab_sync_tui.cli.errors import Sentences
from exlab_sync_tui.cli.place import Place, place_options
from exlab_sync_tui.errors import EngineNeededError, NotFoundError
from exlab_sync_tui.settings import locations
from tests.unit.cli_helpers import AS_IT_IS, Shelf, make_shelf

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return make_shelf(tmp_path)


def ask(*arguments: str) -> Result:
    return CliRunner(env=AS_IT_IS).invoke(app, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example_that_begins_with_the_verb(verb: str) -> None:
    done = ask(verb, "--help")
    assert done.exit_code == 0
    assert f"exlab-sync {verb}" in done.output.partition("Example")[2]


def test_the_help_names_every_verb_and_the_exit_codes() -> None:
    done = ask("--help")
    assert all(f"\n  {verb}" in done.output for verb in VERBS)
    assert "11 blocked by the" in done.output


def test_without_a_verb_and_without_a_terminal_it_offers_what_works_without_one() -> None:
    done = ask()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("exlab-sync: The console needs a terminal")
    assert "`exlab-sync status`" in done.stderr
    assert "`exlab-sync run`" in done.stderr


def test_without_a_configuration_the_console_asks_for_one_and_names_the_demo_if_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "user_config_path", lambda: tmp_path / "none.yaml")
    monkeypatch.setattr(locations, "SYSTEM_CONFIG", tmp_path / "neither.yaml")
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    asked: list[Place] = []
    said: list[str] = []

    def nobody_answers(place: Place) -> bool:
        asked.append(place)
        return False

    monkeypatch.setattr(console, "ask_for_configuration", nobody_answers)
    monkeypatch.setattr(console, "put", said.append)
    assert console.open_console(Place(environ={})) == 7
    assert len(asked) == 1
    assert said == ["Nothing was written. `exlab-sync demo` shows everything on a sample lab first."]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_version_is_that_of_the_package() -> None:
    assert ask("--version").output == "exlab-sync 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["show"], ["run", "--twice"], ["retry"], ["list", "--state", "odd"]]
)
def test_what_is_not_understood_ends_with_2(arguments: list[str]) -> None:
    assert ask(*arguments).exit_code == 2


def test_options_may_stand_before_or_behind_the_verb_and_those_behind_win(shelf: Shelf, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    assert ask("--config", str(other), "config", "path").output == f"{other}\n"
    assert ask("config", "path", "--config", str(other)).output == f"{other}\n"
    assert ask("--config", str(shelf.config), "config", "path", "--config", str(other)).output == f"{other}\n"


def test_without_a_store_status_and_list_say_so_and_end_well(shelf: Shelf) -> None:
    for verb in ("status", "list"):
        done = shelf.ask(verb)
        assert done.exit_code == 0
        assert done.output.startswith("Nothing has been queued yet: there is no job store at")
    assert "No engine is running" in shelf.ask("status").output
    assert shelf.ask_json("list") == []
    assert shelf.ask_json("status")["total"]["safe"] == 0  # type: ignore[index]
    assert not shelf.state.exists()


@pytest.mark.parametrize("verb", ["show", "why"])
def test_without_a_store_no_run_is_found(shelf: Shelf, verb: str) -> None:
    done = shelf.ask(verb, "Run_1")
    assert done.exit_code == 3
    assert done.stderr.startswith("exlab-sync: Nothing has been queued yet")


def test_every_problem_of_the_configuration_has_a_line_of_its_own(shelf: Shelf) -> None:
    shelf.config.write_text("equipment:\n  - id: lower\n    colour: red\nsink: {}\n")
    done = shelf.ask("config", "check")
    lines = done.stderr.splitlines()
    assert done.exit_code == 7
    assert len(lines) > 2
    assert all(line.startswith(f"exlab-sync: {shelf.config}") for line in lines)
    assert done.stdout == ""


def test_a_right_configuration_is_said_to_be_right(shelf: Shelf) -> None:
    done = shelf.ask("config", "check")
    assert done.exit_code == 0
    assert f"{shelf.config} is right: 1 instrument, cleanup is off" in done.output


def test_config_show_tells_where_each_value_comes_from(shelf: Shelf) -> None:
    rows = {row["key"]: row for row in shelf.ask_json("config", "show")}  # type: ignore[attr-defined]
    assert rows["equipment[0].settle_seconds"] == {
        "key": "equipment[0].settle_seconds",
        "value": "0.05",
        "source": f"{shelf.config}:8",
    }
    assert "sync.rescan_seconds" in shelf.ask("config", "show").output


def test_config_path_as_json_names_the_state_folder_too(shelf: Shelf) -> None:
    assert shelf.ask_json("config", "path") == {
        "config": str(shelf.config),
        "exists": True,
        "state": str(shelf.state),
    }


def test_init_writes_a_configuration_and_never_over_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    first = ask("init", str(path))
    assert first.exit_code == 0
    assert f"exlab-sync --config {path} config check" in first.output
    before = path.read_bytes()
    again = ask("init", str(path))
    assert again.exit_code == 7
    assert "is already there and was left as it is" in again.stderr
    assert path.read_bytes() == before
    assert ask("config", "check", "--config", str(path)).exit_code == 0


def test_init_add_needs_a_terminal_and_takes_no_path(tmp_path: Path) -> None:
    for arguments, sentence in (((), "The assistant needs a terminal"), ((str(tmp_path),), "With --add the config")):
        told = ask("init", "--add", *arguments)
        assert told.exit_code == 2
        assert sentence in told.stderr


def failing(error: BaseException) -> click.Command:
    @click.group(cls=Sentences)
    @place_options
    def group() -> None:
        """A group."""

    @group.command()
    def verb() -> None:
        raise error

    return group


@pytest.mark.parametrize(("error", "code"), [(NotFoundError("No run of that name."), 3), (EngineNeededError(), 12)])
def test_an_error_of_ours_is_one_sentence_and_its_exit_code(error: Exception, code: int) -> None:
    done = CliRunner().invoke(failing(error), ["verb"])
    assert (done.exit_code, done.stderr, done.stdout) == (code, f"exlab-sync: {error}\n", "")


def test_an_error_cannot_drive_the_terminal() -> None:
    done = CliRunner().invoke(failing(NotFoundError("No run \x1b[2Jnamed \udcff.")), ["verb"])
    assert done.stderr == "exlab-sync: No run \\x1b[2Jnamed \\xff.\n"


def test_an_unexpected_error_is_a_sentence_and_a_traceback_only_with_debug(tmp_path: Path) -> None:
    group = failing(ZeroDivisionError("by nothing"))
    done = CliRunner().invoke(group, ["--state", str(tmp_path), "verb"])
    assert done.exit_code == 1
    assert done.stderr == (
        "exlab-sync: unexpected ZeroDivisionError: by nothing; this is a mistake of the program, --debug shows where.\n"
    )
    assert isinstance(CliRunner().invoke(group, ["--debug", "verb"]).exception, ZeroDivisionError)


def test_an_unexpected_error_names_the_log_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "exlab-sync.log").touch()
    done = CliRunner().invoke(failing(ValueError()), ["--state", str(tmp_path), "verb"])
    assert f"unexpected ValueError; this is a mistake of the program, the log {tmp_path}/log" in done.stderr


def test_an_interrupted_verb_ends_as_a_shell_expects() -> None:
    done = CliRunner().invoke(failing(KeyboardInterrupt()), ["verb"])
    assert (done.exit_code, done.stderr) == (130, "exlab-sync: stopped.\n")


@pytest.mark.parametrize("verb", ["overview"])
def test_reading_the_store_needs_no_configuration_schema_no_network_and_no_console(verb: str) -> None:
    code = f"import exlab_sync_tui.cli.{verb}, json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"pydantic", "pydantic_settings", "asyncssh", "ruamel", "textual", "watchfiles"}


def test_the_command_line_itself_loads_little_more_than_click() -> None:
    code = "import exlab_sync_tui.cli, json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"pydantic", "aiosqlite", "sqlite3", "asyncssh", "ruamel", "textual"}
