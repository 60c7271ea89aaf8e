"""Events of the real system are hints; without events, or without room for watches, the clock gives them."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.platform import tells_changes
from exlab_sync_tui.testing import ManualClock
from exlab_sync_tui.watch.monitor import Hint, Monitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from pathlib import Path

PATIENCE = 60.0


class Listener:
    """What a monitor hints at, to be waited for."""

    def __init__(self) -> None:
        self.heard: set[Hint] = set()
        self._news = asyncio.Event()

    async def listen(self, monitor: Monitor) -> None:
        stream = monitor.hints()
        try:
            async for hints in stream:
                self.heard |= hints
                self._news.set()
        finally:
            await stream.aclose()

    async def until(self, *hints: Hint) -> None:
        async with asyncio.timeout(PATIENCE):
            while not set(hints) <= self.heard:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(monitor: Monitor) -> AsyncIterator[Listener]:
    listener = Listener()
    task = asyncio.create_task(listener.listen(monitor))
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def monitor_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "monitor"]


async def containers_watched(listener: Listener, container: Path) -> None:
    """Make things appear until the watch stands: events before that are nobody's."""
    number = 0
    async with asyncio.timeout(PATIENCE):
        while not any(hint.path.startswith(f"{container}/probe") for hint in listener.heard):
            (container / f"probe{number}").touch()
            number += 1
            await asyncio.to_thread(threading.Event().wait, 0.05)


async def test_what_appears_in_a_container_and_changes_in_an_open_run_is_hinted_at(tmp_path: Path) -> None:
    run = tmp_path / "Run_1"
    (run / "deep" / "deeper").mkdir(parents=True)
    monitor = Monitor(SystemClock(), pytest.fail)
    async with listening(monitor) as listener:
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[str(run)])
        await listener.until(Hint("ONE", str(run)))  # a run is hinted at once when it is first watched
        listener.heard.clear()
        await containers_watched(listener, tmp_path)
        (run / "deep" / "deeper" / "file").touch()
        await listener.until(Hint("ONE", str(run)))
        (tmp_path / "Run_2").mkdir()
        await listener.until(Hint("ONE", str(tmp_path / "Run_2")))
        assert monitor.sees("ONE")
    assert not monitor_threads()


async def test_finished_trees_and_our_own_papers_give_no_hints(tmp_path: Path) -> None:
    run, finished = tmp_path / "Run_1", tmp_path / "Run_0"
    (run / ".exlab-wizard").mkdir(parents=True)
    finished.mkdir()
    monitor = Monitor(SystemClock(), pytest.fail)
    async with listening(monitor) as listener:
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[str(run)])
        await containers_watched(listener, tmp_path)
        await listener.until(Hint("ONE", str(run)))
        listener.heard.clear()
        (tmp_path / ".exlab-sync-owner.json").touch()
        (run / ".exlab-wizard" / "creation.json").touch()
        (finished / "late").touch()
        (tmp_path / "Run_9").mkdir()
        await listener.until(Hint("ONE", str(tmp_path / "Run_9")))
        hinted = {hint.path.rpartition("/")[2] for hint in listener.heard}
        assert {name for name in hinted if not name.startswith("probe")} == {"Run_9"}


async def test_a_monitor_that_is_cancelled_twice_leaves_no_thread_behind(tmp_path: Path) -> None:
    monitor = Monitor(SystemClock(), pytest.fail)
    listener = Listener()
    task = asyncio.create_task(listener.listen(monitor))
    monitor.aim("ONE", containers=[str(tmp_path)], runs=[str(tmp_path)])
    await listener.until(Hint("ONE", str(tmp_path)))
    threads = monitor_threads()
    assert threads
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for thread in threads:
        await asyncio.to_thread(thread.join, PATIENCE)
    assert not monitor_threads()


async def test_other_aims_replace_the_watches_and_hostile_names_end_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "Run_1", tmp_path / "Run_2"
    strange = os.fsdecode(bytes(tmp_path) + b"/Run_\xff")
    for run in (first, second):
        run.mkdir()
    os.mkdir(strange)  # noqa: PTH102  # a name that is no text
    monitor = Monitor(SystemClock(), pytest.fail)
    async with listening(monitor) as listener:
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[str(first), strange])
        await listener.until(Hint("ONE", str(first)))
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[str(first), str(second), str(tmp_path / "gone")])
        await listener.until(Hint("ONE", str(second)))
        listener.heard.clear()
        (second / os.fsdecode(b"\xff")).touch()
        await listener.until(Hint("ONE"))
    assert not monitor_threads()


