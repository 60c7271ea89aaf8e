"""What follows from a failure? The class table of ``FORMATS.md`` §6 as one pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.text import duration

DELAYS = (30, 120, 480, 1_800)
"""Seconds to wait after the first, second, third and fourth failure; the fifth is final."""


class Phase(StrEnum):
    """What was being done when it failed; both phases share one counter."""

    PUSH = "push"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the job, and which hold says why.

    ``delay_seconds`` until the next attempt: 0 at once (or as soon as the hold ends), ``None`` for never. ``sentence``
    says what happens next and what a person can do.
    """

    state: SyncJobState
    attempts: int
    delay_seconds: int | None
    resent: bool
    hold: HoldKind | None
    scope: HoldScope | None
    sentence: str

    @property
    def held(self) -> bool:
        """Whether the job itself must be held: it is queued, and only the end of the hold on its run lets it go on."""
        return self.state is SyncJobState.QUEUED and self.scope is HoldScope.RUN and self.delay_seconds == 0


@dataclass(frozen=True, slots=True)
class _Reaction:
    """A row of the table that needs no counting."""

    state: SyncJobState
    hold: HoldKind | None
    scope: HoldScope | None
    sentence: str


_REACTIONS = {
    TransportErrorKind.AUTH: _Reaction(
        SyncJobState.FAILED,
        HoldKind.AUTH,
        HoldScope.DESTINATION,
        "The destination refused us, so nothing more is tried there; mend the key, the password or the known host, "
        "and the run is queued again by itself.",
    ),
    TransportErrorKind.LOCAL_FILE_VANISHED: _Reaction(
        SyncJobState.FAILED,
        None,
        None,
        "A file of the run is gone from this PC; put it back or accept the run as it is, then retry.",
    ),
    TransportErrorKind.NO_SPACE: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.NO_SPACE,
        HoldScope.DESTINATION,
        "Goes on by itself when the destination has room; make room there. The local copy is kept.",
    ),
    TransportErrorKind.PERMISSION: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.PERMISSION,
        HoldScope.DESTINATION,
        "Goes on by itself when the destination lets us write; grant the right to write there.",
    ),
    TransportErrorKind.READ_ONLY: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.READ_ONLY,
        HoldScope.DESTINATION,
        "Goes on by itself when the destination can be written again; it is read-only now.",
    ),
    TransportErrorKind.WRONG_DESTINATION: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.WRONG_DESTINATION,
        HoldScope.DESTINATION,
        "Goes on by itself when the right share is mounted; a new one is accepted with "
        "`exlab-sync destination adopt EQUIPMENT`.",
    ),
    TransportErrorKind.SET_UP: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.SET_UP,
        HoldScope.DESTINATION,
        "Goes on by itself when what is missing has been set up.",
    ),
    TransportErrorKind.CONFLICT: _Reaction(
        SyncJobState.FAILED,
        HoldKind.CONFLICT,
        HoldScope.RUN,
        "The destination has something under this name that is not ours, and it is left alone; move it away there, "
        "then retry.",
    ),
    TransportErrorKind.NAMES: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.NAMES,
        HoldScope.RUN,
        "Goes on by itself when the name has been changed to one that the destination can take.",
    ),
    TransportErrorKind.OVERSIZE: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.OVERSIZE,
        HoldScope.RUN,
        "Goes on by itself when the run has changed; raise verify.max_stream_bytes, or use another transport.",
    ),
    TransportErrorKind.LOCKED: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.ACQUIRING,
        HoldScope.RUN,
        "Goes on by itself when the file can be read; close the program that uses it.",
    ),
    TransportErrorKind.CHANGED: _Reaction(
        SyncJobState.QUEUED,
        HoldKind.ACQUIRING,
        HoldScope.RUN,
        "The run is still being written; goes on by itself when it has been still for a while.",
    ),
}


def decide(
    kind: TransportErrorKind,
    *,
    attempts: int,
    resent: bool,
    moved_forward: bool = False,
    away: bool | None = None,
    phase: Phase = Phase.PUSH,
) -> Decision:
    """What to do after one failure of class *kind*.

    *attempts* and *resent* are the job's; *moved_forward*: this attempt brought the resume point forward; *away*: a
    probe found the destination away (``None`` = there is no probe, which counts as not away).
    """
    if kind in _REACTIONS:
        row = _REACTIONS[kind]
        delay = None if row.state is SyncJobState.FAILED else 0
        return Decision(row.state, attempts, delay, resent, row.hold, row.scope, row.sentence)
    if kind is TransportErrorKind.HASH_MISMATCH:
        return _send_again(attempts, resent=resent)
    if away:
        return Decision(
            SyncJobState.QUEUED,
            attempts,
            0,
            resent,
            HoldKind.AWAY,
            HoldScope.DESTINATION,
            "Goes on by itself, where it stopped, when the destination answers again; no attempt was spent.",
        )
    return _back_off(attempts, resent=resent, moved_forward=moved_forward, phase=phase)


def _send_again(attempts: int, *, resent: bool) -> Decision:
    if resent:
        sentence = (
            "The files differ again after a second sending; look for a fault of memory, cable or disk, then retry."
        )
        return Decision(SyncJobState.FAILED, attempts, None, resent=True, hold=None, scope=None, sentence=sentence)
    sentence = "The files that differ are sent once more, now."
    return Decision(SyncJobState.QUEUED, attempts, 0, resent=True, hold=None, scope=None, sentence=sentence)


def _back_off(attempts: int, *, resent: bool, moved_forward: bool, phase: Phase) -> Decision:
    doing = "Sending" if phase is Phase.PUSH else "Comparing"
    if moved_forward:
        delay = DELAYS[0]
        sentence = f"{doing} goes on in {duration(delay)}, where it stopped; it moved forward, so no attempt was spent."
    else:
        attempts += 1
        if attempts > len(DELAYS):
            sentence = f"{doing} failed {attempts} times; mend the cause, then retry."
            return Decision(SyncJobState.FAILED, attempts, None, resent, None, None, sentence)
        delay = DELAYS[attempts - 1]
        sentence = f"{doing} is tried again in {duration(delay)} (attempt {attempts + 1} of {len(DELAYS) + 1})."
    return Decision(SyncJobState.QUEUED, attempts, delay, resent, HoldKind.WAITING, HoldScope.RUN, sentence)
