"""Is my data safe? One look at the whole store: what is safe, what is not, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.runs import all_holds, all_jobs
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import count

if TYPE_CHECKING:
    from collections.abc import Collection

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobStore

SAFE_STATES = frozenset({SyncJobState.VERIFIED, SyncJobState.CLEANUP_ELIGIBLE, SyncJobState.CLEANED})
MOVING_STATES = frozenset({SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY})
_OPEN_STATES = frozenset(SyncJobState) - SAFE_STATES
DONE, FAILED, WAITING, CONFIGURATION, MISMATCH, BLOCKED = 0, 1, 5, 7, 10, 11
"""Exit codes of ``FORMATS.md`` §11 that what is left over may mean."""
_SERIOUSNESS = (CONFIGURATION, MISMATCH, FAILED, 2, 3, BLOCKED, 12, WAITING, DONE)
_QUEUED = "queued; goes when its turn comes"


@dataclass(slots=True)
class Tally:
    """How many runs of one instrument are where; ``waiting`` are those on hold, ``queued`` those that only queue."""

    safe: int = 0
    moving: int = 0
    queued: int = 0
    waiting: int = 0
    blocked: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All runs that are known."""
        return self.safe + self.moving + self.queued + self.waiting + self.blocked + self.failed


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is not safe yet. ``word`` is a state or the kind of its hold, ``code`` the exit code it means."""

    run_path: str
    equipment_id: str
    word: str
    sentence: str
    code: int


@dataclass(slots=True)
class Glance:
    """The store at one moment. ``open_runs`` are the first that are not safe; ``more`` says how many are not listed.

    ``wider`` are the holds on instruments and destinations. ``code`` is the most serious exit code of all of it.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    open_runs: list[OpenRun] = field(default_factory=list)
    more: int = 0
    wider: list[Hold] = field(default_factory=list)
    code: int = DONE

    @property
    def total(self) -> Tally:
        """All instruments together."""
        sums = Tally()
        for tally in self.tallies.values():
            for name in Tally.__slots__:
                setattr(sums, name, getattr(sums, name) + getattr(tally, name))
        return sums

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        total = self.total
        if not total.total:
            return "No run is known yet."
        if total.safe == total.total:
            return f"Everything is safe: {count(total.safe, 'run')} on the destination, proven."
        numbers = (
            (total.failed, "failed"),
            (total.blocked, "blocked"),
            (total.waiting, "waiting"),
            (total.queued, "queued"),
            (total.moving, "on the way"),
        )
        parts = [f"{number:,} {word}" for number, word in numbers if number]
        return f"Not everything is safe: {', '.join(parts)}; {total.safe:,} of {count(total.total, 'run')} safe."


def most_serious(codes: Collection[int]) -> int:
    """The exit code that stands for several (``FORMATS.md`` §11); 0 for none."""
    return next((code for code in _SERIOUSNESS if code in codes), DONE)


async def glance(store: JobStore, *, staged: Collection[str] = (), shown: int = 20) -> Glance:
    """Look at every job and hold once. *staged* are instruments that ExLab-Wizard moves; *shown* at most are listed."""
    seen = Glance()
    run_holds: dict[str, Hold] = {}
    codes: set[int] = set()
    async for hold in all_holds(store):
        if hold.scope is HoldScope.RUN:
            run_holds[hold.key] = hold
        elif not (hold.kind is HoldKind.SET_UP and hold.key in staged):
            seen.wider.append(hold)
            codes.add(_code_of(hold))
    for (equipment_id, state), number in (await store.counts()).items():
        if state in SAFE_STATES:
            _tally(seen, equipment_id).safe += number
    found = [_open(job, run_holds.pop(job.run_path, None)) async for job in all_jobs(store, JobFilter(_OPEN_STATES))]
    for hold in run_holds.values():
        if not await _has_safe_job(store, hold):
            found.append(_held(hold))
        elif hold.kind in _UNSAFE_HOLDS:
            _tally(seen, hold.equipment_id).safe -= 1
            found.append(_held(hold))
    for run in found:
        _add(_tally(seen, run.equipment_id), run)
        codes.add(run.code)
    found.sort(key=lambda run: (_SERIOUSNESS.index(run.code), run.equipment_id))
    seen.open_runs, seen.more = found[:shown], max(len(found) - shown, 0)
    seen.tallies = dict(sorted(seen.tallies.items()))
    seen.code = most_serious(codes)
    return seen


def _tally(seen: Glance, equipment_id: str) -> Tally:
    return seen.tallies.setdefault(equipment_id, Tally())


async def _has_safe_job(store: JobStore, hold: Hold) -> bool:
    job = await store.job_of(hold.key)
    return job is not None and job.state in SAFE_STATES


def _open(job: SyncJobRow, hold: Hold | None) -> OpenRun:
    if job.state is SyncJobState.FAILED:
        code = MISMATCH if is_mismatch(job) else FAILED
        return OpenRun(job.run_path, job.equipment_id, "failed", job.last_error or "failed", code)
    if hold is not None:
        return _held(hold)
    sentence = _QUEUED if job.state is SyncJobState.QUEUED else "on its way"
    return OpenRun(job.run_path, job.equipment_id, job.state.value, sentence, WAITING)


def _held(hold: Hold) -> OpenRun:
    return OpenRun(hold.key, hold.equipment_id, hold.kind.value, hold.sentence, _code_of(hold))


def _code_of(hold: Hold) -> int:
    if hold.kind is HoldKind.DAMAGED:
        return MISMATCH
    if hold.kind is HoldKind.BLOCKED:
        return BLOCKED
    if hold.scope is HoldScope.RUN and hold.kind is HoldKind.CONFLICT:
        return FAILED
    if hold.scope is HoldScope.EQUIPMENT:
        return _OF_INSTRUMENTS.get(hold.kind, WAITING)
    return WAITING


_UNSAFE_HOLDS = frozenset({HoldKind.DAMAGED, HoldKind.CONFLICT})
"""On a run that is safe otherwise: its far copy is damaged, or new files lie in the folder of a released run."""
_OF_INSTRUMENTS = {
    HoldKind.SET_UP: CONFIGURATION,
    HoldKind.CONFLICT: FAILED,
    HoldKind.DISABLED: DONE,
}


def is_mismatch(job: SyncJobRow) -> bool:
    """Whether a failed run failed because both sides differ."""
    return (job.last_error or "").startswith(TransportErrorKind.HASH_MISMATCH.value)


def _add(tally: Tally, run: OpenRun) -> None:
    if run.word == "failed" or run.code == MISMATCH:
        tally.failed += 1
    elif run.code == BLOCKED:
        tally.blocked += 1
    elif run.word in MOVING_STATES:
        tally.moving += 1
    elif run.word == SyncJobState.QUEUED:
        tally.queued += 1
    else:
        tally.waiting += 1
