"""A service manager hears that we are at work, alive and stopping; where there is none nothing happens."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.headless.sd_notify import ServiceNotifier
from exlab_sync_tui.headless.service import keep_running
from exlab_sync_tui.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            return messages


class Watched:
    """A client whose lanes end when they are told to."""

    def __init__(self) -> None:
        self.is_watching = False
        self.ended = asyncio.Event()

    def watch(self, *, events: bool = True) -> None:
        self.is_watching = events

    async def broken(self) -> None:
        await self.ended.wait()
        raise StoreError("the disk is full")


def test_what_the_manager_asks_for_is_read_from_the_environment(manager: socket.socket, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    ours = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = ServiceNotifier.of(ours)
    notifier.ready("watching")
    notifier.alive()
    notifier.stopping()
    assert heard(manager) == [
        "READY=1\nSTATUS=watching",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping; every run keeps its place",
    ]
    assert notifier.watchdog_seconds == 3
    assert ServiceNotifier.of({**ours, "WATCHDOG_PID": "1"}).watchdog_seconds is None
    assert ServiceNotifier.of({**ours, "WATCHDOG_USEC": "soon"}).watchdog_seconds is None


def test_an_abstract_address_reaches_the_manager() -> None:
    name = f"exlab-sync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.setblocking(False)
        ServiceNotifier(f"@{name}").alive()
        assert heard(listening) == ["WATCHDOG=1"]


def test_without_a_manager_or_with_one_that_went_away_nothing_happens(tmp_path: Path) -> None:
    ServiceNotifier.of({}).ready("watching")
    ServiceNotifier(str(tmp_path / "gone")).ready("watching")


async def test_the_service_is_ready_alive_and_stopping(manager: socket.socket, tmp_path: Path) -> None:
    client, clock = Watched(), ManualClock()
    notifier = ServiceNotifier(str(tmp_path / "notify"), watchdog_seconds=10)
    serving = asyncio.create_task(keep_running(client, clock, notifier))
    await clock.advance(9)
    assert client.is_watching
    assert [message.partition("\n")[0] for message in heard(manager)] == ["READY=1", *["WATCHDOG=1"] * 3]
    client.ended.set()
    with pytest.raises(StoreError, match="the disk is full"):
        await serving
    assert [message.partition("\n")[0] for message in heard(manager)] == ["STOPPING=1"]


async def test_an_engine_that_is_not_well_gives_no_sign_of_life(manager: socket.socket, tmp_path: Path) -> None:
    clock, client, well = ManualClock(), Watched(), [True, False, False, True]
    notifier = ServiceNotifier(str(tmp_path / "notify"), watchdog_seconds=10)

    async def is_well() -> bool:
        return well.pop(0)

    running = asyncio.create_task(keep_running(client, clock, notifier, is_well=is_well))
    await clock.advance(9)
    client.ended.set()
    with pytest.raises(StoreError):
        await running
    assert [message for message in heard(manager) if message == "WATCHDOG=1"] == ["WATCHDOG=1"]
    assert well == [True]
