"""A NAS with a new address, or a new box: is only that believed of it which is found there?"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.platform import lock_file
from tests.unit.cli_helpers import Shelf, make_shelf

if TYPE_CHECKING:
    from pathlib import Path

MARKER = ".exlab-destination.json"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Two runs that were delivered to the old NAS; the new one is empty, and configured already."""
    shelf = make_shelf(tmp_path)
    for name in ("Plate_1", "Plate_2"):
        (tmp_path / "plates" / name).mkdir()
        (tmp_path / "plates" / name / "a.csv").write_text(name)
    assert shelf.ask("destination", "adopt", "READER_01", "--local", "--yes").exit_code == 0
    done = shelf.ask("run", "--once")
    assert done.exit_code == 0, done.output
    (tmp_path / "new").mkdir()
    shelf.config.write_text(shelf.config.read_text().replace(f"{tmp_path}/nas", f"{tmp_path}/new"))
    return shelf


def copy(shelf: Shelf, *names: str, marker: bool = False) -> None:
    for name in names:
        shutil.copytree(shelf.root / "nas" / "READER_01" / name, shelf.root / "new" / "READER_01" / name)
    if marker:
        shutil.copy(shelf.root / "nas" / MARKER, shelf.root / "new" / MARKER)


def job(shelf: Shelf, name: str) -> dict[str, Any]:
    shown: Any = shelf.ask_json("show", name)
    found: dict[str, Any] = shown["job"]
    return found


def marker_of(shelf: Shelf) -> str:
    return str(json.loads((shelf.root / "new" / MARKER).read_bytes())["id"])


def test_a_new_box_gets_the_runs_that_are_found_there_and_no_others(shelf: Shelf) -> None:
    before = job(shelf, "Plate_2")
    copy(shelf, "Plate_1")
    done = shelf.ask("destination", "move", "READER_01", "--local", "--yes")
    assert done.exit_code == 10, done.output
    assert "with a new marker" in done.output
    assert "1 run found there; they are proved there again before anything is released here." in done.output
    assert "Plate_2: no receipt of ours is there" in done.output
    found = job(shelf, "Plate_1")
    assert (found["destination_id"], found["verify_passes"]) == (marker_of(shelf), 0)
    assert job(shelf, "Plate_2") == before
    assert "found on" in shelf.ask("show", "Plate_1").output


def test_what_was_found_can_be_verified_on_the_new_box_and_new_runs_go_there(shelf: Shelf) -> None:
    copy(shelf, "Plate_1", "Plate_2")
    assert shelf.ask("destination", "move", "READER_01", "--local", "--yes").exit_code == 0
    done = shelf.ask("verify", "Plate_1")
    assert done.exit_code == 0, done.output
    (shelf.root / "plates" / "Plate_3").mkdir()
    (shelf.root / "plates" / "Plate_3" / "a.csv").write_text("3")
    assert shelf.ask("run", "--once").exit_code == 0
    assert (shelf.root / "new" / "READER_01" / "Plate_3" / "a.csv").read_text() == "3"


def test_a_copied_marker_alone_proves_nothing(shelf: Shelf) -> None:
    copy(shelf, "Plate_1", marker=True)
    done = shelf.ask("destination", "move", "READER_01", "--local", "--yes")
    assert done.exit_code == 10
    assert "with a new marker" not in done.output
    for name in ("Plate_1", "Plate_2"):
        assert job(shelf, name)["verify_passes"] == 0
    assert "looked for on" in shelf.ask("show", "Plate_2").output


@pytest.mark.parametrize(
    ("paper", "sentence"),
    [
        ("receipt.json", "the receipt there is that of another delivery"),
        ("checksums.sha256", "the manifest there is not the one that was proved"),
    ],
)
def test_papers_that_differ_are_not_believed(shelf: Shelf, paper: str, sentence: str) -> None:
    copy(shelf, "Plate_1", "Plate_2")
    cache = shelf.root / "new" / "READER_01"
    shutil.copy(cache / "Plate_1" / ".exlab-wizard" / paper, cache / "Plate_2" / ".exlab-wizard" / paper)
    done = shelf.ask("destination", "move", "READER_01", "--local", "--yes")
    assert done.exit_code == 10
    assert f"Plate_2: {sentence}" in done.output


def test_a_dry_run_looks_and_changes_nothing(shelf: Shelf) -> None:
    before = job(shelf, "Plate_1")
    done = shelf.ask("destination", "move", "READER_01", "--dry-run")
    assert done.exit_code == 1
    assert "has no marker yet, so nothing can be looked at there" in done.output
    copy(shelf, "Plate_1", marker=True)
    done = shelf.ask("destination", "move", "READER_01", "--dry-run")
    assert "READER_01 would go to " in done.output
    assert "1 run found there" in done.output
    assert job(shelf, "Plate_1") == before


def test_an_engine_that_runs_is_not_disturbed(shelf: Shelf) -> None:
    copy(shelf, "Plate_1", "Plate_2", marker=True)
    with lock_file(shelf.state / "engine.lock"):
        assert shelf.ask("destination", "move", "READER_01", "--local", "--yes").exit_code == 5


def test_an_instrument_that_is_unknown_is_named(shelf: Shelf) -> None:
    done = shelf.ask("destination", "move", "OTHER_01", "--yes")
    assert done.exit_code == 3
    assert "there are: READER_01" in done.output
