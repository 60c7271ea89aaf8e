"""How does a run stand, in one word, and what happens next with it, in half a sentence?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, mood_of, spoken
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import MOVING_STATES, SAFE_STATES
from exlab_sync_tui.text import ago, count, safe_text, size
from exlab_sync_tui.tui.moments import age
from exlab_sync_tui.tui.scene import NEEDS_SOMEBODY

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.engine.cockpit.view import Flight
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.scene import Live, Scene

_PROOF = {
    EvidenceLevel.REMOTE_HASH: "hashed by the NAS",
    EvidenceLevel.READ_BACK: "read back",
    EvidenceLevel.RSYNC_CHECKSUM: "rsync checksums",
    EvidenceLevel.READ_BACK_CACHED: "read back, may be cached",
    EvidenceLevel.SIZE_MTIME: "size and time only",
}
_SHORT_PROOF = {
    EvidenceLevel.REMOTE_HASH: "NAS hash",
    EvidenceLevel.READ_BACK: "read back",
    EvidenceLevel.RSYNC_CHECKSUM: "rsync sums",
    EvidenceLevel.READ_BACK_CACHED: "cached read",
    EvidenceLevel.SIZE_MTIME: "size only",
}
_GATE = "Blocked by the gate: "
_SHORT = {
    SyncJobState.RUNNING.value: "sending",
    SyncJobState.AWAITING_VERIFY.value: "checking",
    SyncJobState.CLEANUP_ELIGIBLE.value: "verified",
    HoldKind.WRONG_DESTINATION.value: "wrong NAS",
}


@dataclass(frozen=True, slots=True)
class Telling:
    """A mood, its word, and a story; a ``flight`` is drawn as a bar instead of the story. All safe to show.

    ``amount`` and ``age`` are texts, empty where nothing is known; ``brief`` is the story where there is little room,
    ``after`` where the proof has a column of its own (``None``: the same).
    """

    mood: str
    word: str
    story: str
    flight: Flight | None = None
    amount: str = ""
    age: str = ""
    brief: str = ""
    after: str | None = None


def tell(row: Row, scene: Scene, live: Live, lab: Lab) -> Telling:
    """How *row* stands."""
    told, flight = _tell(row, scene, live, lab), live.of(row.job)
    amount = flight.size if flight is not None else row.job.bytes_total if row.job is not None else 0
    since = _since(row)
    return replace(told, amount=size(amount) if amount else "", age=age(since, scene.at) if since is not None else "")


def proof(row: Row) -> str:
    """How a safe run is proved, and in how many passes; empty for any other."""
    job = row.job
    if job is None or job.evidence is None or job.state not in SAFE_STATES:
        return ""
    times = f" {job.verify_passes} times" if job.verify_passes > 1 else ""
    return _PROOF[job.evidence] + times


def _since(row: Row) -> datetime | None:
    if row.job is None:
        return row.hold.since if row.hold is not None else None
    if row.job.state in SAFE_STATES:
        return row.job.verified_at
    return row.job.enqueued_at


def _tell(row: Row, scene: Scene, live: Live, lab: Lab) -> Telling:
    job = row.job
    if job is None or (row.hold is not None and row.hold.kind is HoldKind.DAMAGED):
        return _of_hold(row.hold, scene) if row.hold is not None else Telling(NOTE, "unknown", "")
    if job.state in SAFE_STATES:
        return _safe(row, job, scene, lab)
    if job.state is SyncJobState.FAILED:
        return Telling(BAD, "failed", safe_text(job.last_error or "the reason was not recorded"))
    flight = live.of(job)
    if flight is not None:
        return Telling(MOVE, safe_text(flight.phase), "", flight)
    if job.state in MOVING_STATES:
        if not live.pulse.alive:
            return Telling(WAIT, "stopped", "the next engine takes it up where it was")
        return Telling(MOVE, word_of(job.state.value), "goes on in a moment")
    told = _queued(job, row.hold or _wider(job, scene, lab), scene, lab)
    return told if live.pulse.alive or told.word != "queued" else Telling(WAIT, "queued", "waits for an engine")


def mood_of_hold(kind: str) -> str:
    """Like ``mood_of``; what does not end by itself is bad news."""
    return BAD if kind in {one.value for one in NEEDS_SOMEBODY} else mood_of(kind)


def _safe(row: Row, job: SyncJobRow, scene: Scene, lab: Lab) -> Telling:
    word = "cleaned" if job.state is SyncJobState.CLEANED else "verified"
    proved, after = proof(row), _fate(job, scene, lab)
    brief = [_SHORT_PROOF[job.evidence]] if job.evidence else []
    if job.verified_at is not None:
        since = age(job.verified_at, scene.at)
        brief.append(since if since == "now" else f"{since} ago")
    story = f"{proved}; {after}" if proved else after
    return Telling(GOOD, word, story, brief=", ".join(brief), after=after)


def _fate(job: SyncJobRow, scene: Scene, lab: Lab) -> str:
    """What becomes of the copy on this PC."""
    if job.state is SyncJobState.CLEANED:
        return "local copy deleted"
    if job.keep_local:
        return "kept here, as wished"
    if lab.cleanup is None:
        return "stays here: cleanup is off"
    missing = lab.cleanup.passes - job.verify_passes
    if missing > 0:
        return f"{count(missing, 'more proof')} before cleanup"
    due = job.verified_at + timedelta(hours=lab.cleanup.hours) if job.verified_at is not None else scene.at
    return f"cleanup {ago(due, scene.at)}" if due > scene.at else "cleanup is next"


def _queued(job: SyncJobRow, hold: Hold | None, scene: Scene, lab: Lab) -> Telling:
    if hold is not None and hold.kind is HoldKind.AWAY and hold.scope is HoldScope.DESTINATION:
        return _until_back(hold, job, scene, lab)
    if hold is not None:
        return _of_hold(hold, scene)
    if job.next_attempt_at is not None and job.next_attempt_at > scene.at:
        reason = f": {safe_text(job.last_error)}" if job.last_error else ""
        return Telling(WAIT, "waiting", f"next attempt {ago(job.next_attempt_at, scene.at)}{reason}")
    return Telling(NOTE, "queued", "goes by itself when its turn comes", brief="waits its turn")


def _until_back(hold: Hold, job: SyncJobRow, scene: Scene, lab: Lab) -> Telling:
    name = next((safe_text(one.far_name) for one in lab.instruments if one.id == job.equipment_id), "the NAS")
    look = f"; next look {ago(hold.until, scene.at)}" if hold.until is not None and hold.until > scene.at else ""
    story = f"goes by itself when {name} is back{look}"
    return Telling(mood_of_hold(hold.kind.value), word_of(hold.kind.value), story, brief=f"until {name} is back")


def _of_hold(hold: Hold, scene: Scene) -> Telling:
    soon = hold.until is not None and hold.until > scene.at and "looks again" not in hold.next_step
    parts = [safe_text(hold.sentence).removeprefix(_GATE).strip().rstrip(".")]
    if hold.next_step:
        parts.append(safe_text(hold.next_step).strip().rstrip("."))
    if soon and hold.until is not None:
        parts.append(f"next look {ago(hold.until, scene.at)}")
    return Telling(mood_of_hold(hold.kind.value), word_of(hold.kind.value), "; ".join(parts))


def _wider(job: SyncJobRow, scene: Scene, lab: Lab) -> Hold | None:
    """The hold on the job's instrument or on its destination."""
    own = scene.instrument_holds.get(job.equipment_id)
    if own is not None:
        return own
    return next(
        (hold for hold in scene.destination_holds if any(one.id == job.equipment_id for one in lab.behind(hold))), None
    )


def word_of(value: str) -> str:
    """A state or a kind of hold in one short word."""
    return _SHORT.get(value) or spoken(value)
