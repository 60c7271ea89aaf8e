"""What lies in a state folder, and does an engine drive it right now?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.statelock import LOCK_NAME
from exlab_sync_tui.platform import lock_file

if TYPE_CHECKING:
    from pathlib import Path

STORE_NAME = "queue.db"


def log_path(state: Path) -> Path:
    """The program's own log."""
    return state / "log" / "exlab-sync.log"


def engine_runs(state: Path) -> bool | None:
    """Whether somebody holds the engine's kernel lock; ``None`` if it cannot be known. Makes no file."""
    lock = state / LOCK_NAME
    try:
        if not lock.exists():
            return False
        lock_file(lock).release()
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False
