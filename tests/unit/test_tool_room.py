"""Is what a killed engine left in the temporary folder taken away, and nothing else?"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.transport.tools.room import Room, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER_ENGINE = """
import sys
from pathlib import Path
from exlab_sync_tui.transport.tools.room import Room
room = Room(Path(sys.argv[1]))
(room.path / "names-1").write_text("a")
(room.path / "put-1").mkdir()
print(room.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OTHER_ENGINE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_the_folder_of_a_killed_engine_goes_and_that_of_a_living_one_stays(
    tmp_path: Path, engine: subprocess.Popen[str]
) -> None:
    assert engine.stdout is not None
    theirs = tmp_path / engine.stdout.readline().strip()
    tidy(tmp_path)
    assert (theirs / "names-1").read_text() == "a"
    engine.kill()
    engine.wait()
    assert theirs.exists()
    ours = Room(tmp_path)
    assert not theirs.exists()
    assert [path.name for path in tmp_path.iterdir()] == [ours.path.name]
    ours.close()
    ours.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_such_a_folder_is_left_alone(tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir()
    (outside / "file").touch()
    (tmp_path / "exlab-room-link").symlink_to(outside)
    (tmp_path / "exlab-room-file").touch()
    (tmp_path / "exlab-sync-demo").mkdir()
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "exlab-room-file",
        "exlab-room-link",
        "exlab-sync-demo",
        "outside",
    ]
    assert (outside / "file").exists()
