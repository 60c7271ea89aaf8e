"""What happens to a run when a tool is killed or stands still, the disk is full, or the server refuses us?"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, adopt, instrument, kill_after, wait_for, write_exlab_run
from tests.acceptance.far_ends import FAR_ENDS, FarEnd
from tests.acceptance.test_tools import assert_arrived, lab_for
from tests.checker_store import check_store
from tests.sshd import make_key
from tests.watchdog import descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.acceptance.shares import Share

    Opener = Callable[[str], AbstractContextManager[FarEnd]]

MIB = 1 << 20
QUICK = {"rclone-local", "rsync-shell"}


def _ends(*names: str, quick: frozenset[str] = frozenset(QUICK)) -> list[object]:
    return [pytest.param(name, marks=() if name in quick else pytest.mark.full) for name in names]


every_end = pytest.mark.parametrize("end", _ends(*FAR_ENDS))
every_server = pytest.mark.parametrize(
    "end",
    _ends("rclone-sftp", "rsync-shell", "rsync-restricted", quick=frozenset({"rclone-sftp", "rsync-shell"})),
)


@pytest.fixture
def opened(end: str, tmp_path: Path) -> Iterator[FarEnd]:
    nas = tmp_path / "nas"
    nas.mkdir()
    with FAR_ENDS[end](tmp_path, nas) as far:
        yield far


def adopted(far: FarEnd, folder: Path, **sync: object) -> Lab:
    lab = lab_for(far, folder, **sync)
    far.root.mkdir(exist_ok=True)
    adopt(far.root)
    return lab


def slowly(far: FarEnd, mbps: float | None) -> FarEnd:
    """The same destination with a cap, so that there is a middle of the transfer."""
    far.block["bandwidth"] = {"upload_mbps": mbps}
    return far


def verified(lab: Lab, far: FarEnd, run: Path) -> None:
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_arrived(far, run)
    assert not check_store(lab.state / "queue.db", far.root, acknowledged=[run])


def begun(far: FarEnd, size: int) -> Callable[[], bool]:
    """Whether so much of the large file lies somewhere in an assembly, under whatever name the tool gives it."""

    def look() -> bool:
        for found in far.nas.rglob("*stack.raw*"):
            try:
                if found.stat().st_size >= size:
                    return True
            except FileNotFoundError:
                continue
        return False

    return look


def tools_of(pid: int) -> list[int]:
    """The processes of the tools that the program has started."""
    found = []
    for child in descendants(pid):
        try:
            with open(f"/proc/{child}/comm") as file:  # noqa: PTH123
                if file.read().strip() in {"rclone", "rsync", "ssh"}:
                    found.append(child)
        except OSError:
            continue
    return found


@every_end
def test_the_program_is_killed_in_the_middle_and_the_next_one_goes_on(opened: FarEnd, tmp_path: Path) -> None:
    lab = adopted(slowly(opened, 32), tmp_path)
    run = write_exlab_run(lab.local, "Run_1", small=20, large_mib=24)
    process = lab.start("run", "--once")
    wait_for(begun(opened, 2 * MIB), process)
    tools = tools_of(process.pid)
    assert tools
    assert kill_after(process, 0)
    slowly(opened, None)
    lab_for_again(lab, opened)
    verified(lab, opened, run)
    assert not still_running(tools)


def still_running(pids: list[int]) -> list[int]:
    """Those that have not ended; one that nobody has waited for yet has."""
    found = []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
                if file.read().rpartition(")")[2].split()[0] not in "ZX":
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def lab_for_again(lab: Lab, far: FarEnd) -> None:
    """The config with the destination as it is now."""
    lab.configure(instrument("EXLAB_01", lab.local, lab.nas, layout="exlab") | {"transport": far.block})


@every_end
def test_a_tool_that_is_killed_is_a_failure_that_passes(opened: FarEnd, tmp_path: Path) -> None:
    lab = adopted(slowly(opened, 32), tmp_path)
    run = write_exlab_run(lab.local, "Run_1", large_mib=24)
    process = lab.start("run", "--once")
    wait_for(begun(opened, 2 * MIB), process)
    assert [pid for pid in tools_of(process.pid) if is_sent(signal.SIGKILL, pid)]
    told, errors = process.communicate(timeout=120)
    assert process.wait() == 5, told + errors
    it_waits_and_is_verified(lab, opened, run)


def is_sent(number: signal.Signals, pid: int) -> bool:
    """Whether it was there to get the signal: a tool that only asks something has ended in a moment."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def it_waits_and_is_verified(lab: Lab, far: FarEnd, run: Path) -> None:
    """The run is tried again later; nothing is published until then."""
    [job] = json.loads(lab.run("list", "--json").stdout)
    assert job["state"] == "queued"
    assert not (far.root / f"EXLAB_01/Kelp/Runs/{run.name}").exists()
    its_time_has_come(lab)
    slowly(far, None)
    lab_for_again(lab, far)
    verified(lab, far, run)


