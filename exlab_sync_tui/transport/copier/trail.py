"""What has arrived of a large file that is still being written? A thread that reads back behind the writer."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.transport.copier.read import CHUNK, FarFile, FarReader
from exlab_sync_tui.transport.copier.wire import Side, Trouble

if TYPE_CHECKING:
    from exlab_sync_tui.transport.copier.wire import Flow
    from exlab_sync_tui.tree.folder import Folder

LAG = 8 << 20
"""Bytes that stay between writer and reader, so that the system has written them out before they are asked for."""


class Trail:
    """Reads one far file from its first byte, as far as it was written; the digest is that of all it holds in the end.

    Its methods are called by the writing thread alone.
    """

    def __init__(self, folder: Folder, name: str, rel: str, flow: Flow) -> None:
        self._place = (folder, name)
        self._rel = rel
        self._flow = flow
        self._reader = FarReader(folder)
        self.in_memory = self._reader.in_memory
        self._lag = 0 if self.in_memory else LAG
        self._state = threading.Condition()
        self._readable = 0
        self._position = 0
        self._complete = self._stopped = False
        self._trouble: Trouble | None = None
        self._sha = hashlib.sha256()
        self._rung = ""
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)
        self._thread.start()

    def grown(self, written: int) -> None:
        """The file now has *written* bytes."""
        if written - self._lag >= self._readable + CHUNK:
            self._may_read(written - self._lag)

    def digest_at(self, length: int) -> bytes:
        """SHA-256 of the first *length* bytes, which are there already. Raises ``Trouble``."""
        self._may_read(length)
        with self._state:
            self._state.wait_for(lambda: self._position >= length or self._trouble is not None)
            if self._trouble is not None:
                raise self._trouble
            return self._sha.digest()

    def finish(self) -> tuple[bytes, str]:
        """Nothing more is written: the digest of the whole file, and the rung it stands on. Raises ``Trouble``."""
        with self._state:
            self._complete = True
            self._state.notify_all()
        self._thread.join()
        if self._trouble is not None:
            raise self._trouble
        return self._sha.digest(), self._rung

    def stop(self) -> None:
        """Give up reading; idempotent."""
        with self._state:
            self._stopped = True
            self._state.notify_all()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _may_read(self, upto: int) -> None:
        with self._state:
            self._readable = max(self._readable, upto)
            self._state.notify_all()

    def _run(self) -> None:
        try:
            with self._reader.open(*self._place) as file:
                upto: int | None = 0
                while upto is not None:
                    upto = self._next_stop()
                    self._read_on(file, upto)
                    file.let_go(self._position)
                self._rung = file.rung
        except OSError as error:
            self._fail(Trouble(Side.FAR, self._rel, error.errno or 0))

    def _next_stop(self) -> int | None:
        """Wait until there is more to read: how far, or ``None`` for the file's own end."""
        with self._state:
            self._state.wait_for(lambda: self._stopped or self._complete or self._readable > self._position)
            return None if self._complete or self._stopped else self._readable

    def _read_on(self, file: FarFile, upto: int | None) -> None:
        file.refresh(self._position, (upto if upto is not None else os.fstat(file.fd).st_size) - self._position)
        while not self._stopped and (upto is None or self._position < upto):
            wanted = CHUNK if upto is None else min(upto - self._position, CHUNK)
            piece = file.read(self._position, self._flow.take(wanted))
            if not piece:
                break
            self._sha.update(piece)
            self._flow.moved(checked=len(piece))
            with self._state:
                self._position += len(piece)
                self._state.notify_all()
        if upto is not None and self._position < upto and not self._stopped:
            raise OSError(errno.EIO, "shorter than what was written")

    def _fail(self, trouble: Trouble) -> None:
        with self._state:
            self._trouble = trouble
            self._state.notify_all()
