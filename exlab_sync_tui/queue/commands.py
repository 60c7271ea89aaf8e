"""What has been asked of the engine, and what became of it? The SQL steps on the table of commands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.queue.rows import COMMAND_COLUMNS, moment_text, path_bytes, plain, read_command

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from exlab_sync_tui.queue.store import Command

UNANSWERED_SQL = (
    f"SELECT {COMMAND_COLUMNS} FROM commands INDEXED BY commands_unanswered WHERE done_at IS NULL ORDER BY seq LIMIT ?"
)
PRUNE_SQL = "DELETE FROM commands WHERE done_at IS NOT NULL AND done_at < ?"
KEPT = timedelta(days=1)
"""How long an answered order stays to be read."""


def ask(db: sqlite3.Connection, command: Command) -> None:
    """Leave an order, once."""
    db.execute(
        "INSERT OR IGNORE INTO commands (id, verb, target, who, at) VALUES (?, ?, ?, ?, ?)",
        (
            plain(command.id),
            plain(command.verb),
            path_bytes(command.target),
            plain(command.who),
            moment_text(command.at),
        ),
    )


def unanswered(db: sqlite3.Connection, limit: int) -> list[Command]:
    """The orders without an outcome, oldest first."""
    return [read_command(row) for row in db.execute(UNANSWERED_SQL, (limit,))]


def take(db: sqlite3.Connection, command_id: str, at: datetime) -> bool:
    """Begin with an order, unless it was withdrawn or answered."""
    taken = db.execute(
        "UPDATE commands SET taken_at = ? WHERE id = ? AND done_at IS NULL", (moment_text(at), plain(command_id))
    )
    return taken.rowcount == 1


def answer(db: sqlite3.Connection, command_id: str, outcome: str, exit_code: int, at: datetime) -> None:
    """Write the outcome, once, and drop what was answered long ago."""
    db.execute(
        "UPDATE commands SET outcome = ?, exit_code = ?, done_at = ? WHERE id = ? AND done_at IS NULL",
        (plain(outcome), exit_code, moment_text(at), plain(command_id)),
    )
    db.execute(PRUNE_SQL, (moment_text(at - KEPT),))


def answered(db: sqlite3.Connection, command_id: str) -> Command | None:
    """The order, if it has its outcome."""
    row = db.execute(
        f"SELECT {COMMAND_COLUMNS} FROM commands WHERE id = ? AND done_at IS NOT NULL", (plain(command_id),)
    ).fetchone()
    return None if row is None else read_command(row)


def withdraw(db: sqlite3.Connection, command_id: str) -> bool:
    """Take an order back that nobody has begun with."""
    gone = db.execute(
        "DELETE FROM commands WHERE id = ? AND taken_at IS NULL AND done_at IS NULL", (plain(command_id),)
    )
    return gone.rowcount == 1
