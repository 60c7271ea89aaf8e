"""The service as a real process: it finds runs by itself, ends in good order, goes on, and is alone on its store."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.acceptance.bench_lab import SENTINEL, Lab, adopt, instrument, wait_for, write_run
from tests.checker import check_sides
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 120.0


class Service:
    """A running service and the events that it has written so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, object]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

    def until(self, kind: str, run: Path) -> None:
        """Wait for an event about a run."""

        def has_come() -> bool:
            return any(event["event"] == kind and event.get("run_path") == str(run) for event in self.events)

        with self._news:
            assert self._news.wait_for(has_come, PATIENCE), f"no {kind} of {run.name}: {self.events}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code


@contextmanager
def service(lab: Lab, **environ: str) -> Iterator[Service]:
    process = subprocess.Popen(
        serving(lab), cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield Service(process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()


def serving(lab: Lab) -> list[str]:
    return [sys.executable, "-m", "tests.acceptance.serving", str(lab.config), str(lab.state)]


def lab_with_events(root: Path, *, mbps: float | None = None) -> Lab:
    """Rescans are a day apart, so that only hints and settle times can lead to a look."""
    lab = Lab(root)
    lab.local.mkdir()
    lab.nas.mkdir()
    adopt(lab.nas)
    one = instrument("PLAIN_01", lab.local, lab.nas, mbps=mbps, settle_seconds=0.5)
    return lab.configure(one, rescan_seconds=86_400)


@contextmanager
def manager(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A service manager's socket; the call waits for the next message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE)
        yield lambda: listening.recv(4096).decode()


def test_a_run_that_appears_is_taken_by_itself_and_the_manager_hears_of_it(tmp_path: Path) -> None:
    lab = lab_with_events(tmp_path)
    early = write_run(lab.local / "Run_early", small=3)
    with manager(tmp_path) as message, service(lab, NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
        assert message().startswith("READY=1")
        running.until("run_verified", early)
        late = lab.local / "Run_late"
        late.mkdir()
        (late / "data.raw").write_bytes(b"0123")
        (late / SENTINEL).touch()
        running.until("run_verified", late)
        assert running.stop() == 0
        assert message().startswith("STOPPING=1")
    places = {lab.place(run): run for run in (early, late)}
    assert not check_sides(places, lab.nas, expected=list(places), settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[early, late])


@pytest.mark.skipif(not psutil.LINUX, reason="asks Linux for the priority of a process")
def test_the_service_steps_back_as_far_as_the_configuration_says(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(priority="idle")
    with lab.start("run") as process:
        wait_for(lambda: psutil.Process(process.pid).nice() == 19, process)
        process.terminate()


def test_a_service_that_is_stopped_leaves_its_run_resumable_and_goes_on_at_the_next_start(tmp_path: Path) -> None:
    lab = lab_with_events(tmp_path, mbps=8)
    run = write_run(lab.local / "Run_A", large_mib=64)
    with service(lab) as running:
        running.until("run_started", run)
        assert running.stop(signal.SIGINT) == 0
        assert running.events[-1]["event"] == "engine_stopped"
    (listed,) = json.loads(lab.run("list", "--json").stdout)
    assert listed["run_path"] == str(run)
    assert listed["state"] == "queued"
    lab.configure(instrument("PLAIN_01", lab.local, lab.nas, settle_seconds=0.5), rescan_seconds=86_400)
    with service(lab) as running:
        running.until("run_verified", run)
        assert running.stop() == 0
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])


def test_a_second_start_says_who_is_at_work_and_offers_status(tmp_path: Path) -> None:
    lab = lab_with_events(tmp_path)
    run = write_run(lab.local / "Run_A", small=1)
    with service(lab) as running:
        running.until("run_verified", run)
        second = subprocess.run(serving(lab), cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert second.returncode == 5
        assert f"process {running.process.pid}" in second.stderr
        assert "exlab-sync status" in second.stderr
        assert running.process.poll() is None
        assert running.stop() == 0
