"""Is a line with a long round trip used by more than one connection, and is nothing lost when they break?"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, cast

import pytest

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.transport.sftp.streamed import BATCH_FILES
from exlab_sync_tui.transport.ssh.stream import NoAgentError, Stream
from exlab_sync_tui.transport.ssh.streams import LONG_LINE, Streams, most_for
from tests.contract.labs.sftp import over_sftp
from tests.contract.test_sftp_faults import MIB, is_whole, lab_at
from tests.contract.transport_lab import identity
from tests.proxy import Proxy
from tests.sshd import Sshd, needs_sshd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.contract.transport_lab import Lab

_CONTROL = 1
_STREAMS = 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def proxy(server: Sshd) -> Iterator[Proxy]:
    with Proxy(server.port, delay=LONG_LINE) as proxy:
        server.also_known_at(proxy.port)
        yield proxy


@pytest.fixture
async def lab(tmp_path: Path, server: Sshd, proxy: Proxy) -> AsyncIterator[Lab]:
    """More small files than fit into what is under way at once, in folders that two connections may have to make."""
    async with lab_at(tmp_path, server, proxy.port) as lab:
        await lab.open()
        for number in range(6 * BATCH_FILES):
            lab.put(f"d{number % 7}/f{number:05}", number.to_bytes(4, "big") * 50)
        yield lab


async def has_all_connections(proxy: Proxy) -> None:
    async with asyncio.timeout(60):
        while proxy.connections < _CONTROL + _STREAMS:  # noqa: ASYNC110  # another thread counts
            await asyncio.sleep(0.01)


@needs_sshd
async def test_more_connections_are_opened_and_a_run_over_all_of_them_is_whole(lab: Lab, proxy: Proxy) -> None:
    assert all(record.proven for record in (await lab.send()).values())
    await has_all_connections(proxy)
    for number in range(8):
        lab.put(f"more/large{number}", os.urandom(6 * MIB))
    sent = await lab.send(lab.records())
    assert all(record.proven for record in sent.values())
    assert len(sent) == 6 * BATCH_FILES + 8
    assert is_whole(lab)
    assert proxy.connections == _CONTROL + _STREAMS
    assert "up to 3 of them at once" in (await lab.transport.probe()).capabilities.manner


@needs_sshd
async def test_connections_that_are_all_cut_are_opened_anew_and_the_run_goes_on(lab: Lab, proxy: Proxy) -> None:
    await lab.send()
    await has_all_connections(proxy)
    for number in range(8):
        lab.put(f"more/large{number}", os.urandom(6 * MIB))
    proxy.cut_at = proxy.passed + 20 * MIB
    _, error = await lab.send_until_trouble(lab.records())
    assert error.error_kind is TransportErrorKind.NETWORK
    await lab.open()
    assert all(record.proven for record in (await lab.send()).values())
    assert lab.pulse.skipped_bytes > MIB
    assert is_whole(lab)


class Opened:
    """Stands for a stream that is open."""

    def __init__(self) -> None:
        self.alive = True
        self.ended = False

    async def end(self) -> None:
        self.alive, self.ended = False, True


def opened() -> Stream:
    return cast("Stream", Opened())


async def widened(streams: Streams) -> None:
    streams.widen()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_comes_goes_to_the_one_with_the_fewest_bytes_before_it() -> None:
    first, others = opened(), [opened(), opened()]
    coming = iter(others)

    async def another() -> Stream:
        return next(coming)

    streams = Streams(first, another, _STREAMS)
    with streams.carrying(5) as one:
        assert one is first
        await widened(streams)
        with streams.carrying(9) as two, streams.carrying(3) as three, streams.carrying(1) as four:
            assert [two, three, four] == [*others, others[1]]
    await streams.end()
    assert all(cast("Opened", stream).ended for stream in (first, *others))


async def test_one_that_was_lost_is_left_out_and_the_first_is_used_even_then() -> None:
    first, other = opened(), opened()

    async def another() -> Stream:
        return other

    streams = Streams(first, another, _STREAMS)
    await widened(streams)
    cast("Opened", other).alive = cast("Opened", first).alive = False
    assert streams.all == [first]


async def test_a_server_that_lets_no_more_in_is_served_by_one() -> None:
    first = opened()

    async def another() -> Stream:
        raise NoAgentError("too many connections")

    streams = Streams(first, another, _STREAMS)
    await widened(streams)
    assert streams.all == [first]


async def test_one_that_shall_be_alone_stays_alone() -> None:
    first = opened()

    async def another() -> Stream:
        return opened()

    streams = Streams(first, another, 1)
    await widened(streams)
    assert streams.all == [first]


def test_a_short_line_needs_one_and_a_long_line_three() -> None:
    assert (most_for(LONG_LINE / 2), most_for(LONG_LINE)) == (1, _STREAMS)


@needs_sshd
async def test_what_the_configuration_says_counts_more_than_the_line(tmp_path: Path, server: Sshd) -> None:
    (nas := tmp_path / "nas").mkdir()
    transport = over_sftp(server.access(nas), connections=2)
    await transport.adopt(identity())
    try:
        assert "up to 2 of them at once" in (await transport.probe()).capabilities.manner
    finally:
        await transport.close()
