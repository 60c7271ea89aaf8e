"""What does the gate say of one run now, and who let what pass?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.engine.grants import recorded_here
from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.provenance.overrides import in_force, is_tombstone
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exlab_sync_tui.gate.validator import GateOptions
    from exlab_sync_tui.model.finding import Finding
    from exlab_sync_tui.model.run import EquipmentFolder, RunFolder
    from exlab_sync_tui.queue.store import JobStore


@dataclass(frozen=True, slots=True)
class Objections:
    """Findings and overrides of a run; ``problem`` says why there are none to be had. Nothing is safe to show yet."""

    findings: tuple[Finding, ...] = ()
    overrides: tuple[Mapping[str, str], ...] = field(default_factory=tuple)
    problem: str = ""


async def objections(
    store: JobStore, run_path: str, folders: Sequence[EquipmentFolder], options: GateOptions, *, now: datetime
) -> Objections:
    """Ask the gate, in a thread; nothing is raised for what somebody can mend, and nothing is written.

    Raises ``StoreError``.
    """
    try:
        run = await asyncio.to_thread(locate, Path(run_path), folders)
    except ExlabSyncError as error:
        return Objections(problem=str(error))
    granted = tuple(await recorded_here(store, run))
    return await asyncio.to_thread(_judged, run, options, granted, now)


def _judged(run: RunFolder, options: GateOptions, granted: Sequence[Mapping[str, Any]], now: datetime) -> Objections:
    try:
        verdict = Validator(options).judge(run, at=now, granted=granted)
    except ExlabSyncError as error:
        return Objections(problem=str(error))
    except OSError as error:
        return Objections(problem=f"{error.filename or run.path} cannot be read: {error.strerror or error}.")
    try:
        entries = [*read_creation(run.path).validation_overrides, *granted]
    except ExlabSyncError:
        entries = [*granted]  # the gate has said what is wrong with creation.json, or a plain run has none
    return Objections(tuple(verdict.findings), tuple(override_rows(entries, now)))


def override_rows(entries: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, str]]:
    """Overrides in the order in which they were recorded, and by whom each was revoked."""
    ends = {str(entry["revokes"]): entry for entry in entries if is_tombstone(entry)}
    return [
        {
            "id": str(entry.get("id") or ""),
            "rule": str(entry.get("problem_class", "")),
            "state": _state(entry, ends, now),
            "operator": str(entry.get("operator", "")),
            "recorded_at": str(entry.get("recorded_at", "")),
            "expires_at": str(entry.get("expires_at") or ""),
            "reason": str(entry.get("reason", "")),
        }
        for entry in entries
        if not is_tombstone(entry)
    ]


def _state(entry: Mapping[str, object], ends: Mapping[str, Mapping[str, object]], now: datetime) -> str:
    if in_force([entry, *ends.values()], now):
        return f"until {entry['expires_at']}" if entry.get("expires_at") else "in force"
    end = ends.get(str(entry.get("id")))
    if end is not None:
        return f"revoked by {end.get('operator', '')}: {end.get('reason', '')}"
    return "revoked" if entry.get("revoked") else "expired"
