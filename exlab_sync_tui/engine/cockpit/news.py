"""What did a line of history announce? Makes the engine's events again for consoles in other processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.journey import ENGINE
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exlab_sync_tui.queue.store import HistoryEntry, JobStore

_OF_STATE = {
    SyncJobState.QUEUED.value: EventKind.RUN_QUEUED,
    SyncJobState.RUNNING.value: EventKind.RUN_STARTED,
    SyncJobState.AWAITING_VERIFY.value: EventKind.RUN_SENT,
    SyncJobState.VERIFIED.value: EventKind.RUN_VERIFIED,
    SyncJobState.FAILED.value: EventKind.RUN_FAILED,
    SyncJobState.CLEANED.value: EventKind.RUN_CLEANED,
}
_BEFORE_A_RETRY = frozenset({SyncJobState.RUNNING.value, SyncJobState.AWAITING_VERIFY.value})
_KINDS = {kind.value: kind for kind in EventKind}


class Newsroom:
    """Turns lines into events; *roots* are the instruments' folders by equipment id, for the names of runs."""

    def __init__(self, store: JobStore, roots: Mapping[str, Path]) -> None:
        self._store = store
        self._roots = {name: Path(os.path.realpath(root)) for name, root in roots.items()}

    async def event(self, line: HistoryEntry) -> Event:
        """The event that was announced with *line*."""
        if (kind := _KINDS.get(str(line.data.get("event")))) is not None:
            equipment_id = str(line.data.get("equipment", ""))
            return Event(line.at, kind, safe_text(line.what), equipment_id, line.run_path, line.job_id, line.data)
        job = await self._store.job(line.job_id) if line.job_id else None
        equipment_id = job.equipment_id if job else ""
        name = f"{equipment_id} {self._name(equipment_id, line.run_path)}".strip()
        sentence = safe_text(f"{name}: {line.what}")
        return Event(line.at, _kind_of(line), sentence, equipment_id, line.run_path, line.job_id, line.data)

    def _name(self, equipment_id: str, run_path: str) -> str:
        run, root = Path(run_path), self._roots.get(equipment_id)
        return str(run.relative_to(root)) if root is not None and run.is_relative_to(root) else run.name


def _kind_of(line: HistoryEntry) -> EventKind:
    if line.after == SyncJobState.QUEUED.value and line.before in _BEFORE_A_RETRY and line.who == ENGINE:
        return EventKind.RUN_RETRY
    return _OF_STATE.get(line.after, EventKind.OPERATOR)
