"""Who may drive what? One engine per state folder, one store per instrument folder, one run per folder."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.acceptance.bench_lab import Lab, instrument, wait_for, write_run
from tests.checker import check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_engine_on_the_same_state_folder_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    first = lab.start("run")
    wait_for((lab.nas / lab.place(run)).exists, first)
    second = lab.run("run", "--once")
    assert second.returncode == 5, second.stdout + second.stderr
    assert f"process {first.pid}" in second.stderr
    assert "status" in second.stderr
    assert second.stdout == ""
    first.send_signal(signal.SIGTERM)
    told, errors = first.communicate(timeout=120)
    assert first.returncode == 0, told + errors
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])


def test_a_second_store_is_refused_the_instruments_folder(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    before = snapshot_tree(lab.nas)
    later = write_run(lab.local / "Run_B", small=3)
    words = [*lab.command("run", "--once")]
    words[words.index("--state") + 1] = str(tmp_path / "another state")
    other = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert other.returncode == 1, other.stdout + other.stderr
    assert "already belongs to the store" in " ".join(other.stdout.split())
    assert snapshot_tree(lab.nas) == before
    assert lab.run("run", "--once").returncode == 0
    places = {lab.place(one): one for one in (run, later)}
    assert not check_sides(places, lab.nas, expected=list(places), settled=True)


def test_two_instruments_never_own_the_same_folder(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    alias = tmp_path / "alias of data"
    alias.symlink_to(lab.local)
    lab.configure(instrument("PLAIN_01", lab.local, lab.nas), instrument("PLAIN_02", alias, lab.nas))
    done = lab.run("run", "--once")
    assert done.returncode == 1, done.stdout + done.stderr
    [hold] = json.loads(lab.run("status", "--json").stdout)["holds"]
    assert (hold["kind"], hold["equipment_id"]) == ("conflict", "PLAIN_02")
    assert "only PLAIN_01 takes its runs" in hold["sentence"]
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    lab.configure(instrument("PLAIN_01", lab.local, lab.nas))
    assert lab.run("run", "--once").returncode == 0


def test_alias_paths_of_a_run_are_one_run(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    alias = tmp_path / "alias of data"
    alias.symlink_to(lab.local)
    ways = [run, alias / "Run_A", lab.local / "." / ".." / "data" / "Run_A"]
    for way in ways:
        done = lab.run("enqueue", str(way))
        assert done.returncode in {0, 5}, done.stdout + done.stderr
    assert lab.run("run", "--once").returncode == 0
    jobs = json.loads(lab.run("list", "--json").stdout)
    assert len(jobs) == 1
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=ways)
    for way in ways:
        assert "is safe" in lab.run("why", str(way)).stdout


def test_a_config_that_reaches_the_folder_by_an_alias_knows_its_runs(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    published = snapshot_tree(lab.nas)
    alias = tmp_path / "alias of data"
    alias.symlink_to(lab.local)
    lab.configure(instrument("PLAIN_01", alias, lab.nas))
    assert lab.run("run", "--once").returncode == 0
    assert snapshot_tree(lab.nas) == published
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
