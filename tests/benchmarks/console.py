"""How does the console feel over 100,000 runs? ``python -m tests.benchmarks.console``: starts, keys, answers and rest.

The real program runs on a terminal of its own (a pty) and hosts its engine over a full store; the same over an empty
one. A key is timed from the write to the first bytes that the program draws for it, an answer (another order, a filter,
the files of a run of a million) to the text that only the answer has.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import pty
import select
import shutil
import signal
import sqlite3
import statistics
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.queue.rows import folded, moment_text
from exlab_sync_tui.queue.sqlite import SQLiteStore
from tests.acceptance.bench_lab import Lab

DOWN, END, HOME = "\x1b[6~", "\x1b[F", "\x1b[H"
FILE_KEYS = (DOWN,) * 30 + (END, HOME) * 5 + (DOWN,) * 10
ORDERS = ("newest first", "oldest first", "largest first", "by folder")
KEYS = ("j",) * 40 + ("k",) * 20 + ("\x1b[6~",) * 20 + ("G", "g", "2", "1", "5", "1") * 3 + ("s",) * 5


async def fill(store_path: Path, runs: int, root: Path, files: int) -> None:
    """So many verified runs, every 500th a failed one; the last one is verified and has *files* files."""
    store = SQLiteStore(store_path)
    await store.open()
    await store.close()
    now = moment_text(SystemClock().now())
    rows = (
        (
            f"{number:08d}-0000-4000-8000-000000000000",
            os.fsencode(f"{root}/Run_{number:06d}"),
            folded(f"{root}/Run_{number:06d}"),
            "failed" if number % 500 == 1 else "verified",
            "unknown: no" if number % 500 == 1 else None,
            now,
            number * 1_000,
        )
        for number in range(1, runs + 1)
    )
    with sqlite3.connect(store_path) as db:
        db.executemany(
            "INSERT INTO jobs (id, run_path, run_folded, equipment_id, state, last_error, verified_at, enqueued_at,"
            " files_total, bytes_total, evidence, verify_passes)"
            " VALUES (?1, ?2, ?3, 'PLAIN_01', ?4, ?5, ?6, ?6, 24, ?7, 'read_back', 1)",
            rows,
        )
        db.execute(
            "WITH RECURSIVE many(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM many WHERE n < ?)"
            " INSERT INTO files (job, rel, size, mtime_ns, inode, sha256, far_sha256, rung, published)"
            " SELECT (SELECT max(seq) FROM jobs), CAST(printf('tiles/%03d/tile_%07d.tif', n / 4000, n) AS BLOB), 4096,"
            " 0, 0, zeroblob(32), zeroblob(32), 'read_back', 1 FROM many ORDER BY 2",
            (files,),
        )


class Screen:
    """The program on a terminal of 120 by 36 cells."""

    def __init__(self, lab: Lab) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.child = subprocess.Popen(
            lab.command(), stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
        )
        os.close(theirs)

    def until(self, text: bytes, within: float = 120) -> float:
        """Seconds until *text* was drawn."""
        started, seen = time.perf_counter(), b""
        while text not in seen:
            if time.perf_counter() - started > within:
                raise SystemExit(f"{text!r} was not drawn: {seen[-2_000:]!r}")
            if select.select([self.ours], [], [], 0.2)[0]:
                seen = (seen + os.read(self.ours, 65_536))[-400_000:]
        return time.perf_counter() - started

    def quiet(self, seconds: float = 0.4) -> None:
        """Wait until nothing has been drawn for a while."""
        while select.select([self.ours], [], [], seconds)[0]:
            os.read(self.ours, 65_536)

    def key(self, key: str) -> float | None:
        """Seconds from the key to the first bytes that are drawn for it; ``None`` if nothing had to be."""
        self.quiet(0.15)
        started = time.perf_counter()
        os.write(self.ours, key.encode())
        if not select.select([self.ours], [], [], 2.0)[0]:
            return None
        os.read(self.ours, 65_536)
        return time.perf_counter() - started

    def answer(self, keys: str, text: str) -> float:
        """Seconds from the keys to the text that only their answer has."""
        self.quiet(0.3)
        os.write(self.ours, keys.encode())
        return self.until(text.encode())

    def cpu(self) -> float:
        """Seconds of a core that the program has used so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Close it."""
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        os.close(self.ours)


def measure_answers(lab: Lab, runs: int) -> dict[str, float]:
    """Seconds to each answer about the list."""
    screen = Screen(lab)
    try:
        screen.until(b"failed")
        screen.quiet(1.0)
        told = {f"sort {order}": screen.answer("s", order) for order in ORDERS}
        screen.answer("s", "failed")
        screen.quiet(0.5)
        told["filter by a rare part of a name"] = screen.answer("/Run_0777", f"of {runs:,} runs")
        screen.answer("\x1b", "failed")
        told["filter by a common part"] = screen.answer("/run", f"of {runs:,} runs")
        screen.answer("\x1b", "failed")
        screen.answer(":", "a part of a run's name")
        told["go to a name"] = screen.answer("Run_012345\r", "Run_012346")
        return told
    finally:
        screen.end()


def measure_files(lab: Lab, files: int) -> tuple[dict[str, float], list[float]]:
    """Seconds to the story and to the files of the largest run, and to the paint of each key in its files."""
    screen = Screen(lab)
    try:
        screen.until(b"failed")
        for key in "5g":  # as a person types: each once the one before it has been answered
            screen.quiet(1.0)
            os.write(screen.ours, key.encode())
        screen.quiet(1.0)
        told = {f"story of a run of {files:,} files": screen.answer("\r", "is safe at")}
        told[f"its {files:,} files"] = screen.answer("]", "tile_0000001.tif")
        screen.quiet(0.5)
        os.write(screen.ours, b"\t\t")
        return told, sorted(spent for key in FILE_KEYS if (spent := screen.key(key)) is not None)
    finally:
        screen.end()


def measure(lab: Lab, starts: int, *, text: bytes, idle: float, keys: tuple[str, ...]) -> dict[str, float]:
    """Median start, percentiles of keys, and the share of a core that it takes while nothing happens."""
    first: list[float] = []
    times: list[float] = []
    share = 0.0
    for number in range(starts):
        screen = Screen(lab)
        try:
            first.append(screen.until(text))
            if number == starts - 1:
                screen.quiet(1.0)
                times = [spent for key in keys if (spent := screen.key(key)) is not None]
                screen.quiet(1.0)
                before, started = screen.cpu(), time.perf_counter()
                while time.perf_counter() - started < idle:
                    screen.quiet(0.5)
                    time.sleep(0.5)
                share = (screen.cpu() - before) / (time.perf_counter() - started)
        finally:
            screen.end()
    times.sort()
    return {
        "start": statistics.median(first),
        "key median": statistics.median(times) if times else 0.0,
        "key p95": times[int(len(times) * 0.95)] if times else 0.0,
        "idle": share,
    }


def main() -> None:
    """Measure both stores and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle", type=float, default=20.0)
    wish = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="exlab-console-"))
    try:
        empty, full = (Lab(root / name).prepare() for name in ("empty", "full"))
        full.state.mkdir()
        asyncio.run(fill(full.state / "queue.db", wish.runs, full.local, wish.files))
        none = measure(empty, wish.starts, text=b"No runs yet", idle=wish.idle, keys=())
        many = measure(full, wish.starts, text=b"failed", idle=wish.idle, keys=KEYS)
        print(
            f"start to first full screen   empty {none['start']:.2f} s   {wish.runs:,} runs {many['start']:.2f} s"
            f"   ratio {many['start'] / none['start']:.2f}"
        )
        print(
            f"key to paint                 median {many['key median'] * 1000:.0f} ms"
            f"   p95 {many['key p95'] * 1000:.0f} ms"
        )
        print(
            f"idle                         empty {none['idle']:.1%}   {wish.runs:,} runs {many['idle']:.1%} of a core"
        )
        answers = measure_answers(full, wish.runs)
        in_large, in_files = measure_files(full, wish.files)
    finally:
        shutil.rmtree(root)
    print(
        f"key to paint in {wish.files:,} files  median {statistics.median(in_files) * 1000:.0f} ms"
        f"   p95 {in_files[int(len(in_files) * 0.95)] * 1000:.0f} ms"
    )
    for question, seconds in (answers | in_large).items():
        print(f"{question:<36} {seconds * 1000:.0f} ms")


if __name__ == "__main__":
    main()
