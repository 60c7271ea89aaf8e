"""What was said, owed, held and seen? The SQL steps on history, debts, holds, observations and notes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exlab_sync_tui.queue.rows import (
    HISTORY_COLUMNS,
    HOLD_COLUMNS,
    debt_values,
    history_values,
    hold_values,
    observation_values,
    path_bytes,
    plain,
    read_debt,
    read_history,
    read_hold,
    read_observation,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from exlab_sync_tui.model.hold import Hold, HoldScope
    from exlab_sync_tui.queue.skipping import Skips
    from exlab_sync_tui.queue.store import Debt, HistoryEntry, Observation

_THIS_DEBT = "run_path = ? AND kind = ? AND value = ? AND since = ?"


def append(db: sqlite3.Connection, entry: HistoryEntry) -> None:
    """Add a line to a run's story."""
    append_raw(db, history_values(entry))


def append_raw(db: sqlite3.Connection, values: tuple[object, ...]) -> None:
    """Add a line from the values of ``HISTORY_COLUMNS`` without ``seq``."""
    db.execute(f"INSERT INTO history ({HISTORY_COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def history(
    db: sqlite3.Connection, skips: Skips, run_path: str, after_seq: int, limit: int, *, newest_first: bool = False
) -> list[HistoryEntry]:
    """A page of a run's story."""
    order = "seq DESC" if newest_first else "seq"
    rows = db.execute(
        f"SELECT {HISTORY_COLUMNS} FROM history WHERE run_path = ? AND seq > ? ORDER BY {order} LIMIT ?",
        (path_bytes(run_path), after_seq, limit),
    )
    return list(skips.each(rows, read_history, "history line"))


def news(db: sqlite3.Connection, skips: Skips, after_seq: int, limit: int) -> list[HistoryEntry]:
    """A page of what happened to any run."""
    rows = db.execute(f"SELECT {HISTORY_COLUMNS} FROM history WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit))
    return list(skips.each(rows, read_history, "history line"))


def newest(db: sqlite3.Connection) -> int:
    """The number of the newest line."""
    (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM history").fetchone()
    return int(seq)


def owe(db: sqlite3.Connection, debt: Debt) -> None:
    """Remember an owed write; it replaces the older one of that kind."""
    db.execute("INSERT OR REPLACE INTO debts VALUES (?, ?, ?, ?, ?)", debt_values(debt))


def unpaid(db: sqlite3.Connection, debt: Debt, reason: str) -> None:
    """Note why exactly this debt could not be paid."""
    db.execute(f"UPDATE debts SET last_error = ? WHERE {_THIS_DEBT}", (plain(reason), *debt_values(debt)[:-1]))


def paid(db: sqlite3.Connection, debt: Debt) -> None:
    """Forget exactly this debt."""
    db.execute(f"DELETE FROM debts WHERE {_THIS_DEBT}", debt_values(debt)[:-1])


def debts(db: sqlite3.Connection, skips: Skips, run_path: str) -> list[Debt]:
    """What is owed, oldest first."""
    rows = db.execute(
        "SELECT run_path, kind, value, since, last_error FROM debts WHERE ?1 = x'' OR run_path = ?1"
        " ORDER BY since, run_path, kind",
        (path_bytes(run_path),),
    )
    return list(skips.each(rows, read_debt, "debt"))


def set_hold(db: sqlite3.Connection, skips: Skips, hold: Hold, story: HistoryEntry | None) -> bool:
    """Lay or renew a hold; whether it says something new."""
    before = get_hold(db, skips, hold.scope, hold.key)
    same_kind = before is not None and before.kind is hold.kind
    values = list(hold_values(hold))
    said = values[3]
    if before is not None and same_kind:
        values[4] = hold_values(before)[4]
    db.execute(f"INSERT OR REPLACE INTO holds ({HOLD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    if story is not None:
        append(db, story)
    return not (before is not None and same_kind and before.sentence == said)


def get_hold(db: sqlite3.Connection, skips: Skips, scope: HoldScope, key: str) -> Hold | None:
    """The hold on one thing."""
    rows = db.execute(f"SELECT {HOLD_COLUMNS} FROM holds WHERE key = ? AND scope = ?", (path_bytes(key), scope.value))
    return skips.first(rows, read_hold, "hold")


def clear_hold(
    db: sqlite3.Connection, skips: Skips, scope: HoldScope, key: str, story: HistoryEntry | None
) -> Hold | None:
    """Remove the hold on one thing; the one that was there."""
    before = get_hold(db, skips, scope, key)
    db.execute("DELETE FROM holds WHERE key = ? AND scope = ?", (path_bytes(key), scope.value))
    if before is not None and story is not None:
        append(db, story)
    return before


def holds(db: sqlite3.Connection, skips: Skips, equipment_id: str, after_key: str, limit: int) -> list[Hold]:
    """A page ordered by key bytes. Holds of one key stay on one page, which may be longer by those."""
    which = "equipment_id = :equipment AND " if equipment_id else ""
    values: dict[str, object] = {"equipment": equipment_id, "key": path_bytes(after_key), "limit": limit}
    select = f"SELECT {HOLD_COLUMNS} FROM holds WHERE {which}"
    page = db.execute(f"{select} key > :key ORDER BY key, scope LIMIT :limit", values).fetchall()
    if len(page) == limit:
        last = {**values, "key": page[-1]["key"], "scope": page[-1]["scope"]}
        page += db.execute(f"{select} key = :key AND scope > :scope ORDER BY scope", last).fetchall()
    return list(skips.each(page, read_hold, "hold"))


def observation(db: sqlite3.Connection, run_path: str) -> Observation | None:
    """How a run looked last time."""
    row = db.execute(
        "SELECT run_path, fingerprint, since, seen, taken FROM observations WHERE run_path = ?", (path_bytes(run_path),)
    ).fetchone()
    return None if row is None else read_observation(row)


def observations(db: sqlite3.Connection, run_paths: Sequence[str]) -> dict[str, Observation]:
    """How these runs looked last time."""
    found = (observation(db, run_path) for run_path in run_paths)  # one text for any number, as in ``Jobs.by_runs``
    return {seen.run_path: seen for seen in found if seen is not None}


def observe(db: sqlite3.Connection, seen: Observation) -> None:
    """Remember how a run looks."""
    db.execute("INSERT OR REPLACE INTO observations VALUES (?, ?, ?, ?, ?)", observation_values(seen))


def mark_taken(db: sqlite3.Connection, run_path: str, fingerprint: str) -> None:
    """The run was handed over as it looked with this fingerprint."""
    db.execute(
        "UPDATE observations SET taken = 1 WHERE run_path = ? AND fingerprint = ?",
        (path_bytes(run_path), plain(fingerprint)),
    )


def forget_observation(db: sqlite3.Connection, run_path: str) -> None:
    """Stop remembering it."""
    db.execute("DELETE FROM observations WHERE run_path = ?", (path_bytes(run_path),))


def note(db: sqlite3.Connection, key: str, value: str | None) -> None:
    """Keep or remove a small text."""
    if value is None:
        db.execute("DELETE FROM notes WHERE key = ?", (plain(key),))
    else:
        db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (plain(key), path_bytes(value)))


def noted(db: sqlite3.Connection, key: str) -> str | None:
    """The text under a key."""
    row = db.execute("SELECT value FROM notes WHERE key = ?", (plain(key),)).fetchone()
    return None if row is None else os.fsdecode(row[0])
