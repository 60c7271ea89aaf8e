"""Do the tools obey a limit that changes under way, keep secrets to themselves, and let go of what they do not need?"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.transport.base import Pulse
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.rclone.daemon import Daemon
from exlab_sync_tui.transport.rclone.names import on_local_disk, plain, standard
from exlab_sync_tui.transport.tools.rest import Rest
from tests.contract.labs.rclone import rclone_at, sftp_remote
from tests.contract.labs.rsync import rsync_at
from tests.contract.transport_lab import RUN, FarOnDisk, Lab, identity
from tests.sshd import Sshd
from tests.watchdog import descendants

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIB = 1 << 20
needs_rclone = pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed")


class Rate:
    """A limit in KiB/s that a test changes."""

    def __init__(self) -> None:
        self.now: int | None = 512
        self.limiter = Limiter(lambda: self.now, SystemClock())


class WatchedPulse(Pulse):
    """Tells when the first bytes have moved."""

    __slots__ = ("_moved",)

    def __init__(self, moved: asyncio.Event) -> None:
        self._moved = moved
        super().__init__()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "sent_bytes" and value:
            self._moved.set()


@pytest.fixture(params=["rclone", "rsync"])
async def limited(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Lab, Rate]]:
    source, nas, rate = tmp_path / "Run_1", tmp_path / "nas", Rate()
    source.mkdir()
    nas.mkdir()
    with Sshd(tmp_path / "sshd") as server:
        if request.param == "rclone":
            lab = Lab(source, rclone_at(tmp_path, str(nas), "type = local", limiter=rate.limiter), FarOnDisk(nas))
        else:
            lab = Lab(source, rsync_at(server, str(nas), limiter=rate.limiter), FarOnDisk(nas))
        await lab.transport.adopt(identity())
        await lab.open()
        try:
            yield lab, rate
        finally:
            await lab.transport.close()


async def test_a_limit_that_ends_lets_a_running_transfer_go_and_nothing_is_lost(limited: tuple[Lab, Rate]) -> None:
    lab, rate = limited
    lab.put("large.raw", os.urandom(24 * MIB))  # 48 seconds under the limit
    lab.put("small.raw", b"small")

    moved = asyncio.Event()
    lab.pulse = WatchedPulse(moved)

    async def end_it_under_way() -> None:
        await moved.wait()
        assert lab.pulse.sent_bytes < 24 * MIB
        rate.now = None

    watching = asyncio.create_task(end_it_under_way())
    async with asyncio.timeout(40):
        sent = [record async for page in lab.transport.push(lab.plan(lab.records())) for record in page]
    await watching
    assert len(sent) == 2
    assert all(record.proven for record in sent)
    assert lab.pulse.sent_bytes == 24 * MIB + 5
    assert lab.far.read(f"{RUN}/large.raw") == (lab.source / "large.raw").read_bytes()


@needs_rclone
async def test_a_file_that_may_not_be_downloaded_is_oversize_before_a_byte_of_it_moves(tmp_path: Path) -> None:
    source, nas = tmp_path / "Run_1", tmp_path / "nas"
    source.mkdir()
    nas.mkdir()
    with Sshd(tmp_path / "sshd") as server:
        transport = rclone_at(tmp_path, str(nas), *sftp_remote(server), max_stream_bytes=1_000)
        lab = Lab(source, transport, FarOnDisk(nas))
        try:
            await transport.adopt(identity())
            await lab.open()
            lab.put("large.raw", bytes(1_001))
            with pytest.raises(TransportError, match="max_stream_bytes") as raised:
                await lab.send()
            assert raised.value.error_kind is TransportErrorKind.OVERSIZE
            assert not lab.far.has(f"{RUN}/large.raw")
        finally:
            await transport.close()


def told_to_rclone() -> list[tuple[bytes, bytes]]:
    """The argument list of our rclone, and the password of its remote control, which is in its environment."""
    found = []
    for process in (Path(f"/proc/{pid}") for pid in descendants(os.getpid())):
        words = (process / "cmdline").read_bytes()
        if b"\0rcd\0" in words:
            pairs = dict(pair.partition(b"=")[::2] for pair in (process / "environ").read_bytes().split(b"\0"))
            found.append((words, pairs[b"RCLONE_RC_PASS"]))
    return found


@needs_rclone
async def test_no_secret_is_in_an_argument_list_and_the_config_is_not_touched(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    transport = rclone_at(tmp_path, str(nas), "type = local", "pass = hidden-secret")
    config = tmp_path / "rclone.conf"
    before = (config.read_bytes(), config.stat().st_mtime_ns)
    try:
        await transport.adopt(identity())
        [(words, password)] = told_to_rclone()
        assert len(password) > 30
        assert b"hidden-secret" not in words
        assert password not in words
        assert (config.read_bytes(), config.stat().st_mtime_ns) == before
    finally:
        await transport.close()


@needs_rclone
async def test_a_rename_whose_answer_is_lost_is_no_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies there then is ours: the next turn finds its receipt."""
    nas = tmp_path / "nas"
    nas.mkdir()
    transport = rclone_at(tmp_path, str(nas), "type = local")
    lab = Lab(tmp_path / "Run_1", transport, FarOnDisk(nas))
    lab.source.mkdir()
    lab.put("a.raw", b"data")
    final = f"{RUN.partition('/.exlab-incoming')[0]}/Run_1"
    call = Daemon.call

    async def lose_the_answer(daemon: Daemon, command: str, **values: object) -> object:
        answer = await call(daemon, command, **values)
        if command == "sync/move":
            raise TransportError("the line was cut", TransportErrorKind.NETWORK)
        return answer

    try:
        await transport.adopt(identity())
        await lab.send()
        monkeypatch.setattr(Daemon, "call", lose_the_answer)
        with pytest.raises(TransportError) as raised:
            await transport.publish(RUN, final)
        assert raised.value.error_kind is TransportErrorKind.NETWORK
        assert lab.far.read(f"{final}/a.raw") == b"data"
    finally:
        await transport.close()


