"""Is this file a store that we may use, and has it today's form? Checks, makes and upgrades it."""

from __future__ import annotations

import os
import sqlite3
import uuid
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotFoundError, StoreError, StoreTooNewError
from exlab_sync_tui.queue.connection import connect, damaged, explain, open_writer
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

APPLICATION_ID = 0x45584C53
"""``EXLS`` in the file's header: how a store of ours is told from another program's database."""
_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the store's form."""

    version: int
    sql: str


def migrations() -> tuple[Migration, ...]:
    """The steps that this version of the program knows, in order."""
    folder = resources.files("exlab_sync_tui.queue.migrations")
    found = [
        Migration(int(file.name.removesuffix(".sql")), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda step: step.version))


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _is_foreign(db: sqlite3.Connection) -> bool:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(application != APPLICATION_ID and tables)


def _inspect(path: Path, newest: int, *, thorough: bool) -> int:
    """The form of an existing file, 0 for an empty one; only reads. Raises ``StoreError``."""
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head not in {b"", _MAGIC}:  # SQLite itself takes a file of a few bytes for an empty one
        raise damaged(path, "it is not a SQLite database")
    db = connect(path, read_only=True)
    try:
        version = _version(db)
        if _is_foreign(db):
            raise StoreError(
                f"{safe_text(path)} is another program's database and was left untouched; choose another path."
            )
        if version > newest:
            raise StoreTooNewError(
                f"The job store {safe_text(path)} has form {version} and this program knows forms up to {newest}; "
                "upgrade this program. The store was left untouched."
            )
        if thorough:
            _check(db, path)
        return version
    finally:
        db.close()


def _check(db: sqlite3.Connection, path: Path) -> None:
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, verdict)


def _back_up(path: Path, version: int) -> None:
    """Copy the store beside itself before it gets form *version*; the copy appears whole or not at all."""
    copy = path.with_name(f"{path.name}.before-{version}.bak")
    partial = copy.with_name(copy.name + ".partial")
    partial.unlink(missing_ok=True)
    source, target = connect(path, read_only=True), sqlite3.connect(partial)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
    handle = os.open(partial, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    partial.replace(copy)


def _upgrade(path: Path, steps: Sequence[Migration]) -> None:
    """Take all *steps* in one transaction; a new store gets its id in the same."""
    db = open_writer(path)
    try:
        script = "".join(f"{step.sql}\nPRAGMA user_version = {step.version};\n" for step in steps)
        db.executescript(f"BEGIN IMMEDIATE;\n{script}")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('store_id', ?)", (str(uuid.uuid4()),))
        db.execute("COMMIT")
    finally:
        db.close()


def prepare(path: Path, steps: Sequence[Migration]) -> None:
    """Make *path* a store of today's form: created, checked, or backed up and upgraded.

    Raises ``StoreTooNewError``, ``StoreDamagedError`` or ``StoreError``; the file is untouched then."""
    newest = steps[-1].version
    try:
        version = _inspect(path, newest, thorough=True) if path.exists() else 0
        if version == newest:
            return
        if version:
            _back_up(path, newest)
        _upgrade(path, [step for step in steps if step.version > version])
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise StoreError(f"The job store {safe_text(path)} cannot be prepared: {safe_text(error)}.") from error


def require(path: Path, steps: Sequence[Migration]) -> None:
    """Make sure that *path* can be read as it is. Raises ``NotFoundError`` or ``StoreError``."""
    newest = steps[-1].version
    if not path.exists():
        raise NotFoundError(f"Nothing has been queued yet: there is no job store at {safe_text(path)}.")
    try:
        version = _inspect(path, newest, thorough=False)
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise StoreError(f"The job store {safe_text(path)} cannot be read: {safe_text(error)}.") from error
    if version == 0:
        raise NotFoundError(f"Nothing has been queued yet: the job store {safe_text(path)} is empty.")
    if version < newest:
        raise StoreError(
            f"The job store {safe_text(path)} was written by an older exlab-sync; "
            "`exlab-sync run` brings it up to date."
        )


def store_id(db: sqlite3.Connection) -> str:
    """The uuid4 made with the store."""
    (text,) = db.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
    return str(text)
