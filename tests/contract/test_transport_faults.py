"""Does a mounted share survive what really happens: kills, full and read-only disks, unmounting, a power loss?"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.testing import ManualClock
from exlab_sync_tui.transport.base import MARKER_NAME
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.mount.transport import MountOptions, MountTransport
from tests.contract.transport_lab import FINAL, INCOMING, OWNER, PARENT, RUN, FarOnDisk, Lab, identity, mounted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MIB = 1 << 20
needs_mounts = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None, reason="only root can mount"
)
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def start_victim(*arguments: object, trace: Path | None = None) -> subprocess.Popen[str]:
    tracing = ["strace", "-f", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={TRACED}"] if trace else []
    return subprocess.Popen(
        [*tracing, sys.executable, "-m", "tests.contract.transport_victim", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(victim: subprocess.Popen[str], told: str, amount: int) -> None:
    """Read what the victim tells until *told* has reached *amount*."""
    assert victim.stdout is not None
    for line in victim.stdout:
        name, value = line.split()
        if name == told and int(value) >= amount:
            return
    raise AssertionError("the victim ended before it was killed")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A large file of which each MiB is different, between small ones."""
    source = tmp_path / "Run_1"
    (source / "d").mkdir(parents=True)
    pattern = os.urandom(MIB - 8)
    with (source / "large.raw").open("wb") as file:
        for number in range(96):
            file.write(number.to_bytes(8, "big") + pattern)
    for number in range(300):
        (source / "d" / f"f{number:03}").write_bytes(os.urandom(5_000))
    return source


@pytest.mark.parametrize(("told", "amount"), [("files_done", 1), ("sent_bytes", 20 * MIB), ("sent_bytes", 80 * MIB)])
async def test_a_killed_transfer_goes_on_where_it_was(tmp_path: Path, run_folder: Path, told: str, amount: int) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    victim = start_victim(run_folder, nas, tmp_path / "lease")
    wait_until(victim, told, amount)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    lab = Lab(run_folder, mounted(nas), FarOnDisk(nas))
    await lab.open()
    sent = await lab.send()
    await lab.transport.close()
    total = sum(record.size for record in sent.values())
    assert all(record.proven for record in sent.values())
    assert lab.pulse.skipped_bytes > 0
    assert lab.pulse.sent_bytes + lab.pulse.skipped_bytes == total
    for record in sent.values():
        assert lab.far.read(f"{RUN}/{record.rel}") == (run_folder / record.rel).read_bytes()


