"""What can be asked about local copies and conflicts, from the command line, where no engine runs."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli_helpers import Shelf, make_shelf
from tests.unit.test_cli_actions import adopt, far, send, state_of, write_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = make_shelf(tmp_path)
    adopt(made)
    return made


def cleans(shelf: Shelf, *, hours: float = 0) -> None:
    """Turn cleanup on: one pass, so many hours."""
    with shelf.config.open("a") as config:
        config.write(f"nas_cleanup: {{min_verify_passes: 1, min_age_hours: {hours}}}\n")


def test_a_dry_run_says_what_would_go_and_what_holds_the_others_and_changes_nothing(shelf: Shelf) -> None:
    run = write_run(shelf, "plate_1")
    send(shelf)
    off = shelf.ask("cleanup", "--dry-run")
    assert off.exit_code == 0
    assert "0 local copies, 0 B, would go; 1 held." in off.output
    assert "cleanup is off" in " ".join(off.output.split())
    assert "Cleanup is off: the configuration has no nas_cleanup block" in shelf.ask("status").output
    cleans(shelf, hours=24)
    held = json.loads(shelf.ask("cleanup", "--dry-run", "--json", "plate_1").stdout)
    assert [(one["run_path"], one["interlock"], one["files"], one["size"]) for one in held] == [(run, "min_age", 2, 10)]
    assert held[0]["until"].endswith("Z")
    early = shelf.ask("cleanup", "plate_1")
    assert early.exit_code == 5
    assert "plate_1 stays: it was verified less than 1 d ago, until" in early.output
    assert sorted(path.name for path in (shelf.root / "plates" / "plate_1").iterdir()) == ["a.csv", "b.csv"]


def test_json_is_for_the_dry_run(shelf: Shelf) -> None:
    assert shelf.ask("cleanup", "--json").exit_code == 2


def test_cleanup_deletes_what_may_go_and_a_kept_run_stays(shelf: Shelf) -> None:
    run, kept = write_run(shelf, "plate_1"), write_run(shelf, "plate_2")
    send(shelf)
    assert "stays until" in shelf.ask("keep-local", "plate_2").output
    cleans(shelf)
    done = shelf.ask("cleanup")
    assert done.exit_code == 0
    assert "1 local copy deleted, 1 held" in done.output
    assert list((shelf.root / "plates" / "plate_1").iterdir()) == []
    assert (state_of(shelf, run), state_of(shelf, kept)) == ("cleaned", "cleanup_eligible")
    assert "may go once its proof" in shelf.ask("keep-local", "--undo", "plate_2").output
    assert "was deleted: 10 B" in shelf.ask("cleanup", "plate_2").output
    assert far(shelf, "plate_2").is_dir()


def test_forget_needs_a_reason_and_a_folder_that_is_gone(shelf: Shelf) -> None:
    run = write_run(shelf, "plate_1")
    send(shelf)
    assert shelf.ask("forget", "plate_1").exit_code == 2
    still = shelf.ask("forget", "plate_1", "--reason", "a test")
    assert still.exit_code == 1
    assert "is still there" in still.stderr
    shutil.rmtree(run)
    assert shelf.ask("forget", "plate_1", "--reason", "a test").exit_code == 0
    assert shelf.ask("forget", "plate_1", "--reason", "a test").exit_code == 3
    assert (far(shelf, "plate_1") / "a.csv").is_file()


def test_resolve_publishes_beside_or_adopts(shelf: Shelf) -> None:
    for name, content in (("plate_1", "another"), ("plate_2", "a.csv")):
        far(shelf, name).mkdir(parents=True)
        (far(shelf, name) / "a.csv").write_text(content)
        write_run(shelf, name, "a.csv")
    send(shelf, code=1)
    beside = shelf.ask("resolve", "plate_1", "beside")
    assert beside.exit_code == 0
    assert "No engine is running, so nothing moves yet" in beside.output
    assert shelf.ask("resolve", "plate_2", "adopt").exit_code == 0
    send(shelf)
    assert (far(shelf, "plate_1") / "a.csv").read_text() == "another"
    [published] = (shelf.root / "nas" / "READER_01").glob("plate_1__conflict-*")
    assert (published / "a.csv").read_text() == "a.csv"
    assert (far(shelf, "plate_2") / ".exlab-wizard" / "receipt.json").is_file()
    assert shelf.ask("resolve", "plate_2", "adopt").exit_code == 1
    assert shelf.ask("resolve", "plate_2", "sideways").exit_code == 2


def test_repair_moves_the_damaged_file_aside_and_sends_it_again(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    send(shelf)
    (far(shelf, "plate_1") / "a.csv").write_text("A.csv")
    found = shelf.ask("retry", "plate_1")
    assert found.exit_code == 10
    assert shelf.ask("resolve", "plate_1", "repair").exit_code == 0
    send(shelf)
    assert (far(shelf, "plate_1") / "a.csv").read_text() == "a.csv"
    [aside] = (shelf.root / "nas" / "READER_01" / ".exlab-incoming").glob("damaged-*/a.csv")
    assert aside.read_text() == "A.csv"
    assert state_of(shelf, "plate_1") == "verified"
