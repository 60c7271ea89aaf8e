"""Does a transfer over SSH survive what really happens to connections, and does it go on in the middle of a file?"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.base import MARKER_NAME
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.sftp.transport import SftpOptions, SftpTransport
from tests.contract.labs.sftp import over_sftp, without_python
from tests.contract.transport_lab import FINAL, INCOMING, OWNER, RUN, FarOnDisk, Lab, identity
from tests.proxy import Proxy
from tests.sshd import Sshd, SshdOptions, make_key, needs_sshd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = needs_sshd
MIB = 1 << 20
WAYS = {"agent": EvidenceLevel.REMOTE_HASH, "tool": EvidenceLevel.REMOTE_HASH, "files": EvidenceLevel.READ_BACK}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(tmp_path: Path, way: str) -> Iterator[Sshd]:
    options = SshdOptions(sftp_only=way == "files")
    if way == "tool":
        options = without_python(tmp_path / "bin")
    with Sshd(tmp_path / "sshd", options) as server:
        yield server


@pytest.fixture
def proxy(server: Sshd) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        server.also_known_at(proxy.port)
        yield proxy


@asynccontextmanager
async def lab_at(tmp_path: Path, server: Sshd, port: int = 0) -> AsyncIterator[Lab]:
    source, far_root = tmp_path / "Run_1", tmp_path / "nas"
    source.mkdir(exist_ok=True)
    far_root.mkdir(exist_ok=True)
    lab = Lab(source, over_sftp(server.access(far_root, port=port)), FarOnDisk(far_root))
    await lab.transport.adopt(identity())
    try:
        yield lab
    finally:
        await lab.transport.close()


@pytest.fixture
async def lab(tmp_path: Path, server: Sshd, proxy: Proxy) -> AsyncIterator[Lab]:
    """One large file of which each MiB is different, between small ones."""
    async with lab_at(tmp_path, server, proxy.port) as lab:
        await lab.open()
        pattern = os.urandom(MIB - 8)
        lab.put("large.raw", b"".join(number.to_bytes(8, "big") + pattern for number in range(18)))
        for number in range(60):
            lab.put(f"d/f{number:02}", os.urandom(5_000))
        yield lab


def is_whole(lab: Lab) -> bool:
    return all(
        lab.far.read(f"{RUN}/{record.rel}") == (lab.source / record.rel).read_bytes() for record in lab.records()
    )


async def test_a_connection_that_is_reset_is_resumed_in_the_middle_of_the_file(
    lab: Lab, proxy: Proxy, way: str
) -> None:
    proxy.cut_at = proxy.passed + 12 * MIB
    _, error = await lab.send_until_trouble(lab.records())
    assert error.error_kind is TransportErrorKind.NETWORK
    assert lab.transport.title in str(error)
    await lab.open()
    sent = await lab.send()
    total = sum(record.size for record in sent.values())
    assert all(record.proven and record.rung is WAYS[way] for record in sent.values())
    assert lab.pulse.skipped_bytes > 4 * MIB
    assert lab.pulse.sent_bytes + lab.pulse.skipped_bytes == total
    assert is_whole(lab)


async def test_a_bit_that_flips_on_the_wire_is_noticed_and_nothing_wrong_stays(lab: Lab, proxy: Proxy) -> None:
    proxy.corrupt_at = proxy.passed + 6 * MIB
    _, error = await lab.send_until_trouble(lab.records())
    assert error.error_kind is TransportErrorKind.NETWORK
    await lab.open()
    assert all(record.proven for record in (await lab.send()).values())
    assert is_whole(lab)


async def test_a_line_that_stalls_is_let_go_of_and_resumed(lab: Lab, proxy: Proxy) -> None:
    proxy.stall_at = proxy.passed + 12 * MIB
    pages = lab.transport.push(lab.plan(lab.records()))

    async def send() -> None:
        async for _ in pages:
            pass

    sending = asyncio.create_task(send())
    assert await asyncio.to_thread(proxy.has_stalled.wait, 60)
    sending.cancel()
    async with asyncio.timeout(30):  # less than the server's silence is borne with: nobody waits for an answer
        await asyncio.gather(sending, return_exceptions=True)
        await pages.aclose()
    proxy.cut()
    proxy.go_on()
    await lab.open()
    assert all(record.proven for record in (await lab.send()).values())
    assert lab.pulse.skipped_bytes > 4 * MIB
    assert is_whole(lab)


async def test_a_far_beginning_that_differs_is_not_continued(lab: Lab) -> None:
    lab.far.write(f"{RUN}/large.raw", b"x" * MIB + (lab.source / "large.raw").read_bytes()[MIB : 9 * MIB])
    assert all(record.proven for record in (await lab.send()).values())
    assert lab.pulse.skipped_bytes == 0
    assert is_whole(lab)


async def test_a_link_in_the_place_of_a_file_is_not_written_through(lab: Lab, tmp_path: Path) -> None:
    (outside := tmp_path / "outside").write_bytes(b"theirs")
    far = tmp_path / "nas" / RUN
    (far / "large.raw").symlink_to(outside)
    assert all(record.proven for record in (await lab.send()).values())
    assert outside.read_bytes() == b"theirs"
    assert not (far / "large.raw").is_symlink()


async def test_a_link_in_the_place_of_a_folder_is_refused(lab: Lab, tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir()
    (tmp_path / "nas" / RUN / "d").symlink_to(outside)
    _, error = await lab.send_until_trouble(lab.records())
    assert error.error_kind is TransportErrorKind.CONFLICT
    assert not list(outside.iterdir())


async def test_a_root_without_a_marker_or_with_another_one_gets_nothing_written(lab: Lab, tmp_path: Path) -> None:
    marker = tmp_path / "nas" / MARKER_NAME
    marker.rename(tmp_path / "marker")
    for attempt in (lab.transport.open_incoming(f"{INCOMING[:-1]}9", OWNER), lab.transport.find(FINAL), lab.send()):
        with pytest.raises(TransportError) as raised:
            await attempt
        assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION
    marker.write_text('{"id": "another", "created_at": "2025-01-01T00:00:00Z"}')
    with pytest.raises(TransportError, match="another destination") as raised:
        await lab.transport.write_text(RUN, "receipt.json", b"{}")
    assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION
    assert not (tmp_path / "nas" / f"{INCOMING[:-1]}9").exists()


class CountingLimiter(Limiter):
    """Knows how many bytes it has let through."""

    def __init__(self) -> None:
        super().__init__(lambda: 1 << 20, SystemClock())
        self.granted = 0

    def take(self, wanted: int) -> tuple[int, float]:
        granted, pause = super().take(wanted)
        self.granted += granted
        return granted, pause


async def test_every_byte_that_is_sent_asks_the_limiter(tmp_path: Path, server: Sshd, way: str) -> None:
    limiter = CountingLimiter()
    async with lab_at(tmp_path, server) as adopted:
        transport = over_sftp(server.access(tmp_path / "nas"), limiter=limiter)
        await transport.open_incoming(INCOMING, OWNER)
        lab = Lab(adopted.source, transport, adopted.far)
        lab.put("a.raw", os.urandom(9 * MIB))
        lab.put("b.raw", os.urandom(MIB))
        assert all(record.proven for record in (await lab.send()).values())
        read_back = 2 if way == "files" else 1
        assert 10 * MIB * read_back <= limiter.granted <= 11 * MIB * read_back
        await transport.close()


@pytest.mark.parametrize("way", ["tool", "files"])
async def test_a_file_that_is_too_large_to_be_read_back_is_refused_before_it_is_sent(
    tmp_path: Path, server: Sshd, way: str
) -> None:
    async with lab_at(tmp_path, server) as adopted:
        transport = SftpTransport(
            SftpOptions(server.access(tmp_path / "nas"), max_stream_bytes=MIB), Limiter(None, SystemClock())
        )
        await transport.open_incoming(INCOMING, OWNER)
        lab = Lab(adopted.source, transport, adopted.far)
        lab.put("a.raw", bytes(2 * MIB))
        if way == "tool":  # the NAS proves it by itself
            assert (await lab.send())["a.raw"].proven
        else:
            _, error = await lab.send_until_trouble(lab.records())
            assert error.error_kind is TransportErrorKind.OVERSIZE
            assert lab.far.read(f"{RUN}/a.raw") is None
        await transport.close()


@pytest.mark.parametrize("way", ["agent"])
async def test_a_key_of_somebody_else_is_refused_without_a_question(tmp_path: Path, server: Sshd) -> None:
    make_key(tmp_path / "other")
    access = replace(server.access(tmp_path), key=tmp_path / "other")
    with pytest.raises(TransportError, match="refuses the key") as raised:
        await over_sftp(access).probe()
    assert raised.value.error_kind is TransportErrorKind.AUTH


@pytest.mark.parametrize("way", ["agent"])
async def test_a_host_name_is_looked_up_in_the_users_own_configuration(tmp_path: Path, server: Sshd) -> None:
    (tmp_path / "nas").mkdir()
    config = tmp_path / "config"
    config.write_text(f"Host nas\n  HostName {server.host}\n  Port {server.port}\n  HostKeyAlias the-nas\n")
    kind, key, *_ = server.host_key.with_suffix(".pub").read_text().split()
    server.known_hosts.write_text(f"the-nas {kind} {key}\n")
    access = replace(server.access(tmp_path / "nas"), host="nas", port=22, config=config)
    async with asyncio.timeout(60):
        transport = over_sftp(access)
        await transport.adopt(identity())
        state = await transport.probe()
        assert state.capabilities.rung is EvidenceLevel.REMOTE_HASH
        assert "stream" in state.capabilities.manner
        await transport.close()


@pytest.mark.parametrize("way", ["agent"])
async def test_a_port_where_nobody_listens_is_a_nas_that_does_not_answer(tmp_path: Path, server: Sshd) -> None:
    server.stop()
    with pytest.raises(TransportError, match="does not answer") as raised:
        await over_sftp(server.access(tmp_path)).probe()
    assert raised.value.error_kind is TransportErrorKind.NETWORK


@pytest.mark.parametrize("way", ["agent"])
async def test_a_root_that_is_not_there_is_a_nas_that_does_not_answer(tmp_path: Path, server: Sshd) -> None:
    transport = over_sftp(server.access(tmp_path / "nowhere"))
    with pytest.raises(TransportError, match="the folder is not there") as raised:
        await transport.probe()
    assert raised.value.error_kind is TransportErrorKind.NETWORK
    await transport.close()
