"""Where does a tool's private folder lie, and who takes away what an engine left behind that was killed?

Each folder has a lock that its engine holds for as long as it lives. Whoever makes one takes away those whose lock is
free: their engine has ended, and its tools with it.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.platform import lock_file

if TYPE_CHECKING:
    from exlab_sync_tui.platform import FileLock

_PREFIX, _IN_THE_MAKING = "exlab-room-", ".exlab-room-"
_LOCK = "lock"


class Room:
    """A private folder whose path has no blanks and is short enough for a socket; made in *top*."""

    def __init__(self, top: Path | None = None) -> None:
        top = top or _top()
        _tidied(top)
        made = Path(tempfile.mkdtemp(prefix=_IN_THE_MAKING, dir=top))
        self._lock: FileLock = lock_file(made / _LOCK)
        self.path = made.with_name(made.name.removeprefix("."))
        made.rename(self.path)  # it gets its name once its lock is held: nobody ever finds it free

    def close(self) -> None:
        """Remove it with all that is in it; idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


def tidy(top: Path) -> None:
    """Remove the folders in *top* whose engine has ended; those of other accounts are left alone."""
    with os.scandir(top) as found:
        rooms = [Path(entry.path) for entry in found if entry.name.startswith(_PREFIX) and _is_ours(entry)]
    for room in rooms:
        with suppress(OSError):  # it is held, or another engine is just removing it
            lock = lock_file(room / _LOCK)
            shutil.rmtree(room, ignore_errors=True)
            lock.release()


def _is_ours(entry: os.DirEntry[str]) -> bool:
    with suppress(FileNotFoundError):
        about = entry.stat(follow_symlinks=False)
        return stat.S_ISDIR(about.st_mode) and (not hasattr(os, "geteuid") or about.st_uid == os.geteuid())
    return False


@functools.cache
def _tidied(top: Path) -> None:
    """Once for each process."""
    tidy(top)


def _top() -> Path:
    plain = Path("/tmp")  # noqa: S108  # a private folder is made in it
    return plain if plain.is_dir() else Path(tempfile.gettempdir())