def test_children_end_with_the_engine_and_hold_its_lease_until_then(tmp_path: Path, run_folder: Path) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    victim = start_victim(run_folder, nas, tmp_path / "lease")
    wait_until(victim, "sent_bytes", 20 * MIB)
    victim.kill()
    with (tmp_path / "lease").open() as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        before = (nas / RUN / "large.raw").stat().st_size
        victim.communicate()
        assert (nas / RUN / "large.raw").stat().st_size == before


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB of its own."""
    point = tmp_path / "share"
    point.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", point)
    yield point
    subprocess.run(["umount", "-l", str(point)], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
async def lab(tmp_path: Path, share: Path) -> AsyncIterator[Lab]:
    source = tmp_path / "Run_1"
    source.mkdir()
    transport = MountTransport(MountOptions(share), Limiter(None, ManualClock()))
    made = Lab(source, transport, FarOnDisk(share))
    await transport.adopt(identity())
    await made.open()
    yield made
    await transport.close()


@needs_mounts
async def test_a_full_destination_is_named_with_its_figure_and_goes_on_with_room(lab: Lab, share: Path) -> None:
    for number in range(20):
        lab.put(f"f{number:02}", os.urandom(MIB // 2))
    (share / "others").write_bytes(bytes(3 * MIB))
    yielded, error = await lab.send_until_trouble(lab.records())
    assert error.error_kind is TransportErrorKind.NO_SPACE
    assert re.search(r"it is full with .* free", str(error))
    assert all(record.proven for record in yielded)
    (share / "others").unlink()
    for number in range(15, 20):
        (lab.source / f"f{number}").unlink()
    sent = await lab.send()
    assert all(record.proven for record in sent.values())
    assert lab.pulse.skipped_bytes >= MIB


@needs_mounts
async def test_a_read_only_destination_is_said_so(lab: Lab, share: Path) -> None:
    lab.put("a")
    run("mount", "-o", "remount,ro", share)
    _, error = await lab.send_until_trouble(lab.records())
    assert error.error_kind is TransportErrorKind.READ_ONLY
    with pytest.raises(TransportError, match="read-only") as raised:
        await lab.transport.write_text(RUN, "receipt.json", b"{}")
    assert raised.value.error_kind is TransportErrorKind.READ_ONLY


@needs_mounts
async def test_nothing_is_written_into_the_mount_point_of_a_share_that_went_away(lab: Lab, share: Path) -> None:
    for number in range(2_000):
        lab.put(f"d{number % 20}/f{number}", b"data")
    pages = lab.transport.push(lab.plan(lab.records()))
    await anext(pages)
    run("umount", "-l", share)
    async for _ in pages:  # the children still hold the share itself, which takes the rest
        pass
    assert names_in(share) == []
    with pytest.raises(TransportError) as raised:
        await lab.send()
    assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION
    for attempt in (
        lab.transport.open_incoming(INCOMING, OWNER),
        lab.transport.write_text(PARENT, "receipt.json", b"{}"),
        lab.transport.find(FINAL),
    ):
        with pytest.raises(TransportError, match="not mounted") as raised:
            await attempt
        assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION
    assert (await lab.transport.probe()).identity is None
    assert names_in(share) == []


@needs_mounts
async def test_another_share_in_its_place_is_refused(lab: Lab, share: Path) -> None:
    await lab.transport.probe()
    run("mount", "-t", "tmpfs", "tmpfs", share)
    (share / MARKER_NAME).write_text('{"id": "another", "created_at": "2025-01-01T00:00:00Z"}')
    try:
        with pytest.raises(TransportError, match="another destination") as raised:
            await lab.open()
        assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION
        assert names_in(share) == [MARKER_NAME]
    finally:
        run("umount", share)


@needs_mounts
async def test_only_a_mount_point_is_adopted_unless_it_is_local(share: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    refused = MountTransport(MountOptions(plain), Limiter(None, ManualClock()))
    # the system's temporary folder may be a mount of its own
    if not refused.is_mount_point():
        with pytest.raises(TransportError, match="--local") as raised:
            await refused.adopt(identity())
        assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION
        assert names_in(plain) == []
    (share / "below").mkdir()
    below = MountTransport(MountOptions(share / "below"), Limiter(None, ManualClock()))
    assert below.is_mount_point()
    assert await below.adopt(identity()) == identity()


TRACED = "openat,write,pwrite64,writev,fsync,fdatasync,syncfs,rename,renameat,renameat2"


@needs_strace
def test_nothing_is_renamed_before_it_is_flushed_and_its_parent_is_flushed_after(
    tmp_path: Path, run_folder: Path
) -> None:
    nas, trace = tmp_path / "nas", tmp_path / "trace"
    nas.mkdir()
    victim = start_victim(run_folder, nas, tmp_path / "lease", FINAL, trace=trace)
    victim.communicate()
    if victim.returncode != 0 and "PTRACE" in trace.read_text():
        pytest.skip("this system does not allow tracing")
    assert victim.returncode == 0
    run = str(nas / RUN)
    written: dict[str, int] = {}
    flushed: dict[str, int] = {}
    everything = renamed = 0
    for line, call in enumerate(trace.read_text().splitlines()):
        path = match[1] if (match := re.search(r"\(\d+<([^>]*)>", call)) else ""
        if re.search(r" (write|pwrite64|writev)\(", call) and path.startswith(run):
            written[path] = line
        elif re.search(r" f(data)?sync\(", call):
            flushed[path] = line
        elif " syncfs(" in call:
            everything = line
        elif " renameat2(" in call and '"run"' in call:
            renamed = line
    assert len(written) == 301
    assert renamed
    for path, line in written.items():
        assert line < max(flushed.get(path, 0), everything) < renamed
    assert flushed[run] < renamed
    assert flushed[f"{run}/d"] < flushed[run]
    assert flushed[str(nas / PARENT)] > renamed
