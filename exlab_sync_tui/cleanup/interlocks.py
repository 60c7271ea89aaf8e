"""May a local copy go now? Eight interlocks in order; the first that blocks is named, with until when if that is known.

Pure functions over facts that the engine has gathered (``FORMATS.md`` §8). Anything that is not known blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import count, duration, safe_text, utc

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.model.job import SyncJobRow

WEAKEST_PROOF = EvidenceLevel.RSYNC_CHECKSUM
"""Whatever ``verify.minimum`` says, nothing is deleted on less (invariant S1)."""


class Interlock(StrEnum):
    """In the order in which they are asked."""

    ENABLED = "enabled"
    PASSES = "verify_passes"
    AGE = "min_age"
    DESTINATION = "destination"
    REVOKED = "revoked"
    TREE = "local_tree"
    KEPT = "keep_local"
    DEBT = "debt"


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """``configured`` is false without a ``nas_cleanup`` block; ``interval`` is the shortest time between two passes."""

    configured: bool = False
    enabled: bool = False
    min_passes: int = 2
    min_age: timedelta = timedelta(hours=24)
    retain_cache: bool = True
    interval: timedelta = timedelta(hours=12)

    @property
    def is_on(self) -> bool:
        """Whether anything is ever deleted."""
        return self.configured and self.enabled

    @property
    def sentence(self) -> str:
        """What becomes of local copies, for a person."""
        if not self.configured:
            return "Cleanup is off: the configuration has no nas_cleanup block, so every local copy stays."
        if not self.enabled:
            return "Cleanup is off: nas_cleanup.enabled is false, so every local copy stays."
        passes = count(self.min_passes, "verification pass", "verification passes")
        return f"Cleanup is on: a local copy goes after {passes} and {duration(self.min_age.total_seconds())}."


@dataclass(frozen=True, slots=True)
class Block:
    """What keeps a local copy here: one sentence, and the moment when it may end, if one is known."""

    interlock: Interlock
    sentence: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FarClock:
    """What the destination's own clock says: when the run's papers were written there, and now."""

    written_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class TreeFacts:
    """How the local tree differs from the record: names, or a ``problem`` that kept it from being compared."""

    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    problem: str = ""


def by_switch(options: CleanupOptions) -> Block | None:
    """Deleting is something that a lab turns on."""
    if not options.configured:
        return Block(Interlock.ENABLED, "cleanup is off: the configuration has no nas_cleanup block")
    if not options.enabled:
        return Block(Interlock.ENABLED, "cleanup is off: nas_cleanup.enabled is false")
    return None


def by_passes(job: SyncJobRow, options: CleanupOptions) -> Block | None:
    """Enough separate passes, each on a rung that cleanup accepts."""
    if job.evidence is None or not job.evidence.satisfies(WEAKEST_PROOF):
        rung = job.evidence.value if job.evidence else "nothing"
        return Block(
            Interlock.PASSES, f"its content is proved by {rung} only, and cleanup needs {WEAKEST_PROOF.value} at least"
        )
    if job.verify_passes >= options.min_passes:
        return None
    until = due_of_next_pass(job, options) if options.configured else None
    passes = count(job.verify_passes, "verification pass", "verification passes")
    return Block(Interlock.PASSES, f"{passes} so far, and {options.min_passes} are needed", until)


def by_age(job: SyncJobRow, options: CleanupOptions, now: datetime, far: FarClock | None = None) -> Block | None:
    """Old enough by this PC's clock, and by the destination's where it tells its time; equal is enough."""
    if job.verified_at is None:
        return Block(Interlock.AGE, "it is not recorded when it was verified")
    if job.verified_at > now:
        return Block(
            Interlock.AGE,
            f"it was verified at {utc(job.verified_at)}, which this PC's clock says is still to come; set the clock",
            job.verified_at + options.min_age,
        )
    if now - job.verified_at < options.min_age:
        until = job.verified_at + options.min_age
        return Block(Interlock.AGE, f"it was verified less than {_long(options.min_age)} ago", until)
    if far is not None and far.now - far.written_at < options.min_age:
        left = options.min_age - (far.now - far.written_at)
        return Block(
            Interlock.AGE,
            f"by the destination's clock ({utc(far.now)}) less than {_long(options.min_age)} have passed since it was"
            " published, so one of the two clocks is wrong",
            now + left,
        )
    return None


def by_destination(problem: str) -> Block | None:
    """It answers, and it is the one on which the run lies; *problem* says what is wrong, empty for nothing."""
    return Block(Interlock.DESTINATION, problem) if problem else None


def by_revocation(problem: str) -> Block | None:
    """No override has been revoked since the run was verified; *problem* also says if that cannot be read."""
    return Block(Interlock.REVOKED, problem) if problem else None


def by_tree(tree: TreeFacts) -> Block | None:
    """The local tree is the recorded one: nothing extra, changed or missing."""
    if tree.problem:
        return Block(Interlock.TREE, tree.problem)
    kinds = ((tree.changed, "changed"), (tree.extra, "new"), (tree.missing, "gone"))
    found = [f"{_first(names)} {'is' if len(names) == 1 else 'are'} {word}" for names, word in kinds if names]
    return Block(Interlock.TREE, f"the local folder is not as recorded: {', '.join(found)}") if found else None


def by_keeping(job: SyncJobRow) -> Block | None:
    """Nobody wants it to stay."""
    if not job.keep_local:
        return None
    return Block(Interlock.KEPT, "somebody wants the local copy to stay; `exlab-sync keep-local --undo RUN` ends that")


def by_debts(reasons: tuple[str, ...]) -> Block | None:
    """Nothing is owed to the run; *reasons* has one sentence, perhaps an empty one, for each debt."""
    if not reasons:
        return None
    why = next((reason for reason in reasons if reason), "it is paid as soon as possible")
    return Block(Interlock.DEBT, f"{count(len(reasons), 'write')} still owed: {safe_text(why).rstrip('.')}")


def due_of_next_pass(job: SyncJobRow, options: CleanupOptions) -> datetime | None:
    """When the next missing pass is taken: the last one not before the age holds, so that it can be the final proof."""
    last = job.passed_at or job.verified_at
    if last is None or job.verified_at is None:
        return None
    due = last + options.interval
    is_last = job.verify_passes >= options.min_passes - 1
    return max(due, job.verified_at + options.min_age) if is_last else due


def counts_as_pass(job: SyncJobRow, evidence: EvidenceLevel | None, now: datetime, interval: timedelta) -> bool:
    """Whether a comparison at *now* is a pass of its own: late enough after the last one, and not weaker than those.

    After a damage no earlier pass counts, so the next one counts at once."""
    last = job.passed_at or job.verified_at
    if last is None or (job.verify_passes and now < last + interval):
        return False
    return (
        evidence is None
        or evidence.satisfies(WEAKEST_PROOF)
        or job.evidence is None
        or evidence.satisfies(job.evidence)
    )


def passes_after(job: SyncJobRow, evidence: EvidenceLevel | None) -> tuple[int, EvidenceLevel | None]:
    """Passes and their weakest rung once another one counts; what was proved too weakly begins anew."""
    if evidence is None or job.evidence is None:
        return job.verify_passes + 1, job.evidence or evidence
    if evidence.satisfies(WEAKEST_PROOF) and not job.evidence.satisfies(WEAKEST_PROOF):
        return 1, evidence
    return job.verify_passes + 1, min(job.evidence, evidence, key=lambda level: level.strength)


def _long(span: timedelta) -> str:
    return duration(span.total_seconds())


def _first(names: tuple[str, ...]) -> str:
    return safe_text(names[0]) + (f" and {count(len(names) - 1, 'other')}" if len(names) > 1 else "")
