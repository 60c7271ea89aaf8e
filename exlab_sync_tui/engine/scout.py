"""Which runs are finished? Looks at folders, remembers what it saw, and hands over what is ready."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.marks import Mark
from exlab_sync_tui.errors import CreationError, IllegalTransitionError, OrphanRunError
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import PUBLISHED, SyncHandleState, SyncJobState
from exlab_sync_tui.queue.store import Observation
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tree.snapshot import fingerprint
from exlab_sync_tui.tree.walk import walk
from exlab_sync_tui.watch.completeness import look
from exlab_sync_tui.watch.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from exlab_sync_tui.engine.intake import Intake
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.watch.completeness import Look

WATCHED_HOLDS = frozenset(
    {HoldKind.ACQUIRING, HoldKind.LOCKED, HoldKind.BLOCKED, HoldKind.NAMES, HoldKind.SET_UP, HoldKind.CONFLICT}
)
"""Holds on a run that a look at its folder may end."""
_BATCH = 500
_REST_PER_LOOK = 50.0
_LONGEST_REST = 600.0
"""A rescan leaves a run alone for so many times as long as the last look at it took: 2 % of a core at most."""


@dataclass(slots=True)
class Sighting:
    """What one round over one instrument found.

    ``next_look``: when the first run that only has to stay still for a while can be taken; ``looks`` has that moment
    for each such run. ``asked``: runs of which the gate was asked. ``problems``: sentences about folders that could not
    be read.
    """

    runs: int = 0
    taken: int = 0
    next_look: datetime | None = None
    problems: list[str] = field(default_factory=list)
    looks: dict[str, datetime] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Case:
    """What the store knows of a run that is to be looked at."""

    job: SyncJobRow | None
    before: Observation | None

    @property
    def is_published(self) -> bool:
        return self.job is not None and self.job.state in PUBLISHED

    @property
    def is_done_with(self) -> bool:
        """Whether only a change of its folder can make the run worth a look."""
        return self.is_published and self.before is not None and self.before.taken


class Scout:
    """Looks at the runs of one instrument; correctness never depends on anything but these looks (decision 3).

    Rounds of any kind take turns, so that a run is never looked at twice at the same time.
    """

    def __init__(self, parts: Parts, instrument: Instrument, intake: Intake) -> None:
        self._parts = parts
        self._instrument = instrument
        self._intake = intake
        self._roster = Roster(instrument.folder)
        self._turn = asyncio.Lock()
        self._stopped = threading.Event()
        self._seen: dict[str, Observation] = {}
        self._rests_until: dict[str, float] = {}
        self._blocked: dict[str, Mark] = {}

    @property
    def containers(self) -> list[str]:
        """The folders in which runs may appear."""
        return self._roster.containers

    @property
    def open_runs(self) -> list[str]:
        """The runs that were looked at and are not finished with."""
        return list(self._seen)

    @property
    def settled_count(self) -> int:
        """How many runs need nothing until something is heard of them."""
        return self._roster.settled_count

    def knows(self, run_path: str) -> bool:
        """Whether there is a run with this path, as far as is known."""
        return self._roster.knows(run_path)

    def is_settled(self, run_path: str) -> bool:
        """Whether this run needs nothing, as far as is known."""
        return self._roster.is_settled(run_path)

    def stop(self) -> None:
        """Let looks that are under way in threads end at once."""
        self._stopped.set()

    async def round(self) -> Sighting:
        """Look once at every run folder, whatever is known of it."""
        async with self._turn:
            sighting = await self._refresh(thorough=True)
            await self._reopen_held(sighting)
            await self._look_at(self._roster.batches(_BATCH, settled_too=True), sighting, finished_too=True)
            return sighting

    async def rescan(self, *, thorough: bool = False) -> Sighting:
        """Look at what is new, open or held; *thorough*: believe nothing of what was found settled before."""
        async with self._turn:
            sighting = await self._refresh(thorough=thorough)
            await self._reopen_held(sighting)
            await self._look_at(self._roster.batches(_BATCH), sighting, unless_resting=True)
            return sighting

    async def glimpse(self, *, new_only: bool) -> Sighting:
        """Look at runs that have appeared, and, unless *new_only*, at all open ones."""
        async with self._turn:
            sighting = await self._refresh(thorough=False)
            batches = (
                [path for path in batch if not new_only or path not in self._seen]
                for batch in self._roster.batches(_BATCH)
            )
            await self._look_at(batches, sighting)
            return sighting

    async def look_at(self, run_paths: Collection[str]) -> Sighting:
        """Look at these runs now, settled or not."""
        async with self._turn:
            sighting = Sighting(runs=self._roster.count)
            await self._look_at([list(run_paths)], sighting, finished_too=True)
            return sighting

    async def check_settled(self, number: int) -> Sighting:
        """See whether the next *number* settled runs that are published still are as they were handed over."""
        async with self._turn:
            sighting = Sighting(runs=self._roster.count)
            portion = self._roster.portion(number)
            for start in range(0, len(portion), _BATCH):
                changed = await self._changed_among(portion[start : start + _BATCH])
                await self._look_at([changed], sighting, finished_too=True)
            return sighting

    async def _changed_among(self, paths: list[str]) -> list[str]:
        jobs, seen = await self._parts.store.jobs_of(paths), await self._parts.store.observations(paths)
        published = [seen[path] for path, job in jobs.items() if path in seen and job.state in PUBLISHED]
        released = [path for path, job in jobs.items() if job.is_released]
        trees = await asyncio.to_thread(self._trees, published)
        return [
            *released,
            *(one.run_path for one in published if trees.get(one.run_path, one.fingerprint) != one.fingerprint),
        ]

    def _trees(self, seen: list[Observation]) -> dict[str, str]:
        """The fingerprints of these runs as they are now, without those that cannot be read; one thread for all."""
        trees = {}
        for one in seen:
            with suppress(OSError):
                tree = walk(
                    Path(one.run_path), litter=self._instrument.litter, inodes=False, cancelled=self._stopped.is_set
                )
                trees[one.run_path] = fingerprint(tree)
        return trees

    async def _refresh(self, *, thorough: bool) -> Sighting:
        sighting = Sighting()
        at = self._parts.now()
        await asyncio.to_thread(self._roster.refresh, sighting.problems.append, at=at, thorough=thorough)
        sighting.runs = self._roster.count
        for path in [path for path in self._seen if not self._roster.knows(path)]:
            self._forget(path)
        return sighting

    async def _reopen_held(self, sighting: Sighting) -> None:
        """A run that has come back to its folder (changed while it was sent, say), and holds of runs that are gone."""
        after = ""
        while page := await self._parts.store.holds(equipment_id=self._instrument.id, after_key=after, limit=_BATCH):
            after = page[-1].key
            for hold in page:
                if hold.scope is not HoldScope.RUN or hold.kind not in WATCHED_HOLDS:
                    continue
                self._roster.reopen(hold.key)
                if not self._roster.knows(hold.key):
                    await self._let_go_if_gone(hold.key, sighting)

    async def _look_at(
        self,
        batches: Iterable[list[str]],
        sighting: Sighting,
        *,
        finished_too: bool = False,
        unless_resting: bool = False,
    ) -> None:
        cases: dict[str, _Case] = {}
        for paths in batches:
            cases |= await self._sort(paths, finished_too=finished_too)
        if unless_resting:
            resting = await self._resting(cases)
            cases = {path: case for path, case in cases.items() if path not in resting}
        for run in await asyncio.to_thread(self._roster.runs, cases, sighting.problems.append):
            await self._visit(run, cases[str(run.path)], sighting)

    async def _resting(self, paths: Iterable[str]) -> set[str]:
        """Those of *paths* that were dear to look at; but a blocked run that may have been repaired does not rest."""
        now = self._parts.clock.monotonic()
        resting = {path for path in paths if self._rests_until.get(path, 0.0) > now}
        blocked = [self._blocked[path] for path in resting if path in self._blocked]
        return resting - await asyncio.to_thread(lambda: {mark.run_path for mark in blocked if mark.is_stale()})

    async def _sort(self, paths: list[str], *, finished_too: bool) -> dict[str, _Case]:
        """Those of *paths* that are worth a look, with what is known of them; the others are settled."""
        jobs, seen = await self._parts.store.jobs_of(paths), await self._parts.store.observations(paths)
        cases = {path: _Case(jobs.get(path), self._seen.get(path, seen.get(path))) for path in paths}
        done_with = (
            [case.before for case in cases.values() if case.before and case.is_done_with] if finished_too else []
        )
        trees = await asyncio.to_thread(self._trees, done_with)
        worth = {}
        for path, case in cases.items():
            unchanged = case.before is not None and trees.get(path) == case.before.fingerprint
            if not unchanged and await self._is_worth_a_look(case, finished_too=finished_too):
                worth[path] = case
                self._roster.reopen(path)
            else:
                self._settle(path)
        return worth

    async def _is_worth_a_look(self, case: _Case, *, finished_too: bool) -> bool:
        """Whether the run has no job yet, waits for its folder, or may have grown."""
        if case.job is None:
            return True
        if case.job.is_released:
            return finished_too or await self._parts.store.hold(HoldScope.RUN, case.job.run_path) is not None
        if case.is_published:
            return finished_too or case.before is None or not case.before.taken
        if case.job.state is not SyncJobState.QUEUED or not case.job.held:
            return False
        hold = await self._parts.store.hold(HoldScope.RUN, case.job.run_path)
        return hold is None or hold.kind in WATCHED_HOLDS

    async def _visit(self, run: RunFolder, case: _Case, sighting: Sighting) -> None:
        path, begun = str(run.path), self._parts.clock.monotonic()
        if case.job is not None and case.job.is_released:
            await self._intake.look_at_released(case.job, self._instrument)
            self._settle(path)
            return
        try:
            seen = await asyncio.to_thread(self._look, run, case.before)
        except OSError as error:
            if not await self._let_go_if_gone(path, sighting) and not case.is_published:
                await self._hold(run, HoldKind.LOCKED, _unreadable(error, path))
            return
        cost = self._parts.clock.monotonic() - begun
        self._rests_until[path] = self._parts.clock.monotonic() + min(_REST_PER_LOOK * cost, _LONGEST_REST)
        unchanged = case.before is not None and case.before.fingerprint == seen.fingerprint
        if unchanged and case.is_done_with:
            self._settle(path)
            return
        if unchanged and case.before is not None and case.before.taken:
            hold = await self._parts.store.hold(HoldScope.RUN, path)
            if hold is not None and hold.kind is HoldKind.NAMES:  # only another name can help
                return
        await self._remember(run, seen, case.before)
        if not seen.finished:
            if seen.due is not None:
                sighting.looks[path] = seen.due
                sighting.next_look = min(seen.due, sighting.next_look or seen.due)
            if not case.is_published:
                await self._hold(run, seen.kind, seen.sentence, until=seen.due)
            return
        await self._hand_over(run, seen, sighting)

    def _look(self, run: RunFolder, before: Observation | None) -> Look:
        return look(
            run,
            self._instrument.completeness,
            fingerprint=before.fingerprint if before else None,
            since=before.since if before else None,
            seen=before.seen if before else None,
            at=self._parts.now(),
            cancelled=self._stopped.is_set,
        )

    async def _hand_over(self, run: RunFolder, seen: Look, sighting: Sighting) -> None:
        sighting.asked.append(str(run.path))
        try:
            handle = await self._intake.enqueue(run, self._instrument, origin="monitor", who="monitor", seen=seen)
        except (OrphanRunError, CreationError) as error:
            await self._mark(str(run.path), ".")
            await self._hold(run, HoldKind.BLOCKED, str(error))
            return
        except IllegalTransitionError:
            return  # the run's lane was quicker; what it does now decides, and the next look sees it
        except OSError as error:
            await self._hold(run, HoldKind.LOCKED, _unreadable(error, str(run.path)))
            return
        if handle.state is SyncHandleState.BLOCKED:
            await self._mark(handle.run_path, handle.blocking_findings[0].offending_path)
        else:
            sighting.taken += 1
            await self._parts.store.mark_taken(str(run.path), seen.fingerprint)
            self._settle(str(run.path))

    async def _mark(self, run_path: str, offending_path: str) -> None:
        self._blocked[run_path] = await asyncio.to_thread(Mark.of, run_path, offending_path)

    async def _remember(self, run: RunFolder, seen: Look, before: Observation | None) -> None:
        """Durably only if something is new: a run that lies there unchanged costs no write."""
        now = Observation(str(run.path), seen.fingerprint, seen.since, self._parts.now())
        self._seen[now.run_path] = now
        if before is None or (before.fingerprint, before.since, before.taken) != (now.fingerprint, now.since, False):
            await self._parts.store.observe(now)

    async def _let_go_if_gone(self, run_path: str, sighting: Sighting) -> bool:
        """A run that is gone although its container is there holds nothing up any more; whether that is so."""
        if not await asyncio.to_thread(_is_gone, Path(run_path)):
            return False
        self._forget(run_path)
        job = await self._parts.store.job_of(run_path)
        if job is not None and job.is_released:
            await self._intake.look_at_released(job, self._instrument)
            return True
        if job is not None and (job.state is not SyncJobState.QUEUED or not job.held):
            return True
        await self._parts.store.forget_observation(run_path)
        await self._parts.holds.lift(HoldScope.RUN, run_path, "The run's folder is gone from this PC.")
        if job is not None:  # its lane says what that means: a source that vanished (FORMATS.md §6)
            await self._parts.store.release([job.equipment_id], run_path=run_path)
            sighting.taken += 1
        return True

    def _settle(self, run_path: str) -> None:
        self._roster.settle(run_path)
        self._forget(run_path)

    def _forget(self, run_path: str) -> None:
        self._seen.pop(run_path, None)
        self._rests_until.pop(run_path, None)
        self._blocked.pop(run_path, None)

    async def _hold(self, run: RunFolder, kind: HoldKind, sentence: str, *, until: datetime | None = None) -> None:
        await self._parts.holds.lay(
            HoldScope.RUN,
            str(run.path),
            kind,
            sentence,
            equipment_id=run.equipment_id,
            until=until,
            next_step=_NEXT[kind],
        )


def _unreadable(error: OSError, run_path: str) -> str:
    return f"{safe_text(error.filename or run_path)} cannot be read: {safe_text(error.strerror)}."


def _is_gone(run: Path) -> bool:
    """Not so if its container is not there either: then a disk may be missing, and nothing is known."""
    return not run.is_symlink() and not run.exists() and run.parent.is_dir()


_NEXT = {
    HoldKind.ACQUIRING: "taken by itself once it is finished",
    HoldKind.LOCKED: "taken by itself once every file can be read",
    HoldKind.BLOCKED: "asked again by itself once it is repaired",
}
