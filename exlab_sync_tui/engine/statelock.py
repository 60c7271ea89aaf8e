"""Is the state folder ours alone? One engine per state folder, held by a kernel lock (decision 2)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import EngineRunningError, StateFolderError
from exlab_sync_tui.platform import FileLock, file_system, lock_file

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME = "engine.lock"
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "sshfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs"}
)
_PATIENCE_SECONDS = 3.0
_STEP_SECONDS = 0.05


def take_state_folder(folder: Path) -> FileLock:
    """Make the folder if needed and lock it; blocks for up to three seconds (children of a killed engine end first).

    Raises ``StateFolderError`` if it cannot be used, ``EngineRunningError`` if another engine holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateFolderError(
            f"The state folder {folder} cannot be made: {error.strerror}. Choose another one with --state."
        ) from error
    kind = _kind_of(folder)
    if kind.removeprefix("fuse.") in _NETWORK:
        raise StateFolderError(
            f"The state folder {folder} lies on a network share ({kind}), where locks and a database are unsafe. Choose"
            " a folder on a local disk with --state."
        )
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (lock := _try(folder / LOCK_NAME)) is None:
        if time.monotonic() >= deadline:
            raise EngineRunningError(
                f"Another engine (process {_holder(folder / LOCK_NAME)}) already drives {folder};"
                " `exlab-sync status` shows what it is doing."
            )
        time.sleep(_STEP_SECONDS)
    os.ftruncate(lock.fd, 0)
    os.pwrite(lock.fd, str(os.getpid()).encode(), 0)
    return lock


def is_taken(folder: Path) -> bool:
    """Whether some process holds the lock at this moment; makes no file."""
    place = folder / LOCK_NAME
    if not place.exists():
        return False
    lock = _try(place)
    if lock is not None:
        lock.release()
    return lock is None


def _kind_of(folder: Path) -> str:
    fd = os.open(folder, os.O_RDONLY)
    try:
        return file_system(fd)
    finally:
        os.close(fd)


def _try(path: Path) -> FileLock | None:
    try:
        return lock_file(path)
    except BlockingIOError:
        return None
    except OSError as error:
        raise StateFolderError(
            f"The state folder {path.parent} cannot be written: {error.strerror}. Choose another one with --state."
        ) from error


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except (OSError, UnicodeDecodeError):
        return "unknown"
