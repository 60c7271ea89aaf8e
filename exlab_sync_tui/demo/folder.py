"""Where does the sample lab lie, and who takes it away again? One temporary folder, removed however the demo ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "exlab-sync-demo-"
_GUARD = """
import os, shutil, sys, time
sys.stdin.buffer.read()
for _ in range(100):
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    if not os.path.exists(sys.argv[1]):
        break
    time.sleep(0.1)
"""
"""It waits until nobody holds the other end of its input, which happens on SIGKILL too; then it removes the folder."""


@contextmanager
def sample_folder(*, keep: bool) -> Iterator[Path]:
    """A new empty folder, which is gone afterwards unless *keep*: a small process waits for our end and removes it."""
    root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    if keep:
        yield root
        return
    command = [sys.executable, "-I", "-S", "-c", _GUARD, str(root)]
    # A session of its own: a closed terminal or Ctrl-C must not end the guard together with the demo.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield root