async def test_what_nobody_asks_for_is_let_go_of_once() -> None:
    gone: list[str] = []
    told = asyncio.Event()

    async def let_go() -> None:
        gone.append("gone")
        told.set()

    rest = Rest(let_go, seconds=0.01)
    async with rest.working(), rest.working():
        assert not gone
    await told.wait()
    async with rest.working():
        pass
    await rest.end()
    assert gone == ["gone"]


@needs_rclone
def test_every_name_is_what_rclone_calls_it(tmp_path: Path) -> None:
    """rclone lists a folder of names; ours of each of them is the same, there and back, and so is the one on disk."""
    source, far = tmp_path / "source", tmp_path / "far"
    source.mkdir()
    far.mkdir()
    signs = [
        chr(code) for code in (*range(1, 0x80), *range(0xA0, 0x180), *range(0x2401, 0x2428), *range(0xFF01, 0xFF20))
    ]
    names = {f"a{sign}b" for sign in signs if sign != "/"} | {sign * 2 for sign in signs if sign not in "/."}
    names |= {os.fsdecode(b"x" + bytes([code]) + b"y") for code in range(0x80, 0x100)}
    for name in names:
        (source / name).touch()
    here = f":local,encoding=None:{source}"
    listed = subprocess.run(["rclone", "--config", os.devnull, "lsf", here], capture_output=True, check=True).stdout
    called = os.fsdecode(listed).split("\n")[:-1]
    assert sorted(called) == sorted(map(standard, names))
    assert {plain(name) for name in called} == names
    copy = ["rclone", "--config", os.devnull, "copy", "--no-unicode-normalization", here, str(far)]
    subprocess.run(copy, capture_output=True, check=True)
    assert set(os.listdir(far)) == set(map(on_local_disk, names))  # noqa: PTH208  # names of any bytes


@pytest.mark.parametrize("name", ["a\u201bb", "a\u2400b"])
def test_a_name_that_rclone_cannot_read_back_is_refused(name: str) -> None:
    with pytest.raises(TransportError, match="rclone cannot take the name") as raised:
        standard(name)
    assert raised.value.error_kind is TransportErrorKind.NAMES