async def test_a_broken_watch_is_built_again(tmp_path: Path) -> None:
    clock = ManualClock()
    built: list[bool] = []

    def breaks(*paths: str, recursive: bool, stop_event: threading.Event) -> Iterator[Collection[tuple[object, str]]]:
        built.append(recursive)
        yield []
        if len(built) == 1:
            raise RuntimeError("Unable to decode path")
        stop_event.wait()

    monitor = Monitor(clock, pytest.fail, watch=breaks)
    async with listening(monitor) as listener:
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[])
        await pass_time(clock, lambda: Hint("ONE") in listener.heard)
        assert monitor.sees("ONE")
        await pass_time(clock, lambda: len(built) == 2)


@pytest.mark.parametrize(
    ("failure", "key"),
    [
        (OSError("OS file watch limit reached."), "fs.inotify.max_user_watches"),
        (RuntimeError("Error creating recommended watcher: Too many open files (os error 24)"), "max_user_instances"),
    ],
)
async def test_limits_of_the_system_are_said_once_and_polled_around(
    tmp_path: Path, failure: Exception, key: str
) -> None:
    clock = ManualClock()
    said: list[str] = []
    room = False

    def limited(*paths: str, recursive: bool, stop_event: threading.Event) -> Iterator[Collection[tuple[object, str]]]:
        if not room:
            raise failure
        yield []
        stop_event.wait()

    monitor = Monitor(clock, said.append, watch=limited)
    async with listening(monitor) as listener:
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[])
        await pass_time(clock, lambda: bool(said))
        assert key in said[0]
        assert "sysctl -w" in said[0]
        assert not monitor.sees("ONE")
        for _ in range(3):
            listener.heard.clear()
            await pass_time(clock, lambda: Hint("ONE") in listener.heard)
        await pass_time(clock, lambda: clock.monotonic() > 100)
        assert len(said) == 1
        room = True
        await pass_time(clock, lambda: monitor.sees("ONE"))


async def test_where_the_file_system_tells_nothing_the_clock_hints(tmp_path: Path) -> None:
    clock = ManualClock()
    monitor = Monitor(clock, pytest.fail, watch=never, tells=lambda folder: "share" not in folder)
    (tmp_path / "share").mkdir()
    (tmp_path / "disk").mkdir()
    async with listening(monitor) as listener:
        monitor.aim("FAR", containers=[str(tmp_path / "share")], runs=[])
        await pass_time(clock, lambda: Hint("FAR") in listener.heard)
        assert not monitor.sees("FAR")
        assert not monitor_threads()


async def test_an_instrument_that_comes_while_another_is_asked_about_ends_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    loop = asyncio.get_running_loop()

    def tells(_: str) -> bool:
        """In a thread; the loop has another instrument watched meanwhile."""
        aimed = threading.Event()

        def aim() -> None:
            monitor.aim("TWO", containers=[str(second)], runs=[])
            aimed.set()

        loop.call_soon_threadsafe(aim)
        return aimed.wait(PATIENCE)

    monitor = Monitor(SystemClock(), pytest.fail, tells=tells)
    async with listening(monitor) as listener:
        monitor.aim("ONE", containers=[str(first)], runs=[])
        await listener.until(Hint("ONE", str(first)), Hint("TWO", str(second)))


async def test_a_monitor_whose_watch_ends_by_itself_does_not_spin(tmp_path: Path) -> None:
    clock = ManualClock()
    built: list[str] = []

    def ends(*paths: str, recursive: bool, stop_event: threading.Event) -> Iterator[Collection[tuple[object, str]]]:
        built.extend(paths)
        return iter(())

    monitor = Monitor(clock, pytest.fail, watch=ends)
    async with listening(monitor):
        monitor.aim("ONE", containers=[str(tmp_path)], runs=[])
        await pass_time(clock, lambda: len(built) == 1)
        await pass_time(clock, lambda: clock.monotonic() > 25)
        assert len(built) == 1
        await pass_time(clock, lambda: len(built) == 2)


def test_a_local_disk_tells_changes_and_what_is_not_there_does_not(tmp_path: Path) -> None:
    assert tells_changes(str(tmp_path))
    assert not tells_changes(str(tmp_path / "nowhere"))


def never(*paths: str, recursive: bool, stop_event: threading.Event) -> Iterator[Collection[tuple[object, str]]]:
    raise AssertionError("nothing was to be watched")


async def pass_time(clock: ManualClock, condition: Callable[[], bool]) -> None:
    """Half a second after the other, with a real moment for threads in between."""
    for _ in range(2_000):
        if condition():
            return
        await clock.advance(0.5)
        await asyncio.to_thread(threading.Event().wait, 0.001)
    raise AssertionError("what was expected did not happen")
