"""Files that move under our hands, and far bytes that turn: never a false VERIFIED, and the bytes of now in the end."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, arriving, wait_for, write_run
from tests.acceptance.dying import run_until
from tests.checker import check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MIB = 1 << 20


def grow(file: Path) -> None:
    with file.open("ab") as more:
        more.write(bytes(_MIB))


def shrink(file: Path) -> None:
    os.truncate(file, 5 * _MIB)


def change(file: Path) -> None:
    with file.open("r+b") as same:
        same.seek(100)
        same.write(b"other")


def change_and_turn_back_the_time(file: Path) -> None:
    """Not caught by the time: the inode is another one, as with rsync or a restored file."""
    before = file.stat()
    copy = file.with_name(".copy")
    shutil.copyfile(file, copy)
    change(copy)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.rename(file)


def appear(file: Path) -> None:
    (file.parent / "late.bin").write_bytes(b"late" * 1_000)


def appear_in_a_new_folder(file: Path) -> None:
    (file.parent / "a new folder").mkdir()
    (file.parent / "a new folder" / "late.bin").write_bytes(b"late" * 1_000)


def become_a_link(file: Path) -> None:
    aside = file.parent.parent / "moved aside.raw"
    file.rename(aside)
    file.symlink_to(aside)


def become_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "inside.bin").write_bytes(b"inside")


CHANGES = [
    grow,
    shrink,
    change,
    change_and_turn_back_the_time,
    appear,
    appear_in_a_new_folder,
    become_a_link,
    become_a_folder,
]


def in_the_middle(lab: Lab, run: Path, happen: Callable[[Path], None]) -> tuple[int, str]:
    """Let something happen to the run's large file while it is being sent; how the program ended, and what it said."""
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 2 * _MIB), process)
    happen(run / "stack.raw")
    told, errors = process.communicate(timeout=120)
    assert not errors
    return process.wait(), told


def comes_home(lab: Lab, run: Path, place: str | None = None) -> None:
    """The next look sends what is there now; the judge compares every byte."""
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
    assert (lab.nas / (place or lab.place(run))).is_dir()


@pytest.mark.parametrize(
    ("happen", "large_mib"),
    [*((change, 36) for change in CHANGES), *((change, 12) for change in (grow, shrink, become_a_link))],
    ids=lambda it: f"{it} MiB" if isinstance(it, int) else it.__name__,
)
def test_a_run_that_changes_while_it_is_sent_goes_back_to_acquiring(
    tmp_path: Path, happen: Callable[[Path], None], large_mib: int
) -> None:
    lab = Lab(tmp_path).prepare(mbps=384)
    run = write_run(lab.local / "Run_A", small=20, large_mib=large_mib)
    code, told = in_the_middle(lab, run, happen)
    assert code == 5, told
    assert not (lab.nas / lab.place(run)).exists()
    why = lab.run("why", "Run_A").stdout
    assert "acquiring" in why or "written" in why or "changed" in why, why
    comes_home(lab.prepare(), run)


@pytest.mark.parametrize("large_mib", [12, 36], ids=["small", "large"])
def test_a_file_that_vanishes_while_it_is_sent_fails_its_run(tmp_path: Path, large_mib: int) -> None:
    lab = Lab(tmp_path).prepare(mbps=256)
    run = write_run(lab.local / "Run_A", small=20, large_mib=large_mib)
    code, told = in_the_middle(lab, run, lambda file: file.unlink())
    assert code == 1, told
    assert not (lab.nas / lab.place(run)).exists()
    assert "local_file_vanished" in lab.run("show", "Run_A", "--json").stdout
    write_run(tmp_path / "restored", large_mib=large_mib)
    (tmp_path / "restored" / "stack.raw").rename(run / "stack.raw")
    assert lab.run("retry", "Run_A").returncode == 0
    comes_home(lab.prepare(), run)


def test_a_run_that_is_deleted_while_it_is_sent_fails(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(mbps=256)
    run = write_run(lab.local / "Run_A", small=20, large_mib=12)
    code, told = in_the_middle(lab, run, lambda file: shutil.rmtree(file.parent))
    assert code == 1, told
    assert not (lab.nas / lab.place(run)).exists()
    assert "local_file_vanished" in lab.run("show", "Run_A", "--json").stdout


def test_files_that_are_added_to_a_verified_run_follow_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=5)
    comes_home(lab, run)
    published = snapshot_tree(lab.nas)
    (run / "report" / "deep").mkdir(parents=True)
    (run / "report" / "deep" / "late.csv").write_text("a;b\n")
    comes_home(lab, run)
    assert not check_sides({lab.place(run): run}, lab.nas, published=published, settled=True)
    assert [path.name for path in (lab.nas / "PLAIN_01").iterdir()] == ["Run_A"]


