"""Cleanup over a real SSH server: the NAS hashes, tells its time, and what it has is repaired without overwriting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, write_run
from tests.acceptance.cleanup_bench import NOW
from tests.acceptance.test_sftp import sftp_lab
from tests.checker import check_kept, check_sides, snapshot_tree
from tests.checker_store import check_store
from tests.sshd import Sshd, needs_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_sshd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        yield server


def succeeds(lab: Lab, *words: str) -> str:
    done = lab.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_run_is_released_on_hashes_that_the_nas_computed(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=120, large_mib=3)
    before = {lab.place(run): snapshot_tree(run)}
    succeeds(lab, "run", "--once")
    lab.set("nas_cleanup", **NOW)
    assert "local copy deleted: 123 files" in succeeds(lab, "run", "--once")
    assert list(run.iterdir()) == []
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_kept(before, {lab.place(run): run}, lab.nas, released=[lab.place(run)])
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])


def test_a_bit_that_turns_on_the_nas_keeps_the_local_copy_and_is_repaired_from_it(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=5)
    succeeds(lab, "run", "--once")
    far = lab.nas / lab.place(run) / "tile_0000" / "read_000003.bin"
    good = far.read_bytes()
    far.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    lab.set("nas_cleanup", **NOW)
    failed = lab.run("run", "--once")
    assert failed.returncode == 10, failed.stdout + failed.stderr
    assert "read_000003.bin" in failed.stdout
    assert len(list(run.rglob("*.bin"))) == 5
    lab.set("nas_cleanup", enabled=False)
    succeeds(lab, "resolve", "Run_A", "repair")
    succeeds(lab, "run", "--once")
    assert far.read_bytes() == good
    [aside] = lab.nas.glob("PLAIN_01/.exlab-incoming/damaged-*/tile_0000/read_000003.bin")
    assert aside.read_bytes() != good
    [known] = json.loads(succeeds(lab, "list", "--json"))
    assert known["state"] == "verified"
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)])


def test_a_server_that_is_gone_releases_nothing(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=3)
    succeeds(lab, "run", "--once")
    before = snapshot_tree(run)
    lab.set("nas_cleanup", **NOW)
    server.stop()
    lab.run("run", "--once")
    held = lab.run("cleanup", "--dry-run", "--json")
    [seen] = json.loads(held.stdout)
    assert seen["interlock"] == "destination"
    assert snapshot_tree(run) == before
    server.resume()
    succeeds(lab, "run", "--once")
    assert list(run.iterdir()) == []
