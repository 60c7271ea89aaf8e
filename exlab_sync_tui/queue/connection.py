"""How does one step reach the database as a whole? One connection, its own thread, a function per step.

A step that runs as one function is either done or not done, however often the task that waits for it is cancelled.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import aiosqlite

from exlab_sync_tui.errors import StoreDamagedError, StoreError
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

_BUSY_SECONDS = 10.0
_KEEP_WAL_BYTES = 64 << 20
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def damaged(path: Path, words: str) -> StoreDamagedError:
    """The sentence for a store that cannot be trusted."""
    return StoreDamagedError(
        f"The job store {safe_text(path)} is damaged ({safe_text(words)}) and was left untouched; "
        "`exlab-sync run` sets it aside and rebuilds it from run folders, manifests and receipts."
    )


def explain(path: Path, error: sqlite3.Error) -> StoreError:
    """The sentence for an error of SQLite. The low byte of an extended code is the primary one (sqlite.org/rescode)."""
    where = f"The job store {safe_text(path)}"
    words = safe_text(error)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _DAMAGED:
        return damaged(path, words)
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"{where} cannot grow: the disk is full; make room on it, nothing was lost.")
    if code in _BUSY:
        return StoreError(f"{where} is in use by another program ({words}); close that program, then try again.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(f"{where} cannot be opened; its folder must exist and be writable for you.")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return StoreError(f"{where} cannot be written ({words}); check the rights on it and on its folder.")
    return StoreError(f"{where} cannot be read or written ({words}); check the disk that holds it.")


def _make_for_the_group(path: Path) -> None:
    """SQLite makes files that only their owner can write; the umask decides instead (``FORMATS.md`` §9, ``exlab``)."""
    with suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666))


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A plain connection for this thread, without implicit transactions. A missing file is made unless *read_only*."""
    mode = "ro" if read_only else "rwc"
    if not read_only:
        _make_for_the_group(path)
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    db.row_factory = sqlite3.Row
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads; it sees what was committed, and never waits for a writer."""
    db = connect(path, read_only=True)
    db.execute("PRAGMA query_only = ON")
    return db


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive a power cut. Raises ``StoreError`` where write-ahead logging is impossible."""
    db = connect(path, read_only=False)
    try:
        log_ahead(db, path)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA journal_size_limit = {_KEEP_WAL_BYTES}")
    except BaseException:
        db.close()
        raise
    return db


def log_ahead(db: sqlite3.Connection, path: Path) -> None:
    """Switch to write-ahead logging. Raises ``StoreError`` where that is impossible."""
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"The job store {safe_text(path)} lies on a file system without shared memory (a network share?); "
            "choose a state folder on a local disk with --state."
        )


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and on disk when it ends."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


class Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs whole steps on its thread."""

    def __init__(self, path: Path, opener: Callable[[Path], sqlite3.Connection]) -> None:
        super().__init__(lambda: opener(path), 64)
        self._thread.daemon = True  # a program that dies of an error must end, not wait for a store left open
        self._path = path

    async def start(self) -> None:
        """Open. Raises ``StoreError``; nothing is left running then."""
        try:
            await self
        except (sqlite3.Error, StoreError) as error:
            # aiosqlite's thread answers the loop once more before it ends; the loop must still be there then
            await asyncio.to_thread(self._thread.join)
            if isinstance(error, StoreError):
                raise
            raise explain(self._path, error) from error

    async def read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run *step* on the connection's thread. Raises ``StoreError``."""
        try:
            result: T = await self._execute(step, self._conn)  # type: ignore[no-untyped-call]  # aiosqlite's
        except sqlite3.Error as error:
            raise explain(self._path, error) from error
        return result

    async def write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run *step* as one durable transaction. Raises ``StoreError``; then nothing was changed."""

        def whole(db: sqlite3.Connection) -> T:
            with transaction(db):
                return step(db)

        return await self.read(whole)
