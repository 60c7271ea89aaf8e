"""Does each part load only what it needs? Fresh interpreters tell what they have imported."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSOLE_ONLY = frozenset({"textual", "rich"})
LOWER_ROOMS = ("watch", "gate", "queue", "transport", "verify", "provenance", "tree", "model")
UPPER_ROOMS = ("cli", "headless", "engine", "demo", "testing")
WHOLE_ROOM = """
import importlib, pkgutil
room = importlib.import_module("{room}")
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def loaded_by(code: str) -> set[str]:
    """The names in ``sys.modules`` of a new interpreter after *code*."""
    script = f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", ["exlab_sync_tui", "exlab_sync_tui.cli", "exlab_sync_tui.engine"])
def test_nobody_pays_for_the_console_who_does_not_open_it(module: str) -> None:
    assert not packages(loaded_by(f"import {module}")) & CONSOLE_ONLY


@pytest.mark.parametrize("room", [*UPPER_ROOMS, *LOWER_ROOMS])
def test_no_module_outside_the_console_knows_textual(room: str) -> None:
    assert not packages(loaded_by(WHOLE_ROOM.format(room=f"exlab_sync_tui.{room}"))) & CONSOLE_ONLY


@pytest.mark.parametrize("room", LOWER_ROOMS)
def test_no_room_below_the_engine_reads_settings(room: str) -> None:
    loaded = loaded_by(WHOLE_ROOM.format(room=f"exlab_sync_tui.{room}"))
    assert not packages(loaded) & {"pydantic_settings"}
    assert "exlab_sync_tui.settings" not in loaded


@pytest.mark.parametrize(
    "module", ["cli.app", "cli.overview", "engine.assembly", "transport.sftp.transport", "transport.ssh.stream"]
)
def test_asyncssh_is_loaded_with_the_first_connection_and_not_before(module: str) -> None:
    assert "asyncssh" not in packages(loaded_by(f"import exlab_sync_tui.{module}"))


def test_the_package_itself_loads_no_module_of_ours() -> None:
    assert not {name for name in loaded_by("import exlab_sync_tui") if name.startswith("exlab_sync_tui.")}


def test_the_stores_protocol_needs_no_database() -> None:
    loaded = packages(loaded_by("import exlab_sync_tui.queue.store"))
    assert not loaded & {"aiosqlite", "sqlite3", "pydantic"}


def test_the_child_that_copies_starts_with_the_standard_library_alone() -> None:
    loaded = packages(loaded_by("import exlab_sync_tui.transport.copier.process"))
    assert not loaded & {"asyncio", "pydantic", "aiosqlite", "asyncssh", "click", "ruamel"}


def test_rooms_are_entered_in_one_direction() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_by(path: Path) -> set[str]:
    """The modules of ours that a module names in its imports, those for its types included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("exlab_sync_tui")
    }


def test_no_modules_import_each_other_in_a_circle_not_even_for_types() -> None:
    package = ROOT / "exlab_sync_tui"
    names = {".".join(path.relative_to(package.parent).with_suffix("").parts): path for path in package.rglob("*.py")}
    sorter = graphlib.TopologicalSorter({name: imported_by(path) & names.keys() for name, path in names.items()})
    sorter.prepare()  # raises CycleError, which names the circle
