"""What would the engine think of this folder, if it looked now? Discovery, completeness and gate in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import CreationError, OrphanRunError
from exlab_sync_tui.gate.advice import advice
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.model.run import Layout
from exlab_sync_tui.operate.wiring import completeness_options, equipment_folders, gate_options
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.watch.completeness import look
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.settings import Settings

    Granted = Callable[[RunFolder], Sequence[Mapping[str, Any]]]


def why_on_disk(path: Path, settings: Settings, *, now: datetime, granted: Granted = lambda _: ()) -> str:
    """The sentence for a run folder without a job. Reads the disk: for threads.

    *granted* tells the overrides of a run that do not stand in its folder.

    Raises ``NotFoundError``, ``UnknownEquipmentError``, ``UsageError``.
    """
    run = locate(path, equipment_folders(settings))
    name = safe_text(run.path.name)
    item = next(item for item in settings.equipment if item.id == run.equipment_id)
    if item.transport is None:
        return f"{name} is not queued here: {item.id} has sync_mode stage, so ExLab-Wizard moves its runs."
    try:
        seen = look(run, completeness_options(settings, item), at=now)
    except OSError as error:
        return f"{name} cannot be looked at: {safe_text(error.filename or run.path)}: {safe_text(error.strerror)}."
    objection = _objection(run, settings, now, granted(run))
    if objection:
        return f"{name} is not known to the engine yet, and would be kept here: {objection}"
    then = "`exlab-sync run` takes it once it is finished, `exlab-sync enqueue` at once"
    finished = f"{seen.sentence.rstrip('.')}; the gate has nothing against it"
    return f"{name} is not known to the engine yet: {finished}; {then}."


def _objection(run: RunFolder, settings: Settings, now: datetime, granted: Sequence[Mapping[str, Any]]) -> str:
    """What keeps the run from being queued, with what to do; empty if nothing does."""
    if run.equipment.layout is Layout.EXLAB:
        try:
            read_creation(run.path)
        except (OrphanRunError, CreationError) as error:
            return str(error)
    verdict = Validator(gate_options(settings)).judge(run, at=now, granted=granted)
    if not verdict.blocking:
        return ""
    first = verdict.blocking[0]
    more = f" (and {count(len(verdict.blocking) - 1, 'more finding')})" if len(verdict.blocking) > 1 else ""
    where = "" if first.offending_path == "." else f" at {safe_text(first.offending_path)}"
    return f"{first.rule.value}{where}: {first.rule_detail}{more}. {advice(first)}"
