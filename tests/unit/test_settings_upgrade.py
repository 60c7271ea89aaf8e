"""Does an older configuration become one of today, with its comments and a copy of what it was?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.settings import load_settings
from tests.unit.cli_helpers import Shelf, make_shelf

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = """\
      bandwidth:
        upload_mbps: 200   # agreed with IT
        schedule:
          - {days: [mon], from_: "08:00", to: "18:00"}   # working hours
          - days: [tue]
            from_: "09:00"   # later on Tuesdays
            to: "17:00"
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = make_shelf(tmp_path)
    text = (
        shelf.config.read_text()
        .replace("{type: mount, path: ", "\n      type: mount\n      path: ")
        .replace("}\n", "\n")
    )
    shelf.config.write_text(f"# our lab\n{text}{SCHEDULE}")
    shelf.config.chmod(0o640)
    return shelf


def copies(shelf: Shelf) -> list[Path]:
    return sorted(shelf.root.glob("config.yaml.*.bak"))


def test_old_spellings_are_replaced_and_nothing_else(shelf: Shelf) -> None:
    before = shelf.config.read_text()
    meaning = load_settings(shelf.config, environ={}).settings
    done = shelf.ask("config", "upgrade")
    assert done.exit_code == 0, done.output
    assert "equipment[0].transport.bandwidth.schedule[1]: from_ is written from today" in done.output
    after = shelf.config.read_text()
    assert after == before.replace("from_:", "from:")
    assert load_settings(shelf.config, environ={}).settings == meaning
    (copy,) = copies(shelf)
    assert copy.read_text() == before
    assert (copy.stat().st_mode & 0o777, shelf.config.stat().st_mode & 0o777) == (0o640, 0o640)


def test_a_dry_run_and_a_second_run_write_nothing(shelf: Shelf) -> None:
    before = shelf.config.read_bytes()
    assert "2 changes would be made" in shelf.ask("config", "upgrade", "--dry-run").output
    assert shelf.config.read_bytes() == before
    shelf.ask("config", "upgrade")
    after = shelf.config.read_bytes()
    assert "nothing to do" in shelf.ask("config", "upgrade").output
    assert shelf.config.read_bytes() == after
    assert len(copies(shelf)) == 1


def test_what_is_no_yaml_is_left_alone(shelf: Shelf) -> None:
    shelf.config.write_text("equipment: [")
    done = shelf.ask("config", "upgrade")
    assert done.exit_code == 7
    assert "is no YAML" in done.output
    assert copies(shelf) == []
