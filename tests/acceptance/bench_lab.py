"""A plain instrument, a run of small files and a large one, and the real program: the acceptance lab."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SENTINEL = "done.flag"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Lab:
    """One instrument with one destination below *root*; ``place`` of a run is its folder below the NAS."""

    root: Path

    @property
    def local(self) -> Path:
        return self.root / "data"

    @property
    def nas(self) -> Path:
        return self.root / "nas"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    def place(self, run: Path) -> str:
        return f"PLAIN_01/{run.name}"

    def prepare(self, *, adopted: bool = True, **sync: object) -> Lab:
        self.local.mkdir(parents=True, exist_ok=True)
        self.nas.mkdir(exist_ok=True)
        if adopted:
            marker = {"id": "0d1c5a3e-6b53-4f0a-9c59-2f6f4d1a7e11", "created_at": "2025-01-01T00:00:00Z"}
            (self.nas / ".exlab-destination.json").write_text(json.dumps(marker))
        instrument = {
            "id": "PLAIN_01",
            "label": "Plain instrument",
            "local_root": str(self.local),
            "nas_root": "//nas/lab",
            "layout": "plain",
            "completeness_signal": "sentinel_file",
            "sentinel_filename": SENTINEL,
            "settle_seconds": 0,
            "transport": {"type": "mount", "path": str(self.nas)},
        }
        self.config.write_text(json.dumps({"equipment": [instrument], "sync": sync}))
        return self

    def command(self, *words: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "exlab_sync_tui",
            *words,
            "--config",
            str(self.config),
            "--state",
            str(self.state),
        ]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The program in a process group of its own, so that a kill takes its children along."""
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )


def write_run(run: Path, *, small: int = 0, large_mib: int = 0, seed: int = 1) -> Path:
    """*small* files of 16 KiB in folders of a hundred, one file of *large_mib* MiB, an empty one, then the sentinel."""
    rng = random.Random(seed)
    block = rng.randbytes(_MIB)
    run.mkdir(parents=True)
    for number in range(small):
        folder = run / f"tile_{number // 100:04d}"
        folder.mkdir(exist_ok=True)
        start = rng.randrange(len(block) - 16_384)
        (folder / f"read_{number:06d}.bin").write_bytes(block[start : start + 16_384])
    if large_mib:
        with (run / "stack.raw").open("wb") as file:
            for number in range(large_mib):
                file.write(number.to_bytes(8, "big") + block[8:])
    (run / "empty.txt").touch()
    (run / SENTINEL).touch()
    return run


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """SIGKILL the program's main process after a while; whether it was still alive. Its children have to end alone."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    process.communicate()
    return False


def group_is_gone(process: subprocess.Popen[str], *, within: float = 10) -> bool:
    """Whether every process of the program's group has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False
