"""What does a remote hold that is a folder of this PC? Read past the cache, which rclone cannot do."""

from __future__ import annotations

import hashlib
import os
import time
from threading import Event
from typing import TYPE_CHECKING

from exlab_sync_tui import platform
from exlab_sync_tui.errors import StoppedError
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.copier.read import CHUNK, FarReader
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.transport.base import Pulse
    from exlab_sync_tui.transport.copier.read import FarFile
    from exlab_sync_tui.transport.limiter import Limiter

Found = dict[str, tuple[bytes, EvidenceLevel]]


class DiskReader:
    """Digests of files below one folder, in one thread at a time; ``stop`` ends it from outside within one chunk."""

    def __init__(self, root: str, limiter: Limiter, pulse: Pulse) -> None:
        self._root = root
        self._limiter = limiter
        self._pulse = pulse
        self._stopped = Event()

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped.set()

    def digests(self, rels: Sequence[str]) -> Found:
        """SHA-256 and rung of every file that is there, flushed before it is read. Raises ``OSError``."""
        found: Found = {}
        with Folder.root(self._root) as root:
            reader = FarReader(root)
            for rel in rels:
                below, _, name = rel.rpartition("/")
                try:
                    with root.below(below) as folder, reader.open(folder, name) as file:
                        found[rel] = self._digest(file)
                except (FileNotFoundError, NotADirectoryError):
                    continue
        return found

    def _digest(self, file: FarFile) -> tuple[bytes, EvidenceLevel]:
        platform.flush_file(file.fd)
        file.refresh(0, os.fstat(file.fd).st_size)
        sha, offset = hashlib.sha256(), 0
        while piece := file.read(offset, self._allowed()):
            sha.update(piece)
            offset += len(piece)
            self._pulse.checked_bytes += len(piece)
        return sha.digest(), EvidenceLevel(file.rung)

    def _allowed(self) -> int:
        while True:
            if self._stopped.is_set():
                raise StoppedError
            granted, pause = self._limiter.take(CHUNK)
            if granted:
                return granted
            time.sleep(min(pause, 0.25))
