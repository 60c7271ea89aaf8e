"""What do the logs in a run's own folder tell? The last lines of all of them, by time; call it in a thread."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.text import safe_text

_TAIL_BYTES = 256 << 10
_LINES = 2_000
_FILES = 20


@dataclass(frozen=True, slots=True)
class RunLog:
    """Lines, oldest first, safe to show; ``problem`` says why there are none."""

    lines: tuple[str, ...] = ()
    problem: str = ""


def run_log(run_path: str) -> RunLog:
    """Read the ends of the logs. Links are not followed, and nothing is raised."""
    cache = Path(run_path, CACHE_FOLDER)
    try:
        names = sorted(name for name in os.listdir(cache) if _is_log(name))  # noqa: PTH208  # names, not paths
    except FileNotFoundError:
        return RunLog(problem="This run has no log of its own: nothing has been written into its folder.")
    except OSError as error:
        return RunLog(problem=f"The logs of this run cannot be read: {safe_text(error.strerror or error)}.")
    lines: list[str] = []
    for name in names[:_FILES]:
        try:
            lines += _tail(cache / name)
        except OSError as error:
            lines.append(f"{safe_text(name)} cannot be read: {safe_text(error.strerror or error)}.")
    lines.sort(key=lambda line: line[:20])  # each begins with its moment in UTC; equal ones keep their order
    if not lines:
        return RunLog(problem="Nothing has been written into this run's log yet.")
    return RunLog(tuple(lines[-_LINES:]))


def _is_log(name: str) -> bool:
    return name.startswith("wizard.") and name.endswith(".log")


def _tail(path: Path) -> list[str]:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(fd, "rb") as file:
        told = os.fstat(fd)
        if not S_ISREG(told.st_mode):
            return []
        start = max(told.st_size - _TAIL_BYTES, 0)
        file.seek(start)
        data = file.read(_TAIL_BYTES)
    if start:
        data = data.partition(b"\n")[2]
    return [safe_text(line) for line in data.decode("utf-8", "surrogateescape").split("\n") if line.strip()]
