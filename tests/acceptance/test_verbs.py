"""Verbs beside an engine that runs, and the console on a real terminal: real processes on one store."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.acceptance.bench_lab import SENTINEL, Lab, adopt, instrument, write_exlab_run, write_run
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.program import Program

PATIENCE = 120.0
SHOWN = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1bP[^\x1b]*\x1b\\")


@contextmanager
def engine(lab: Lab) -> Iterator[Program]:
    """The service, once it is heard of."""
    process = lab.start("run", "--json")
    try:
        wait_for(process, "engine_started")
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: Program, event: str, run: Path | None = None) -> dict[str, str]:
    """Read the engine's lines until one is this event."""
    for line in process.stdout:
        said: dict[str, str] = json.loads(line)
        if said["event"] == event and (run is None or said["run_path"] == str(run)):
            return said
    raise AssertionError(f"the engine ended without {event}")


def state_of(lab: Lab, run: Path) -> str:
    told = json.loads(lab.run("show", str(run), "--json").stdout)
    return str(told["job"]["state"])


def put_in_the_way(lab: Lab, run: Path) -> Path:
    foreign = lab.nas / lab.place(run) / "foreign.txt"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("not ours")
    return foreign


def test_the_verbs_are_carried_out_by_the_engine_that_runs(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(rescan_seconds=86_400)
    failing = write_run(lab.local / "Run_1", small=2)
    foreign = put_in_the_way(lab, failing)
    with engine(lab) as running:
        wait_for(running, "run_failed", failing)
        foreign.unlink()
        foreign.parent.rmdir()
        retried = lab.run("retry", "Run_1", "--operator", "mira")
        assert (retried.returncode, retried.stdout, retried.stderr) == (0, "· Run_1 was queued again.\n", "")
        wait_for(running, "run_verified", failing)
        verified = lab.run("verify", "Run_1")
        assert verified.returncode == 0
        assert "agree: every file was read again" in verified.stdout
        assert lab.run("pause", "PLAIN_01").stdout.startswith("· PLAIN_01 is paused until")
        unsigned = write_run(lab.local / "Run_2", small=1)
        (unsigned / SENTINEL).unlink()
        queued = lab.run("enqueue", str(unsigned))
        assert queued.stdout == "· Run_2 is queued; it waits while PLAIN_01 is paused.\n"
        assert state_of(lab, unsigned) == "queued"
        assert lab.run("resume", "PLAIN_01").stdout == "· PLAIN_01 was resumed; its runs go on.\n"
        wait_for(running, "run_verified", unsigned)
        history = json.loads(lab.run("show", "Run_1", "--json").stdout)["history"]
        assert [line["who"] for line in history if line["what"] == "retry asked for"] == ["mira"]
    assert check_store(lab.state / "queue.db", lab.nas) == []


def test_what_the_engine_refuses_reaches_the_script_as_a_sentence_and_a_code(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(rescan_seconds=86_400)
    broken = write_run(lab.local / "Run_<date>", small=1)
    with engine(lab):
        blocked = lab.run("enqueue", str(broken), str(tmp_path / "nowhere"))
        assert blocked.returncode == 3
        assert "Run_<date> was not queued. Blocked by the gate" in blocked.stdout
        assert "Rename the folder Run_<date> to Run_date" in blocked.stdout
        assert "exlab-sync: There is no folder" in blocked.stderr
        assert lab.run("pause", "OTHER_01").returncode == 3
        second = lab.run("run")
        assert second.returncode == 5
        assert re.search(r"Another engine \(process \d+\) already drives .*`exlab-sync status` shows", second.stderr)


def test_a_blocked_run_is_let_through_by_name_and_goes_by_itself(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.nas.mkdir()
    adopt(lab.nas)
    blocked = write_exlab_run(lab.local, "Run_1", small=1)
    (blocked / "what?.raw").write_text("as the vendor names it")
    lab.configure(instrument("EXLAB_01", lab.local, lab.nas, layout="exlab"), rescan_seconds=1)
    with engine(lab) as running:
        wait_for(running, "hold_set", blocked)
        added = lab.run(
            *("override", "add", "Run_1", "illegal_filesystem_character", "--reason", "vendor", "--operator", "mira")
        )
        assert (added.returncode, added.stderr) == (0, "")
        assert added.stdout == (
            "· illegal_filesystem_character may pass in Run_1. The gate keeps nothing of it here.\n"
        )
        wait_for(running, "operator", blocked)
        wait_for(running, "run_verified", blocked)
    receipt = json.loads((lab.nas / "EXLAB_01/Kelp/Runs/Run_1/.exlab-wizard/receipt.json").read_text())
    (override,) = receipt["overrides"]
    assert (override["operator"], override["reason"]) == ("mira", "vendor")


def test_verbs_of_two_scripts_at_once_all_get_their_answer(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    runs = [write_run(lab.local / f"Run_{number}", small=1) for number in range(4)]
    verbs = [lab.start("enqueue", str(run)) for run in [*runs, *runs]]
    answers = [verb.communicate(timeout=PATIENCE) for verb in verbs]
    codes = [verb.returncode for verb in verbs]
    assert set(codes) <= {0, 12}, answers
    assert codes.count(0) >= len(runs), answers
    assert lab.run("run", "--once").returncode == 0
    assert check_store(lab.state / "queue.db", lab.nas, acknowledged=runs) == []


def test_after_a_killed_engine_a_verb_acts_itself(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    with engine(lab) as running:
        running.send_signal(signal.SIGKILL)
        running.wait()
        queued = lab.run("enqueue", str(write_run(lab.local / "Run_1", small=1)))
    assert queued.returncode == 0
    assert "No engine is running, so nothing moves yet" in queued.stdout


class Screen:
    """The console on a terminal of its own; what it has written so far without the escape sequences."""

    def __init__(self, lab: Lab) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"}
        self.process = subprocess.Popen(
            lab.command(), stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
        )
        os.close(theirs)
        self._raw = b""

    @property
    def text(self) -> str:
        return SHOWN.sub(b" ", self._raw).decode(errors="replace")

    def until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            assert time.monotonic() < deadline, f"no {text!r} on the screen: {self.text[-3000:]}"
            self._read(1.0)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        while self.process.poll() is None:
            self._read(0.2)
        while self._read(0.0):
            pass
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], seconds)
        try:
            data = os.read(self._ours, 65_536) if ready else b""
        except OSError:  # the other end was closed
            return False
        self._raw += data
        return bool(data)


def test_the_console_alone_takes_a_run_verifies_it_and_says_goodbye(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare(rescan_seconds=1)
    screen = Screen(lab)
    try:
        screen.until("PLAIN_01")
        run = write_run(lab.local / "Run_1", small=1)
        screen.until("is safe on")
        screen.press("q")
        assert screen.end() == 0
    finally:
        screen.close()
    assert "The only run is safe. Nothing is watched until the next start" in screen.text
    assert state_of(lab, run) == "verified"


def test_the_console_beside_an_engine_leaves_it_at_work(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    with engine(lab) as running:
        screen = Screen(lab)
        try:
            screen.until("PLAIN_01")
            screen.press("q")
            assert screen.end() == 0
        finally:
            screen.close()
        assert "The engine goes on without this console." in screen.text
        assert running.poll() is None
