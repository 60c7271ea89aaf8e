"""What becomes of local copies and of conflicts, when an operator says so? The orders behind five verbs and keys.

``keep_local``, ``forget``, ``resolve``, ``cleanup`` and ``cleanup_preview``: each is an ``Order`` whose target is the
text of one of the wishes below; the answer to a preview is read with ``Preview.of``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Outcome
from exlab_sync_tui.engine.upkeep.choices import Choices
from exlab_sync_tui.errors import NotFoundError, RefusedError, TransportError, UsageError
from exlab_sync_tui.model.job import PUBLISHED, SyncJobState
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import count, parse_instant, safe_text, size, utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

    from exlab_sync_tui.cleanup.interlocks import Block
    from exlab_sync_tui.engine.cockpit.view import Order
    from exlab_sync_tui.engine.upkeep.caretaker import Caretaker
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.job import SyncJobRow

WAYS = ("adopt", "beside", "repair")
"""``adopt`` what lies in the run's place if it is identical, publish ``beside`` it, or ``repair`` what was damaged."""
_MOST_SHOWN = 1_000
FAILURE, WAITING, MISMATCH = 1, 5, 10


@dataclass(frozen=True, slots=True)
class Keeping:
    """The wish that a local copy stays, or need not stay any more; ``run`` is a job id or a path."""

    run: str
    keep: bool = True

    def as_target(self) -> str:
        """ASCII, so that a path of any bytes passes through the store."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Forgetting:
    """The wish that a run which was deleted on purpose is dropped."""

    run: str
    reason: str

    def as_target(self) -> str:
        """ASCII, as above."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Resolution:
    """What shall be done about a conflict or a damage: one of ``WAYS``."""

    run: str
    way: str

    def as_target(self) -> str:
        """ASCII, as above."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What cleanup would do with one run: ``interlock`` and ``sentence`` say what holds it, empty if nothing does."""

    run_path: str
    job_id: str
    equipment_id: str
    files: int
    size: int
    interlock: str = ""
    sentence: str = ""
    until: datetime | None = None

    @property
    def would_go(self) -> bool:
        """Whether its local copy would be deleted now, after one more proof."""
        return not self.interlock


@dataclass(frozen=True, slots=True)
class Preview:
    """The answer to ``cleanup_preview``; ``more`` runs are counted and not listed."""

    sentence: str
    runs: tuple[Foreseen, ...]
    more: int = 0

    def as_outcome(self) -> Outcome:
        """As text for the store: JSON in ASCII."""
        runs = [{**asdict(run), "until": utc(run.until) if run.until else None} for run in self.runs]
        return Outcome(json.dumps({"sentence": self.sentence, "runs": runs, "more": self.more}))

    @classmethod
    def of(cls, outcome: Outcome) -> Preview:
        """The preview in an answer that was ok. Raises ``RefusedError`` with the sentence of one that was not."""
        if not outcome.ok:
            raise RefusedError(outcome.sentence)
        told = json.loads(outcome.sentence)
        runs = tuple(Foreseen(**{**run, "until": parse_instant(run["until"])}) for run in told["runs"])
        return cls(told["sentence"], runs, told["more"])


