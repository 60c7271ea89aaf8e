"""What states can a job have, and which may follow which?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.model.evidence import EvidenceLevel
    from exlab_sync_tui.model.finding import Finding


class SyncJobState(StrEnum):
    """The seven states; their values are fixed (``FORMATS.md`` §6)."""

    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_VERIFY = "awaiting_verify"
    VERIFIED = "verified"
    CLEANUP_ELIGIBLE = "cleanup_eligible"
    CLEANED = "cleaned"
    FAILED = "failed"


_S = SyncJobState

TRANSITIONS: dict[SyncJobState, frozenset[SyncJobState]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.FAILED}),
    _S.RUNNING: frozenset({_S.QUEUED, _S.AWAITING_VERIFY, _S.FAILED}),
    _S.AWAITING_VERIFY: frozenset({_S.QUEUED, _S.VERIFIED, _S.FAILED}),
    _S.VERIFIED: frozenset({_S.QUEUED, _S.CLEANUP_ELIGIBLE, _S.FAILED}),
    _S.CLEANUP_ELIGIBLE: frozenset({_S.QUEUED, _S.CLEANED, _S.FAILED}),
    _S.CLEANED: frozenset(),
    _S.FAILED: frozenset({_S.QUEUED}),
}
"""The one table of legal transitions; a store refuses every other.

A verified run goes back to ``queued`` when its folder has grown or changed: that is a new round of the same job.
"""


class SyncHandleState(StrEnum):
    """What became of an enqueue."""

    QUEUED = "queued"
    BLOCKED = "blocked"


PUBLISHED = frozenset({_S.VERIFIED, _S.CLEANUP_ELIGIBLE})
"""States of a run that is whole on the destination while its local copy is still here."""


@dataclass(frozen=True, slots=True)
class SyncJobHandle:
    """The answer to an enqueue; a blocked run has an empty ``job_id`` and its hard findings."""

    job_id: str
    state: SyncHandleState
    run_path: str
    blocking_findings: tuple[Finding, ...] = ()


class Round(StrEnum):
    """What this turn of a job sends; an adoption sends nothing, it compares what lies in the run's place already."""

    FIRST = "first"
    ADDITIONS = "additions"
    REVISION = "revision"
    ADOPTION = "adoption"


@dataclass(frozen=True, slots=True)
class SyncJobRow:
    """One job as the store has it. Paths are text with surrogate-escaped bytes.

    ``held`` keeps a queued job from being claimed until the hold on its run, its instrument or its destination ends.
    ``resent`` is set once the one re-send after a mismatch has been used. ``frozen``: the file records are those of
    this sending; otherwise they are of an older one and prove nothing of what is sent now. ``publishing`` is the
    SHA-256 (hex) of the manifest about to be published: the intent that is stored before the rename. ``revision`` is 1
    for ``<run>``, 2 for ``<run>__r2``; ``beside`` is the token of ``<run>__conflict-<8 chars>``. ``passed_at`` is when
    the last verification pass that counts was taken, ``releasing_at`` when deletion of the local copy began (the
    durable mark of ``FORMATS.md`` §6), ``keep_local`` that somebody wants the local copy to stay.
    """

    id: str
    run_path: str
    equipment_id: str
    state: SyncJobState
    attempts: int = 0
    last_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    verify_passes: int = 0
    verified_at: datetime | None = None
    enqueued_at: datetime | None = None
    nas_path: str = ""
    seq: int = 0
    held: bool = False
    destination_id: str = ""
    origin: str = "monitor"
    round: Round = Round.FIRST
    revision: int = 1
    resent: bool = False
    frozen: bool = False
    publishing: str = ""
    started_at: datetime | None = None
    evidence: EvidenceLevel | None = None
    manifest_sha256: str = ""
    files_total: int = 0
    bytes_total: int = 0
    passed_at: datetime | None = None
    releasing_at: datetime | None = None
    keep_local: bool = False
    beside: str = ""

    @property
    def is_released(self) -> bool:
        """Whether deletion of its local copy has begun: from then on the run is never looked at as a source again."""
        return self.releasing_at is not None or self.state is SyncJobState.CLEANED


def is_legal(before: SyncJobState, after: SyncJobState) -> bool:
    """Whether a job may go from *before* to *after*."""
    return after in TRANSITIONS[before]
