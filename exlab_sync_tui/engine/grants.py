"""Which overrides does a run have, wherever they are recorded?

They stand in its ``creation.json``. Into a ``plain`` run's folder nothing is written (``FORMATS.md`` §1), so what is
decided about such a run is kept in the store, in entries of the same kind, and counts together with those of a
``creation.json`` that lies there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import OrphanRunError
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.provenance.overrides import revoked_since

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.queue.store import JobStore

_MARK = {"problem_class": "", "revoked": True}
"""Stands for entries that cannot be read: it lifts nothing, and counts as revoked just now."""


async def recorded_here(store: JobStore, run: RunFolder) -> tuple[Mapping[str, Any], ...]:
    """The entries that the store keeps for a ``plain`` run, oldest first; none for any other."""
    if run.writes_locally:
        return ()
    noted = await store.noted(_key(run))
    if noted is None:
        return ()
    try:
        entries = json.loads(noted)
    except ValueError:
        return (_MARK,)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return (_MARK,)
    return tuple(entries)


async def record_here(store: JobStore, run: RunFolder, entry: Mapping[str, Any]) -> None:
    """Append an entry for a ``plain`` run; for one caller at a time."""
    entries = [*await recorded_here(store, run), entry]
    await store.note(_key(run), json.dumps(entries))


async def entries_of(store: JobStore, run: RunFolder) -> tuple[Mapping[str, Any], ...]:
    """Every entry, of ``creation.json`` and of the store. Raises ``CreationError`` if the former cannot be read."""
    try:
        creation = await asyncio.to_thread(read_creation, run.path)
    except OrphanRunError:
        if run.writes_locally:
            raise
        return await recorded_here(store, run)
    return (*creation.validation_overrides, *await recorded_here(store, run))


async def was_revoked_since(store: JobStore, run: RunFolder, moment: datetime) -> bool:
    """Whether an override was revoked at or after *moment*, as cleanup asks (``FORMATS.md`` §8).

    An unreadable time counts as since. Raises ``CreationError`` and ``OrphanRunError`` if ``creation.json`` cannot be
    read or is gone; that blocks, too.
    """
    return revoked_since(await entries_of(store, run), moment)


def _key(run: RunFolder) -> str:
    """A path of any bytes has a key of plain letters."""
    return f"overrides:{hashlib.sha256(os.fsencode(run.path)).hexdigest()}"
