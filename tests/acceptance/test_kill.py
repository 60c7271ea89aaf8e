"""SIGKILL at random moments of a transfer: every restart goes on, and nothing that had arrived is sent again."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, group_is_gone, kill_after, write_run
from tests.checker import check_kept, check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    from pathlib import Path

Whole = dict[str, tuple[int, int]]


def whole_files(lab: Lab, run: Path) -> Whole:
    """Far files, assembled or published, that already have all their bytes and their time; inode and ctime of each."""
    found: Whole = {}
    incoming = [*list(lab.nas.glob("PLAIN_01/.exlab-incoming/*/run")), lab.nas / lab.place(run)]
    for folder in incoming:
        for far in folder.rglob("*") if folder.is_dir() else ():
            rel = far.relative_to(folder)
            here = run / rel
            if not here.is_file() or not far.is_file():
                continue
            there = far.stat()
            same = (there.st_size, there.st_mtime_ns) == (here.stat().st_size, here.stat().st_mtime_ns)
            if same and digest(far) == digest(here):
                found[str(rel)] = (there.st_ino, there.st_ctime_ns)
    return found


def digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def survive(lab: Lab, run: Path, *, kills: int, longest: float, seed: int) -> int:
    """Kill and restart *kills* times at random moments, then let it end; how many kills met a living program.

    The lab's bandwidth is what keeps a program alive on a fast machine until its kill comes.
    """
    rng = random.Random(seed)
    before = {lab.place(run): snapshot_tree(run)}
    arrived: Whole = {}
    met = 0
    for _ in range(kills):
        process = lab.start("run", "--once")
        met += kill_after(process, rng.uniform(0.15, longest))
        assert group_is_gone(process)
        assert not check_sides({lab.place(run): run}, lab.nas)
        now = whole_files(lab, run)
        assert {rel: now.get(rel) for rel in arrived} == arrived, "a file whose far copy was whole was written again"
        arrived = now
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_kept(before, {lab.place(run): run}, lab.nas)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
    final = whole_files(lab, run)
    assert {rel: final.get(rel) for rel in arrived} == arrived
    return met


@pytest.mark.slow
def test_a_run_survives_kills_at_random_moments(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(mbps=400)
    run = write_run(lab.local / "Run_A", small=1_500, large_mib=96)
    assert survive(lab, run, kills=5, longest=0.9, seed=7) == 5


@pytest.mark.full
def test_a_large_run_survives_twenty_kills(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(mbps=1_600)
    run = write_run(lab.local / "Run_A", small=20_000, large_mib=2_048)
    assert survive(lab, run, kills=20, longest=0.9, seed=11) == 20
