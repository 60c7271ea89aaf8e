"""What becomes of a damaged store? It is set aside with a date, never deleted, and a new one begins in its place.

What cannot be found in run folders, manifests and receipts is read from the damaged file as far as that goes.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.platform import fsync_folder
from exlab_sync_tui.queue import schema
from exlab_sync_tui.queue.connection import connect, explain, transaction
from exlab_sync_tui.queue.rows import path_bytes
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

PENDING_NOTE = "rebuild:from"
"""Under this note a store that has begun anew says where the damaged one lies, until it has been rebuilt."""
_BESIDE = ("-wal", "-shm", "")
"""The log goes first and the store itself last: a crash in between leaves a damaged store that is found again."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """What could still be read. ``aside`` is where the damaged store lies now; ``kept`` and ``released`` are run paths,
    ``queued`` those that were not published yet. ``is_whole``: reading met no damage."""

    aside: Path
    store_id: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    released: frozenset[str] = frozenset()
    queued: tuple[str, ...] = ()
    is_whole: bool = False


def begin_anew(path: Path, at: datetime) -> None:
    """Make a new store with the same identity, then put it in the place of the damaged one, which is set aside.

    The new one says in a note that it has to be rebuilt, and from what. A crash anywhere leaves either the damaged
    store in its place, or the new one ready for ``take_up``. Raises ``StoreError``.
    """
    try:
        found = read_salvage(path)
        aside, fresh = _free_name(path, at), _fresh(path)
        for end in _BESIDE:
            fresh.with_name(fresh.name + end).unlink(missing_ok=True)
        schema.prepare(fresh, schema.migrations())
        with closing(connect(fresh, read_only=False)) as db, transaction(db):
            if found.store_id:
                db.execute("UPDATE meta SET value = ? WHERE key = 'store_id'", (found.store_id,))
            notes = {**found.notes, PENDING_NOTE: str(aside)}
            values = [(key, path_bytes(value)) for key, value in notes.items()]
            db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", values)
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
        take_up(path)
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise StoreError(
            f"The damaged job store {safe_text(path)} cannot be set aside: {safe_text(error)}. Move it away, then start"
            " again."
        ) from error


def take_up(path: Path) -> None:
    """Finish an exchange that was broken off after the damaged store had been set aside. Raises ``StoreError``."""
    try:
        if not path.exists() and _fresh(path).exists():
            _fresh(path).rename(path)
            fsync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"The job store {safe_text(path)} cannot be put in its place: {safe_text(error)}.") from error


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _free_name(path: Path, at: datetime) -> Path:
    stamp = at.strftime("%Y-%m-%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while any(os.path.lexists(f"{aside}{end}") for end in _BESIDE):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    return aside


def read_salvage(aside: Path) -> Salvage:
    """What can be read of a damaged store, wherever it lies; nothing is written into it."""
    told: dict[str, list[tuple[object, ...]]] = {name: [] for name in _QUERIES}
    is_whole = True
    try:
        with closing(connect(aside, read_only=True)) as db:
            for name, query in _QUERIES.items():
                is_whole &= _gather(db, query, told[name])
    except sqlite3.Error:
        is_whole = False
    ids = [str(value) for (value,) in told["store_id"]]
    return Salvage(
        aside,
        store_id=ids[0] if ids else "",
        notes={str(key): _text(value) for key, value in told["notes"] if key != PENDING_NOTE},
        kept=frozenset(_text(path) for (path,) in told["kept"]),
        released=frozenset(_text(path) for (path,) in told["released"]),
        queued=tuple(_text(path) for (path,) in told["queued"]),
        is_whole=is_whole,
    )


# Notes that outlive an engine have a colon: destinations, pauses, overrides of plain runs.
# Without indexes, which may be what is damaged: a walk over the table itself reads what is left of it.
_QUERIES = {
    "store_id": "SELECT value FROM meta WHERE key = 'store_id'",
    "notes": "SELECT key, value FROM notes WHERE key LIKE '%:%'",
    "kept": "SELECT run_path FROM jobs NOT INDEXED WHERE keep_local = 1",
    "released": "SELECT run_path FROM jobs NOT INDEXED WHERE releasing_at IS NOT NULL OR state = 'cleaned'",
    "queued": "SELECT run_path FROM jobs NOT INDEXED WHERE state IN ('queued', 'running', 'awaiting_verify')",
}


def _gather(db: sqlite3.Connection, query: str, rows: list[tuple[object, ...]]) -> bool:
    """Read row by row, so that what comes before the damage is kept; whether all could be read."""
    try:
        rows.extend(tuple(row) for row in db.execute(query))
    except sqlite3.Error:
        return False
    return True


def _text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)
