"""The share is absent, another one, full or read-only: runs wait with a sentence, nothing strays, others go on."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, adopt, arriving, group_is_gone, instrument, wait_for, write_run
from tests.acceptance.shares import Share
from tests.checker import check_sides, snapshot_tree
from tests.checker_store import check_store
from tests.watchdog import descendants

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    MakeShare = Callable[..., Share]

_MIB = 1 << 20


@pytest.fixture
def lab(tmp_path: Path, new_share: MakeShare) -> Lab:
    """Two instruments; that of PLAIN_01 is the one whose share will be in trouble."""
    new_share(mib=64)
    return prepare(Lab(tmp_path))


def prepare(lab: Lab, *, mbps: float | None = None) -> Lab:
    lab.local.mkdir(exist_ok=True)
    others = lab.root / "others"
    for folder in (others / "data", others / "nas"):
        folder.mkdir(parents=True, exist_ok=True)
    for nas in (lab.nas, others / "nas"):
        adopt(nas)
    return lab.configure(
        instrument("PLAIN_01", lab.local, lab.nas, mbps=mbps),
        instrument("PLAIN_02", others / "data", others / "nas"),
    )


def share_of(lab: Lab) -> Share:
    return Share(lab.nas, lab.root / "server of nas")


def waits(lab: Lab, done: subprocess.CompletedProcess[str], kind: str) -> str:
    """It has ended with the code for waiting; the hold's sentence, which it has also said."""
    assert done.returncode == 5, done.stdout + done.stderr
    assert not done.stderr
    holds = json.loads(lab.run("status", "--json").stdout)["holds"]
    assert [(hold["kind"], hold["equipment_id"]) for hold in holds] == [(kind, "PLAIN_01")]
    sentence = str(holds[0]["sentence"])
    assert sentence in " ".join(done.stdout.split())
    return sentence


def verified(lab: Lab, *runs: Path) -> None:
    """One more look brings everything home."""
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    places = {lab.place(run): run for run in runs}
    assert not check_sides(places, lab.nas, expected=list(places), settled=True)
    found = check_store(lab.state / "queue.db", lab.nas, acknowledged=runs)
    assert not [one for one in found if not one.place.startswith("PLAIN_02/")], "these lie on another share"


def other_goes_on(lab: Lab) -> Callable[[], None]:
    """Give the second instrument a run; the result checks that it has arrived."""
    others = lab.root / "others"
    run = write_run(others / "data" / "Run_of_another", small=3)

    def arrived() -> None:
        place = "PLAIN_02/Run_of_another"
        assert not check_sides({place: run}, others / "nas", expected=[place], settled=True)

    return arrived


def test_a_share_that_is_not_mounted_gets_nothing_written_into_its_mount_point(lab: Lab) -> None:
    share, first = share_of(lab), write_run(lab.local / "Run_A", small=5)
    verified(lab, first)
    share.unmount()
    second, arrived = write_run(lab.local / "Run_B", small=5), other_goes_on(lab)
    sentence = waits(lab, lab.run("run", "--once"), "wrong_destination")
    assert "not mounted" in sentence
    assert "nothing was written" in sentence
    assert snapshot_tree(lab.nas) == {}
    arrived()
    share.mount()
    verified(lab, first, second)


def test_a_share_that_was_never_mounted_gets_nothing_either(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(adopted=False)
    write_run(lab.local / "Run_A", small=5)
    assert "not mounted" in waits(lab, lab.run("run", "--once"), "wrong_destination")
    assert snapshot_tree(lab.nas) == {}


def test_a_mount_point_that_is_gone_is_an_absent_destination(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    lab.nas.rename(tmp_path / "elsewhere")
    run = write_run(lab.local / "Run_A", small=5)
    assert "does not answer" in waits(lab, lab.run("run", "--once"), "away")
    assert not lab.nas.exists()
    (tmp_path / "elsewhere").rename(lab.nas)
    verified(lab, run)


@pytest.mark.parametrize("large_mib", [40, 12], ids=["in a large file", "in a batch of small files"])
def test_a_share_that_is_taken_away_in_the_middle_keeps_its_mount_point_empty(lab: Lab, large_mib: int) -> None:
    prepare(lab, mbps=160)
    share, run, arrived = share_of(lab), write_run(lab.local / "Run_A", large_mib=large_mib), other_goes_on(lab)
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 4 * _MIB), process)
    share.unmount()
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 5, told + errors
    assert snapshot_tree(lab.nas) == {}
    arrived()
    assert lab.run("list", "--state", "verified", "--equipment", "PLAIN_01", "--json").stdout.strip() in {"", "[]"}
    share.mount()
    verified(prepare(lab), run)


