"""A share that is really mounted, and what can happen to it while the program runs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Share:
    """A memory file system at *server*, which is seen at *path* for as long as it is mounted there."""

    path: Path
    server: Path

    def create(self, mib: int) -> Share:
        """Make the server's file system and mount it; skips the test where that is refused."""
        if os.geteuid() != 0:
            pytest.skip("mounting a share needs root")
        for folder in (self.path, self.server):
            folder.mkdir(parents=True)
        made = _call("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(self.server))
        if made.returncode:
            pytest.skip(f"mounting is refused here: {made.stderr.strip()}")
        self.mount()
        return self

    def mount(self) -> None:
        """Mount it where the program looks for it."""
        _must("mount", "--bind", str(self.server), str(self.path))

    def unmount(self) -> None:
        """Take it away, also under open files (``umount -l``)."""
        _must("umount", "--lazy", str(self.path))

    def resize(self, mib: int) -> None:
        """Give the server another capacity."""
        _must("mount", "-o", f"remount,size={mib}m", str(self.server))

    def make(self, *, writable: bool) -> None:
        """Mount it anew for reading only, or for writing again."""
        _must("mount", "-o", f"remount,bind,{'rw' if writable else 'ro'}", str(self.path))

    def remove(self) -> None:
        """Leave no mount behind, whatever the test did."""
        while os.path.ismount(self.path):
            self.unmount()
        if os.path.ismount(self.server):
            _must("umount", "--lazy", str(self.server))


def _must(*words: str) -> None:
    done = _call(*words)
    assert done.returncode == 0, done.stderr


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)
