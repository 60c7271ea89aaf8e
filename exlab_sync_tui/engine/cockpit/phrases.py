"""How does the engine tell what became of an order? One sentence and one exit code each (``FORMATS.md`` §11)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Outcome
from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.text import count, safe_text, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exlab_sync_tui.engine.cockpit.pause import Pause
    from exlab_sync_tui.engine.scout import Sighting
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobHandle, SyncJobRow
    from exlab_sync_tui.model.verdict import VerifyResult

FAILURE, WAITING, MISMATCH, BLOCKED = 1, 5, 10, 11
_NAMED = 3


def run_name(run_path: str) -> str:
    """The last part of a run's path, safe to show."""
    return safe_text(Path(run_path).name)


def blocked(handle: SyncJobHandle, hold: Hold | None) -> Outcome:
    """The gate objects."""
    why = hold.sentence if hold else f"{count(len(handle.blocking_findings), 'finding')} of the gate."
    return Outcome(f"{run_name(handle.run_path)} was not queued. {why}", BLOCKED)


def enqueued(before: SyncJobRow | None, after: SyncJobRow, waits: str) -> Outcome:
    """A run has a job now, or had one."""
    name, state = run_name(after.run_path), after.state.value.replace("_", " ")
    if before is None or (before.state is not after.state and after.state is SyncJobState.QUEUED):
        return Outcome(f"{name} is queued{waits}.")
    if after.state is SyncJobState.FAILED:
        return Outcome(f"{name} has failed before and stays so; `exlab-sync retry` queues it again.", FAILURE)
    return Outcome(f"{name} has a job already: it is {state}{waits}.")


def queued_again(job: SyncJobRow, waits: str) -> Outcome:
    """A failed run got another chance."""
    return Outcome(f"{run_name(job.run_path)} was queued again{waits}.")


def passed(before: SyncJobRow, after: SyncJobRow) -> Outcome:
    """A verified run got a verification pass."""
    name = run_name(after.run_path)
    if after.state is SyncJobState.FAILED:
        return Outcome(f"{name} failed: {_words(after.last_error)}", MISMATCH)
    if after.is_released and not after.verify_passes:
        return Outcome(f"{name} is damaged on the destination: {_words(after.last_error)}", MISMATCH)
    passes = count(after.verify_passes, "pass", "passes")
    rest = "" if after.verify_passes > before.verify_passes else "; the last one is too recent for this one to count"
    return Outcome(f"{name}: both sides still agree, {passes}{rest}.")


def compared(job: SyncJobRow, result: VerifyResult) -> Outcome:
    """Both sides were compared, and nothing was changed."""
    name = run_name(job.run_path)
    if result.error_kind is not None:
        kind = result.error_kind.value.replace("_", " ")
        code = WAITING if result.error_kind is TransportErrorKind.NETWORK else FAILURE
        return Outcome(f"{name} could not be compared now ({kind}); nothing was changed.", code)
    if result.ok:
        how = f": {result.evidence.sentence}" if result.evidence else ""
        return Outcome(f"{name}: {count(result.files, 'file')}, {size(result.size)} agree{how}.")
    kinds = (("differs", result.mismatched), ("missing", result.missing), ("extra", result.extra))
    found = "; ".join(f"{word}: {_some(rels)}" for word, rels in kinds if rels)
    return Outcome(f"{name} is not as recorded. {found[:1].upper()}{found[1:]}.", MISMATCH)


def paused(equipment_id: str, pause: Pause, flying: SyncJobRow | None, *, is_new: bool) -> Outcome:
    """An instrument stands still."""
    if not is_new:
        return Outcome(f"{equipment_id} is paused already. {pause.sentence}")
    run = f" {run_name(flying.run_path)} keeps its place and what has arrived." if flying else ""
    return Outcome(f"{equipment_id} is paused until `exlab-sync resume {equipment_id}`; its runs queue and wait.{run}")


def resumed(equipment_id: str, hold: Hold | None, *, was_paused: bool) -> Outcome:
    """An instrument may go on."""
    but = f" But: {hold.sentence}" if hold else ""
    if not was_paused:
        return Outcome(f"{equipment_id} is not paused.{but}")
    return Outcome(f"{equipment_id} was resumed.{but}" if but else f"{equipment_id} was resumed; its runs go on.")


def rescanned(found: Mapping[str, Sighting]) -> Outcome:
    """Folders were looked at."""
    runs, taken = sum(seen.runs for seen in found.values()), sum(seen.taken for seen in found.values())
    problems = [safe_text(problem) for seen in found.values() for problem in seen.problems]
    looked = f"Looked at {count(runs, 'run')} of {count(len(found), 'instrument')}: {taken:,} taken."
    return Outcome(" ".join([looked, *problems[:_NAMED]]), FAILURE if problems else 0)


def _some(rels: tuple[str, ...]) -> str:
    named = ", ".join(safe_text(rel) for rel in rels[:_NAMED])
    return named + (f" and {count(len(rels) - _NAMED, 'other')}" if len(rels) > _NAMED else "")


def _words(last_error: str | None) -> str:
    """``last_error`` without the class in front."""
    kind, colon, words = (last_error or "").partition(": ")
    return safe_text(words if colon and kind in set(TransportErrorKind) else last_error or "the reason is not known.")
