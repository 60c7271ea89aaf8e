"""Does the shell learn what can be typed, and does `--help` teach it?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from exlab_sync_tui.cli.app import app
from tests.unit.cli_helpers import Shelf, fill, make_shelf

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = make_shelf(tmp_path)
    fill(shelf)
    return shelf


def completed(shelf: Shelf, *words: str) -> list[str]:
    """What the real program offers for the last of *words*."""
    line = ["exlab-sync", *shelf.options, *words]
    environ = {
        **os.environ,
        "_EXLAB_SYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "exlab_sync_tui"], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return [item.partition(",")[2] for item in done.stdout.splitlines() if item]


def test_verbs_instruments_and_runs_are_offered(shelf: Shelf) -> None:
    assert completed(shelf, "stat") == ["status"]
    assert completed(shelf, "pause", "R") == ["READER_01"]
    assert completed(shelf, "show", "fa") == ["failed"]


def test_where_nothing_can_be_read_nothing_is_offered_and_nothing_said(tmp_path: Path) -> None:
    nowhere = Shelf(tmp_path)
    assert completed(nowhere, "show", "fa") == []
    assert completed(nowhere, "pause", "R") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(shelf: Shelf, shell: str) -> None:
    done = shelf.ask("completion", shell)
    assert done.exit_code == 0
    assert "_EXLAB_SYNC_COMPLETE" in done.output
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=done.output, text=True, check=False).returncode == 0


def commands(command: click.Command, context: click.Context, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path.strip(), command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, click.Context(inner, parent=context, info_name=name), f"{path} {name}")


EVERY = dict(commands(app, click.Context(app, info_name="exlab-sync")))


@pytest.mark.parametrize("name", EVERY)
def test_help_says_what_a_verb_does_and_shows_how(name: str) -> None:
    command = EVERY[name]
    assert (command.help or "").strip()
    assert "Example" in (command.epilog or "")
    assert f"exlab-sync {name}".strip() in (command.epilog or "")
    undocumented = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
    assert undocumented == []


def test_the_readme_names_every_verb() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    reference = readme.partition("### Verbs")[2].partition("\n### ")[0]
    missing = [name for name in EVERY if name and " " not in name and f"`{name}" not in reference]
    assert missing == []