def test_another_share_at_the_same_place_is_not_touched(lab: Lab, new_share: MakeShare) -> None:
    share, first = share_of(lab), write_run(lab.local / "Run_A", small=5)
    verified(lab, first)
    wrong = new_share("wrong")
    adopt(wrong.path, "5f2a5c3e-0000-4f0a-9c59-2f6f4d1a7e22")
    (wrong.path / "PLAIN_01").mkdir()
    (wrong.path / "PLAIN_01" / "theirs.txt").write_text("not ours")
    before = snapshot_tree(wrong.path)
    share.unmount()
    Share(lab.nas, wrong.server).mount()
    second, arrived = write_run(lab.local / "Run_B", small=5), other_goes_on(lab)
    sentence = waits(lab, lab.run("run", "--once"), "wrong_destination")
    assert "5f2a5c3e-0000-4f0a-9c59-2f6f4d1a7e22" in sentence
    assert "0d1c5a3e-6b53-4f0a-9c59-2f6f4d1a7e11" in sentence
    assert snapshot_tree(lab.nas) == before
    arrived()
    share.unmount()
    share.mount()
    verified(lab, first, second)


def test_a_run_that_cannot_fit_is_not_begun_and_both_figures_are_said(lab: Lab) -> None:
    share, arrived = share_of(lab), other_goes_on(lab)
    share.resize(4)
    run = write_run(lab.local / "Run_A", large_mib=8)
    sentence = waits(lab, lab.run("run", "--once"), "no_space")
    assert "3.9" in sentence or "4.00 MiB" in sentence, sentence
    assert "8.00 MiB" in sentence, sentence
    assert not list(lab.nas.rglob("stack.raw"))
    arrived()
    share.resize(64)
    verified(lab, run)


def test_a_share_that_others_fill_in_the_middle_is_waited_for(lab: Lab) -> None:
    prepare(lab, mbps=64)
    share, arrived = share_of(lab), other_goes_on(lab)
    share.resize(48)
    run = write_run(lab.local / "Run_A", large_mib=40)
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 4 * _MIB), process)
    greedy = share.server / "of another user.bin"
    with pytest.raises(OSError, match="No space"):
        fill(greedy)
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 5, told + errors
    [hold] = json.loads(lab.run("status", "--json").stdout)["holds"]
    assert hold["kind"] == "no_space"
    assert "full" in hold["sentence"]
    arrived()
    greedy.unlink()
    verified(prepare(lab), run)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as greedy:
        while greedy.write(bytes(_MIB)):
            pass


def test_a_read_only_share_is_waited_for(lab: Lab) -> None:
    share, arrived = share_of(lab), other_goes_on(lab)
    run = write_run(lab.local / "Run_A", small=5, large_mib=2)
    share.make(writable=False)
    before = snapshot_tree(lab.nas)
    assert "read-only" in waits(lab, lab.run("run", "--once"), "read_only")
    assert snapshot_tree(lab.nas) == before
    arrived()
    share.make(writable=True)
    verified(lab, run)


def test_a_share_that_turns_read_only_before_publishing_is_waited_for(lab: Lab) -> None:
    """A mount with files open for writing cannot be made read-only, so it happens between two runs of the program."""
    prepare(lab, mbps=64)
    share, run = share_of(lab), write_run(lab.local / "Run_A", small=40, large_mib=40)
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 4 * _MIB), process)
    process.kill()
    process.communicate()
    assert group_is_gone(process)
    share.make(writable=False)
    waits(lab, lab.run("run", "--once"), "read_only")
    share.make(writable=True)
    verified(prepare(lab), run)


def test_a_share_that_hangs_in_the_middle_is_given_up_and_nothing_is_lost(lab: Lab) -> None:
    """Its children stand still, as in a call to a server that does not answer; only they wait, and the engine ends."""
    nas, others = lab.root / "others" / "nas", lab.root / "others" / "data"
    lab.configure(
        instrument("PLAIN_01", lab.local, lab.nas, mbps=64), instrument("PLAIN_02", others, nas), stall_seconds=1
    )
    run, arrived = write_run(lab.local / "Run_A", large_mib=40), other_goes_on(lab)
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 4 * _MIB), process)
    for child in descendants(process.pid):
        os.kill(child, signal.SIGSTOP)
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 5, told + errors
    assert "has not moved a byte for" in told
    assert group_is_gone(process)
    assert not check_sides({lab.place(run): run}, lab.nas)
    arrived()
    why = lab.run("why", "Run_A").stdout
    assert "no attempt was spent" in why, why


def test_a_hold_ends_when_its_destination_is_no_longer_configured(lab: Lab) -> None:
    share_of(lab).unmount()
    run = write_run(lab.local / "Run_A", small=5)
    waits(lab, lab.run("run", "--once"), "wrong_destination")
    elsewhere = lab.root / "another place"
    elsewhere.mkdir()
    adopt(elsewhere)
    lab.configure(instrument("PLAIN_01", lab.local, elsewhere))
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not check_sides({lab.place(run): run}, elsewhere, expected=[lab.place(run)], settled=True)
    assert json.loads(lab.run("status", "--json").stdout)["holds"] == []
