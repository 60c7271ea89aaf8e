"""Why is this run not safe yet, and what happens next? One sentence; for a safe run, how it is proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import SAFE_STATES
from exlab_sync_tui.operate.runs import all_holds
from exlab_sync_tui.text import ago, count, safe_text, size, utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.operate.runs import KnownRun
    from exlab_sync_tui.queue.store import JobStore

_START = "`exlab-sync run` starts one"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the store alone does not tell: the moment, whether an engine runs, and each instrument's remote root."""

    now: datetime
    engine: bool | None = None
    far_roots: Mapping[str, str] = field(default_factory=dict)

    def far_path(self, job: SyncJobRow) -> str:
        """Where the run lies, or will lie, on the far side; safe to show."""
        root = self.far_roots.get(job.equipment_id, "").rstrip("/")
        return safe_text(f"{root}/{job.nas_path}" if root else job.nas_path)


async def why(store: JobStore, run: KnownRun, around: Surroundings) -> str:
    """The sentence for a run that the store knows."""
    if run.job is None:
        return f"{safe_text(run.name)} is not queued yet: {_of_hold(run.hold, around)}"
    if run.job.state in SAFE_STATES:
        return _safe(run, run.job, around)
    if run.job.state is SyncJobState.FAILED:
        return _failed(run, run.job)
    if run.job.state is SyncJobState.QUEUED:
        return await _queued(store, run, run.job, around)
    return _moving(run, run.job, around)


def _safe(run: KnownRun, job: SyncJobRow, around: Surroundings) -> str:
    what = f"{count(job.files_total, 'file')}, {size(job.bytes_total)}"
    when = f", verified {utc(job.verified_at)}" if job.verified_at else ""
    passes = f" in {job.verify_passes} passes" if job.verify_passes > 1 else ""
    proof = f": {job.evidence.sentence}{passes} ({job.evidence.value})" if job.evidence else ""
    local = "; the local copy was released" if job.state is SyncJobState.CLEANED else ""
    but = f". But: {_of_hold(run.hold, around)}" if run.hold is not None else "."
    return f"{safe_text(run.name)} is safe at {around.far_path(job)} ({what}{when}){proof}{local}{but}"


def _failed(run: KnownRun, job: SyncJobRow) -> str:
    attempts = f" after {count(job.attempts, 'attempt')}" if job.attempts else ""
    kind, sentence = kind_and_sentence(job.last_error or "the reason was not recorded")
    told = f" ({kind.replace('_', ' ')})" if kind else ""
    retry = f"once that is mended, `exlab-sync retry {job.id[:8]}` queues it again"
    return f"{safe_text(run.name)} failed{attempts}{told}: {_inside(sentence)}; {retry}."


async def _queued(store: JobStore, run: KnownRun, job: SyncJobRow, around: Surroundings) -> str:
    name = safe_text(run.name)
    hold = run.hold or await _wider_hold(store, job, around)
    if hold is not None:
        return f"{name} waits: {_of_hold(hold, around)}"
    if job.next_attempt_at is not None and job.next_attempt_at > around.now:
        reason = f" ({_inside(job.last_error)})" if job.last_error else ""
        return f"{name} waits for its next attempt {ago(job.next_attempt_at, around.now)}{reason}."
    if around.engine is False:
        return f"{name} is queued and nothing moves, because no engine runs; {_START}."
    return f"{name} is queued; it goes by itself when the lane of {job.equipment_id} reaches it."


def _moving(run: KnownRun, job: SyncJobRow, around: Surroundings) -> str:
    name = safe_text(run.name)
    doing = "being sent" if job.state is SyncJobState.RUNNING else "sent, and both sides are being compared"
    if around.engine is False:
        return f"{name} was {doing} when the engine stopped; it is taken up there by the next one, and {_START}."
    return f"{name} is {doing}; it becomes visible on the destination once every byte is proven."


async def _wider_hold(store: JobStore, job: SyncJobRow, around: Surroundings) -> Hold | None:
    """The hold on the job's instrument, or on its destination, that keeps it waiting."""
    own = await store.hold(HoldScope.EQUIPMENT, job.equipment_id)
    if own is not None:
        return own
    root = around.far_roots.get(job.equipment_id)
    async for hold in all_holds(store):
        same_place = root is not None and hold.key.partition(":")[2] == root
        if hold.scope is HoldScope.DESTINATION and (same_place or hold.equipment_id == job.equipment_id):
            return hold
    return None


def _of_hold(hold: Hold | None, around: Surroundings) -> str:
    """The hold's sentence and what ends it."""
    if hold is None:
        return "nothing is known about it."
    parts = [_inside(hold.sentence)]
    if hold.next_step:
        parts.append(_inside(hold.next_step))
    elif hold.until is None and hold.kind in _NEXT:
        parts.append(_NEXT[hold.kind])
    if hold.until is not None and hold.until > around.now and "looks again" not in hold.next_step:
        parts.append(f"next look {ago(hold.until, around.now)}")
    if around.engine is False:
        parts.append(f"no engine runs, so nobody looks: {_START}")
    return f"{'; '.join(parts)}."


_NEXT = {
    HoldKind.PAUSED: "it goes on when somebody resumes it",
    HoldKind.WAITING: "it is tried again by itself",
    HoldKind.DISABLED: "it goes once sync.enabled is true",
}


def _bare(sentence: str) -> str:
    """Without its full stop, so that it can stand inside another sentence."""
    return sentence.strip().rstrip(".")


def _inside(sentence: str) -> str:
    """The same with a small first letter, unless it begins with a name in capitals."""
    bare = _bare(safe_text(sentence))
    return bare[:1].lower() + bare[1:] if bare[1:2].islower() or bare[1:2] == " " else bare


def kind_and_sentence(last_error: str) -> tuple[str, str]:
    """``last_error`` is the class of the failure, then the words (``FORMATS.md`` §6); no class is empty text."""
    kind, colon, words = last_error.partition(": ")
    return (kind, words) if colon and kind in set(TransportErrorKind) else ("", last_error)