def its_time_has_come(lab: Lab) -> None:
    """The store as it is half a minute later, in which nobody was at work: what waited for a moment is due."""
    with closing(sqlite3.connect(lab.state / "queue.db")) as store, store:
        due = "next_attempt_at = '2025-01-01T00:00:00Z', due_us = 0"
        assert store.execute(f"UPDATE jobs SET {due} WHERE due_us IS NOT NULL").rowcount == 1  # noqa: S608


@every_end
def test_a_tool_that_stands_still_is_ended_and_counts_as_network(opened: FarEnd, tmp_path: Path) -> None:
    lab = adopted(slowly(opened, 32), tmp_path, stall_seconds=5)
    run = write_exlab_run(lab.local, "Run_1", large_mib=24)
    process = lab.start("run", "--once")
    wait_for(begun(opened, 2 * MIB), process)
    stopped = [pid for pid in tools_of(process.pid) if is_sent(signal.SIGSTOP, pid)]
    assert stopped
    told, errors = process.communicate(timeout=200)
    assert process.wait() == 5, told + errors
    assert "has not moved a byte" in " ".join(told.split()), told
    assert not still_running(stopped)
    it_waits_and_is_verified(lab, opened, run)


@pytest.mark.parametrize(
    "end",
    _ends("rclone-local", "rclone-sftp", "rsync-shell", "rsync-restricted", quick=frozenset({"rsync-restricted"})),
)
def test_a_full_disk_is_said_and_the_run_goes_on_with_room(
    end: str, tmp_path: Path, new_share: Callable[..., Share]
) -> None:
    share = new_share(mib=16)
    with FAR_ENDS[end](tmp_path, share.path) as far:
        lab = adopted(far, tmp_path)
        run = write_exlab_run(lab.local, "Run_1", small=5, large_mib=24)
        done = lab.run("run", "--once")
        assert done.returncode == 5, done.stdout + done.stderr
        assert "no_space" in lab.run("status", "--json").stdout
        share.resize(64)
        verified(lab, far, run)


@every_server
def test_another_host_key_holds_the_destination_and_nothing_is_sent(opened: FarEnd, tmp_path: Path) -> None:
    lab = adopted(opened, tmp_path)
    run = write_exlab_run(lab.local, "Run_1", small=3)
    server = opened.server
    assert server is not None
    server.renew_host_key()
    done = lab.run("run", "--once")
    assert done.returncode == 1, done.stdout + done.stderr
    assert '"auth"' in lab.run("status", "--json").stdout
    assert not (opened.root / "EXLAB_01").exists()
    server.write_known_hosts()
    verified(lab, opened, run)


@every_server
def test_a_key_that_is_not_let_in_holds_the_destination(opened: FarEnd, tmp_path: Path) -> None:
    lab = adopted(opened, tmp_path)
    run = write_exlab_run(lab.local, "Run_1", small=3)
    server = opened.server
    assert server is not None
    kept = server.authorized_keys.read_text()
    make_key(tmp_path / "other")
    server.authorized_keys.write_text((tmp_path / "other.pub").read_text())
    done = lab.run("run", "--once")
    assert done.returncode == 1, done.stdout + done.stderr
    assert '"auth"' in lab.run("status", "--json").stdout
    assert not (opened.root / "EXLAB_01").exists()
    server.authorized_keys.write_text(kept)
    verified(lab, opened, run)