class Wishes:
    """Orders about local copies and conflicts. All raise ``ExlabSyncError`` for what cannot be done."""

    def __init__(self, works: Works, find: Callable[[str], Awaitable[SyncJobRow]]) -> None:
        self._works = works
        self._parts = works.parts
        self._find = find
        self._choices = Choices(works.parts, works.instruments)

    async def keep_local(self, order: Order, _again: bool) -> Outcome:
        """Keep a local copy; anybody may. Ending that is for those who may clean."""
        told = json.loads(order.target)
        wish = Keeping(told["run"], keep=bool(told["keep"]))
        if not wish.keep:
            self._refuse_stranger(order.who, "let local copies go")
        job = await self._find(wish.run)
        sentence = await self._choices.keep_local(job, keep=wish.keep, who=order.who)
        self._look_again(job)
        return Outcome(sentence)

    async def forget(self, order: Order, again: bool) -> Outcome:
        """Drop a run that was deleted on purpose."""
        wish = Forgetting(**json.loads(order.target))
        self._refuse_stranger(order.who, "forget runs")
        try:
            job = await self._find(wish.run)
        except NotFoundError:
            if again:
                return Outcome(f"{safe_text(wish.run)} is forgotten.")
            raise
        return Outcome(await self._choices.forget(job, wish.reason, who=order.who))

    async def resolve(self, order: Order, again: bool) -> Outcome:
        """Decide about a conflict or a damage."""
        wish = Resolution(**json.loads(order.target))
        self._refuse_stranger(order.who, "resolve conflicts")
        job = await self._find(wish.run)
        if again and job.state is not SyncJobState.FAILED:
            return Outcome(f"{safe_text(job.run_path)} was queued; it is {job.state.value.replace('_', ' ')}.")
        if wish.way == "adopt":
            sentence = await self._choices.adopt(job, who=order.who)
        elif wish.way == "beside":
            sentence = await self._choices.beside(job, who=order.who)
        elif wish.way == "repair":
            caretaker = self._caretaker(job)
            sentence = await self._choices.repair(job, caretaker.turn, who=order.who)
        else:
            raise UsageError(f"{safe_text(wish.way)} is no way to resolve a run; choose one of {', '.join(WAYS)}.")
        await self._works.bookkeeper.pay(job.run_path)
        self._works.wake(job.equipment_id)
        return Outcome(sentence)

    async def cleanup_preview(self, order: Order, _again: bool) -> Outcome:
        """What would go, and what holds the others; of one run, or of all if the target is empty. Changes nothing."""
        found: list[Foreseen] = []
        more = goes = size_of_all = 0
        async for job in self._jobs(order.target):
            seen = await self._foresee(job)
            goes, size_of_all = goes + seen.would_go, size_of_all + (seen.size if seen.would_go else 0)
            if len(found) < _MOST_SHOWN:
                found.append(seen)
            else:
                more += 1
        held = len(found) + more - goes
        sentence = f"{count(goes, 'local copy', 'local copies')}, {size(size_of_all)}, would go; {held:,} held."
        return Preview(sentence, tuple(found), more).as_outcome()

    async def cleanup(self, order: Order, _again: bool) -> Outcome:
        """Release what may go now; of one run, or of all if the target is empty. Every interlock holds as always."""
        self._refuse_stranger(order.who, "delete local copies")
        if order.target:
            return await self._clean_one(await self._find(order.target))
        if not self._works.cleanup.is_on:
            raise RefusedError("Cleanup is off: set nas_cleanup.enabled in the configuration. Nothing was deleted.")
        outcomes = [await self._clean_quietly(job) async for job in self._jobs("")]
        gone = sum(outcome.ok for outcome in outcomes)
        damaged = [outcome for outcome in outcomes if outcome.exit_code == MISMATCH]
        rest = f" {damaged[0].sentence}" if damaged else ""
        held = len(outcomes) - gone
        return Outcome(
            f"{count(gone, 'local copy', 'local copies')} deleted, {held:,} held;"
            f" `exlab-sync cleanup --dry-run` says why.{rest}",
            MISMATCH if damaged else 0,
        )

    async def _clean_quietly(self, job: SyncJobRow) -> Outcome:
        try:
            return await self._clean_one(job)
        except (TransportError, RefusedError, OSError) as error:
            return Outcome(f"{safe_text(job.run_path)}: {safe_text(error)}", WAITING)

    async def _clean_one(self, job: SyncJobRow) -> Outcome:
        name = safe_text(job.run_path.rpartition("/")[2])
        if job.state is SyncJobState.CLEANED:
            return Outcome(f"The local copy of {name} was deleted already.")
        if job.state not in PUBLISHED:
            raise RefusedError(f"{name} is {job.state.value.replace('_', ' ')}, and only verified runs are cleaned up.")
        attended = await self._caretaker(job).reaper.attend(job)
        if attended.is_cleaned:
            return Outcome(f"The local copy of {name} was deleted: {size(job.bytes_total)}.")
        if attended.job.state is SyncJobState.FAILED:
            return Outcome(f"{name} failed: {safe_text(attended.job.last_error)}", MISMATCH)
        return Outcome(f"{name} stays: {_held(attended.block)}", WAITING if _ends(attended.block) else FAILURE)

    async def _foresee(self, job: SyncJobRow) -> Foreseen:
        facts = self._works.facts.get(job.equipment_id)
        told = (job.run_path, job.id, job.equipment_id, job.files_total, job.bytes_total)
        if facts is None:
            return Foreseen(*told, "destination", f"{job.equipment_id} is no longer in the configuration")
        block = await facts.first_block(job, tells_time=False)
        if block is None:
            return Foreseen(*told)
        return Foreseen(*told, block.interlock.value, block.sentence, block.until)

    async def _jobs(self, target: str) -> AsyncIterator[SyncJobRow]:
        if target:
            yield await self._find(target)
            return
        after = 0
        while page := await self._parts.store.jobs(JobFilter(PUBLISHED), after_seq=after):
            after = page[-1].seq
            for job in page:
                yield job

    def _caretaker(self, job: SyncJobRow) -> Caretaker:
        if job.equipment_id not in self._works.caretakers:
            raise RefusedError(f"{job.equipment_id} is not in use, so its runs are left as they are.")
        return self._works.caretakers[job.equipment_id]

    def _look_again(self, job: SyncJobRow) -> None:
        if job.equipment_id in self._works.caretakers:
            self._works.caretakers[job.equipment_id].forget(job.id)

    def _refuse_stranger(self, who: str, deed: str) -> None:
        allowed = self._works.allowlist
        if allowed and who not in allowed:
            raise RefusedError(
                f"{safe_text(who)} may not {deed}: operators.allowlist names {', '.join(map(safe_text, allowed))}. Ask"
                " one of them, or say who you are with --operator."
            )


def _held(block: Block | None) -> str:
    if block is None:
        return "it is not due yet."
    until = f", until {utc(block.until)}" if block.until else ""
    return f"{block.sentence}{until}."


def _ends(block: Block | None) -> bool:
    return block is None or block.until is not None
