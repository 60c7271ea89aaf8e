"""How is a small file replaced so that nobody ever sees half of it?"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exlab_sync_tui.platform import fsync_folder, keep_access, lock_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK_SECONDS = 10.0
"""How long a lock is waited for (``FORMATS.md`` §2)."""

_POLL_SECONDS = 0.02
_TEMP_SUFFIX = ".tmp"


class LockBusyError(Exception):
    """Somebody else held a lock for as long as we were ready to wait."""


def write_atomic(path: Path, data: bytes, *, keep_mode_of: Path | None = None) -> None:
    """Replace *path* by a file with *data*: temp file beside it, fsync, rename, fsync of the folder (§2).

    With *keep_mode_of* the new file gets the owner, group, mode and ACL of that file where the system allows it.
    After an error the old file is untouched and the temp file is gone. Raises ``OSError``.
    """
    temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMP_SUFFIX}")
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
            if keep_mode_of is not None:
                keep_access(fd, keep_mode_of)
            file.write(data)
            file.flush()
            os.fsync(fd)
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def is_temp_of(name: str, target: str) -> bool:
    """Whether *name* is a temp file of ``write_atomic`` for the file name *target*."""
    return name.startswith(f".{target}.") and name.endswith(_TEMP_SUFFIX)


def remove_stale(path: Path) -> None:
    """Remove temp files that a killed writer of *path* has left; only for the holder of its lock."""
    for found in os.scandir(path.parent):
        if is_temp_of(found.name, path.name) and found.is_file(follow_symlinks=False):
            os.unlink(found.path)  # noqa: PTH108  # the entry has its path already


@contextmanager
def locked(
    path: Path,
    *,
    seconds: float = LOCK_SECONDS,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold ``<path>.lock`` for a whole read-change-write; the lock file stays for ever.

    For a thread: it asks again every 20 ms. Raises ``LockBusyError`` after *seconds*, ``OSError`` if the lock file
    cannot be made.
    """
    lock_path = path.with_name(path.name + ".lock")
    for attempt in range(max(1, round(seconds / _POLL_SECONDS))):
        if attempt:
            wait(_POLL_SECONDS)
        try:
            lock = lock_file(lock_path)
        except BlockingIOError:
            continue
        with lock:
            yield
        return
    raise LockBusyError(f"{lock_path.name} was held by another program for {seconds:g} seconds")
