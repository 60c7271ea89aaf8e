"""How does a run's own log tell what happened to it?"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from exlab_sync_tui.text import safe_text, utc

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_LEVELS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def log_line(
    at: datetime,
    text: str,
    *,
    level: str = "INFO",
    host: str,
    equipment: str,
    project: str = "",
    kind: str = "",
) -> str:
    """One line without its end: ``<time> [INFO ] [host:…] [equip:…] [proj:…] [kind:…] <text>`` (``FORMATS.md`` §3)."""
    marks = f"[host:{host}] [equip:{equipment}] [proj:{project}] [kind:{kind}]"
    return safe_text(f"{utc(at)} [{_LEVELS.get(level, level):<5}] {marks} {text}")


def log_name(host: str) -> str:
    """``wizard.<hostname>.log``, whatever the host is called."""
    return f"wizard.{_NOT_IN_A_NAME.sub('_', host) or 'unknown'}.log"


def append_line(cache: Path, host: str, line: str) -> OSError | None:
    """Append *line* to the log in the folder *cache*, which must exist; the reason if that was not possible.

    Nothing is raised: a log never stops a run. A link in the log's place is not followed.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        fd = os.open(cache / log_name(host), flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            os.write(fd, f"{safe_text(line)}\n".encode())  # one write, so that lines of two programs do not mix
        finally:
            os.close(fd)
    except OSError as error:
        return error
    return None
