"""The PC's own disk: full, read-only, its store locked or damaged. Said at once, new work stops, nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, write_run
from tests.checker import check_kept, check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.shares import Share
    from tests.checker import Tree

    MakeShare = Callable[..., Share]


def judged(lab: Lab, before: dict[str, Tree], *runs: Path, settled: bool = True) -> list[object]:
    """What the independent judge objects to."""
    places = {lab.place(run): run for run in runs}
    found: list[object] = [*check_sides(places, lab.nas, expected=list(places) if settled else [], settled=settled)]
    found += check_kept(before, places, lab.nas)
    if settled:  # on a full disk nobody can open the store, the judge neither
        found += check_store(lab.state / "queue.db", lab.nas, acknowledged=runs)
    return found


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Everything that it told, in one line; a traceback is no sentence."""
    told = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in told, told
    return told


def test_a_full_disk_is_said_and_goes_on_once_there_is_room(tmp_path: Path, new_share: MakeShare) -> None:
    new_share("state", mib=8)
    lab = Lab(tmp_path).prepare()
    first = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    filler = lab.state / "somebody else's"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4_096)
    second = write_run(lab.local / "Run_B", small=3)
    before = {lab.place(run): snapshot_tree(run) for run in (first, second)}
    full = lab.run("run", "--once")
    assert full.returncode != 0
    assert "full" in said(full) or "No space left" in said(full)
    assert not judged(lab, before, first, second, settled=False)
    filler.unlink()
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not judged(lab, before, first, second)


def test_a_state_folder_that_cannot_be_written_is_said_and_nothing_moves(tmp_path: Path, new_share: MakeShare) -> None:
    share = new_share("state", mib=8)
    lab = Lab(tmp_path).prepare()
    first = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    second = write_run(lab.local / "Run_B", small=3)
    before = {lab.place(run): snapshot_tree(run) for run in (first, second)}
    far = snapshot_tree(lab.nas)
    share.make(writable=False)
    refused = lab.run("run", "--once")
    share.make(writable=True)
    assert refused.returncode != 0
    assert "cannot be written" in said(refused) or "Read-only" in said(refused)
    assert snapshot_tree(lab.nas) == far
    assert lab.run("run", "--once").returncode == 0
    assert not judged(lab, before, first, second)


@pytest.mark.full  # SQLite waits ten seconds for the other program
def test_a_store_that_another_program_holds_is_said(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    before = {lab.place(run): snapshot_tree(run)}
    with closing(sqlite3.connect(lab.state / "queue.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        locked = lab.run("run", "--once")
        other.execute("ROLLBACK")
    assert locked.returncode != 0
    assert "in use by another program" in said(locked)
    assert lab.run("run", "--once").returncode == 0
    assert not judged(lab, before, run)


@pytest.mark.parametrize("records", [True, False])
def test_a_damaged_store_is_set_aside_and_nothing_is_sent_again(tmp_path: Path, *, records: bool) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    before = {lab.place(run): snapshot_tree(run)}
    far = {path: path.stat().st_ino for path in (lab.nas / lab.place(run)).rglob("*") if path.is_file()}
    for end in ("-wal", "-shm"):
        (lab.state / f"queue.db{end}").unlink(missing_ok=True)
    damaged = os.urandom(40_000)
    (lab.state / "queue.db").write_bytes(damaged)
    if not records:
        shutil.rmtree(lab.state / "records")
    verb = lab.run("retry", "Run_A")
    assert verb.returncode == 1
    assert "`exlab-sync run` sets it aside and rebuilds it" in said(verb)
    done = lab.run("run", "--once")
    assert done.returncode == 0, said(done)
    assert "The job store was damaged. It was set aside as" in said(done)
    [aside] = [path for path in lab.state.glob("queue.db.damaged-*") if not path.name.endswith(("-wal", "-shm"))]
    assert aside.read_bytes() == damaged
    assert {path: path.stat().st_ino for path in (lab.nas / lab.place(run)).rglob("*") if path.is_file()} == far
    assert not judged(lab, before, run)
    assert "1 run on the destination, proven" in said(lab.run("status"))
