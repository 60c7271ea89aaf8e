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

from tests.acceptance import program
from tests.acceptance.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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

    def prepare(self, *, adopted: bool = True, mbps: float | None = None, **sync: object) -> Lab:
        """One plain instrument; *mbps* limits its bandwidth, in Mbit/s."""
        self.local.mkdir(parents=True, exist_ok=True)
        self.nas.mkdir(exist_ok=True)
        if adopted:
            adopt(self.nas)
        return self.configure(instrument("PLAIN_01", self.local, self.nas, mbps=mbps), **sync)

    def configure(self, *instruments: dict[str, object], **sync: object) -> Lab:
        self.config.write_text(json.dumps({"equipment": instruments, "sync": sync}))
        return self

    def set(self, block: str, **keys: object) -> Lab:
        """Give the configuration one more block, or another one."""
        self.config.write_text(json.dumps(json.loads(self.config.read_text()) | {block: keys}))
        return self

    def words(self, *words: str) -> list[str]:
        return [*words, "--config", str(self.config), "--state", str(self.state)]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "exlab_sync_tui", *self.words(*words)]

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> Program:
        """The program in a process group of its own, so that a kill takes its children along."""
        return Program(self.words(*words), environ=environ)

    def run(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return program.run(self.words(*words), timeout=timeout)


def adopt(nas: Path, identity: str = "0d1c5a3e-6b53-4f0a-9c59-2f6f4d1a7e11") -> None:
    """Put an identity marker there, as `destination adopt` does."""
    marker = {"id": identity, "created_at": "2025-01-01T00:00:00Z"}
    (nas / ".exlab-destination.json").write_text(json.dumps(marker))


def instrument(
    name: str, local: Path, nas: Path, *, mbps: float | None = None, layout: str = "plain", **more: object
) -> dict[str, object]:
    """An instrument whose runs are finished as soon as their sentinel is there."""
    return {
        "id": name,
        "label": "An instrument",
        "local_root": str(local),
        "nas_root": "//nas/lab",
        "layout": layout,
        "completeness_signal": "sentinel_file",
        "sentinel_filename": SENTINEL,
        "settle_seconds": 0,
        "transport": {"type": "mount", "path": str(nas), "bandwidth": {"upload_mbps": mbps}},
        **more,
    }


def write_exlab_run(root: Path, name: str, **content: int) -> Path:
    """A run in a project of the instrument EXLAB_01 below *root*, as ExLab-Wizard lays it out."""
    run = write_run(root / "EXLAB_01" / "Kelp" / "Runs" / name, **content)
    creation = {
        "schema_version": "1.4",
        "created_at": "2025-03-03T08:00:00Z",
        "created_by": "asmith",
        "level": "run",
        "run_kind": "experimental",
        "template": {"name": "imaging", "version": "1.0", "source_path": "/nowhere"},
        "variables": {"exposure": 0.10, "unknown to us": None},
        "paths": {"local": str(run), "nas": "//nas/lab"},
        "plugins_applied": [],
        "orchestrator": {},
        "sync_status": "pending",
    }
    (run / ".exlab-wizard").mkdir()
    (run / ".exlab-wizard" / "creation.json").write_text(json.dumps(creation, indent=2))
    return run


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


def kill_after(process: Program, seconds: float) -> bool:
    """SIGKILL the program's main process after a while; whether it was still alive. Its children have to end alone."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    process.communicate()
    return False


def group_is_gone(process: Program, *, within: float = 60) -> bool:
    """Whether every process of the program's group has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def wait_for(condition: Callable[[], bool], process: Program | subprocess.Popen[str], *, within: float = 240) -> None:
    """Look again and again until *condition* holds; fails if the program ends before, or it takes too long."""
    deadline = time.monotonic() + within
    while not condition():
        if process.poll() is not None:
            told, errors = process.communicate()
            raise AssertionError(f"the program ended before the moment came:\n{told}{errors}")
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError("the moment never came")
        time.sleep(0.005)


def arriving(nas: Path, name: str, size: int) -> Callable[[], bool]:
    """Whether at least *size* bytes of a file of that name lie in an assembly on the NAS."""

    def found() -> bool:
        for far in nas.glob(f"*/.exlab-incoming/*/run/{name}"):
            try:
                return far.stat().st_size >= size
            except FileNotFoundError:
                return False
        return False

    return found