def test_litter_that_appears_later_sends_nothing_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=5)
    comes_home(lab, run)
    published = snapshot_tree(lab.nas)
    (run / "Thumbs.db").write_bytes(b"litter")
    assert lab.run("run", "--once").returncode == 0
    assert snapshot_tree(lab.nas) == published


@pytest.mark.parametrize("happen", ["changed", "gone"])
def test_a_verified_run_that_changes_is_published_beside_the_first(tmp_path: Path, happen: str) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=5)
    comes_home(lab, run)
    first = snapshot_tree(lab.nas / lab.place(run))
    file = run / "tile_0000" / "read_000002.bin"
    if happen == "changed":
        file.write_bytes(b"measured anew")
    else:
        file.unlink()
    comes_home(lab, run, f"{lab.place(run)}__r2")
    assert snapshot_tree(lab.nas / lab.place(run)) == first
    (run / "tile_0000" / "read_000003.bin").write_bytes(b"measured a third time")
    comes_home(lab, run, f"{lab.place(run)}__r3")
    assert snapshot_tree(lab.nas / lab.place(run)) == first


def turn_a_bit(file: Path, place: int = 1_000) -> None:
    """The time stays: nothing but the content tells."""
    before = file.stat()
    with file.open("r+b") as far:
        far.seek(place)
        byte = far.read(1)[0]
        far.seek(place)
        far.write(bytes([byte ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def assembled(lab: Lab, rel: str) -> Path:
    [far] = lab.nas.glob(f"PLAIN_01/.exlab-incoming/*/run/{rel}")
    return far


def test_a_bit_that_turns_in_a_half_sent_file_is_not_built_upon(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(mbps=256)
    run = write_run(lab.local / "Run_A", large_mib=40)
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 2 * _MIB), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    turn_a_bit(assembled(lab, "stack.raw"))
    comes_home(lab.prepare(), run)


def test_a_bit_that_turns_while_a_large_file_is_still_sent_is_found(tmp_path: Path) -> None:
    """The engine and its children stand still meanwhile; what they have read back already cannot turn unseen later."""
    lab = Lab(tmp_path).prepare(mbps=384)
    run = write_run(lab.local / "Run_A", large_mib=40)
    process = lab.start("run", "--once")
    wait_for(arriving(lab.nas, "stack.raw", 2 * _MIB), process)
    os.killpg(process.pid, signal.SIGSTOP)
    far = assembled(lab, "stack.raw")
    turn_a_bit(far, far.stat().st_size - 1)
    os.killpg(process.pid, signal.SIGCONT)
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 0, told + errors
    assert "stack.raw" in told
    assert "differs" in told
    comes_home(lab, run)


def test_a_bit_that_turns_before_publishing_is_sent_again_once_and_then_fails_the_run(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    rel = "tile_0000/read_000001.bin"
    for _ in range(2):
        assert run_until(lab, on="renameat2")[0]
        turn_a_bit(assembled(lab, rel))
    done = lab.run("run", "--once")
    assert done.returncode == 10, done.stdout + done.stderr
    assert rel in done.stdout
    assert not (lab.nas / lab.place(run)).exists()
    assert '"hash_mismatch: ' in lab.run("show", "Run_A", "--json").stdout
    assert lab.run("retry", "Run_A").returncode == 0
    comes_home(lab, run)


def test_a_bit_that_turned_once_before_publishing_is_mended_by_sending_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert run_until(lab, on="renameat2")[0]
    turn_a_bit(assembled(lab, "tile_0000/read_000001.bin"))
    comes_home(lab, run)
    assert "read_000001.bin" in lab.run("show", "Run_A").stdout, "the history names the file that was sent again"


def test_a_file_that_is_lost_before_publishing_is_sent_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert run_until(lab, on="renameat2")[0]
    assembled(lab, "tile_0000/read_000001.bin").unlink()
    comes_home(lab, run)
