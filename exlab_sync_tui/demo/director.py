"""Who sees to it that the story is played? Waits for each scene's moment and cue, has it performed, and tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.story import Cue, Deed
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from exlab_sync_tui.demo.lab import SampleRun
    from exlab_sync_tui.demo.stage import Stage
    from exlab_sync_tui.demo.story import Scene
    from exlab_sync_tui.engine.cockpit.view import Outcome
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.queue.store import JobStore

_GLANCE = 0.25
"""Seconds between two looks for a cue."""


@dataclass(frozen=True, slots=True)
class Director:
    """Plays scenes. ``tell`` gets what is said. ``retry`` tries a job again; without it, somebody is asked to.

    ``patience``: so many seconds a cue is waited for, then the rest of the story is left out; ``None`` waits for ever.
    """

    stage: Stage
    store: JobStore
    clock: Clock
    tell: Callable[[Event], None]
    retry: Callable[[str], Awaitable[Outcome]] | None = None
    patience: float | None = None

    async def play(self, scenes: Iterable[Scene]) -> bool:
        """Play all of them; whether every cue came. A cue that comes late moves everything behind it."""
        begin = self.clock.monotonic()
        for scene in scenes:
            await self.clock.sleep(max(begin + scene.at - self.clock.monotonic(), 0.0))
            asked = self.clock.monotonic()
            if scene.cue is not None and not await self._seen(scene.cue, scene.run):
                return False
            begin += self.clock.monotonic() - asked
            await self.stage.perform(scene)
            if scene.words:
                self._say(scene.words, scene.run)
            if scene.deed is Deed.RETRY and scene.run is not None:
                await self._try_again(scene.run)
        return True

    async def _seen(self, cue: Cue, run: SampleRun | None) -> bool:
        asked = self.clock.monotonic()
        while not await self._is_there(cue, run):
            if self.patience is not None and self.clock.monotonic() - asked > self.patience:
                return False
            await self.clock.sleep(_GLANCE)
        return True

    async def _is_there(self, cue: Cue, run: SampleRun | None) -> bool:
        path = str(run.path) if run is not None else ""
        if cue is Cue.FAILED:
            job = await self.store.job_of(path)
            return job is not None and job.state is SyncJobState.FAILED
        if cue is Cue.BLOCKED:
            hold = await self.store.hold(HoldScope.RUN, path)
            return hold is not None and hold.kind is HoldKind.BLOCKED
        if cue is Cue.ALL_SAFE:
            return await self._all_safe()
        outages = [hold for hold in await self.store.holds() if hold.scope is HoldScope.DESTINATION]
        return bool(outages) is (cue is Cue.AWAY)

    async def _all_safe(self) -> bool:
        paths = [str(run.path) for run in self.stage.runs]
        jobs = (await self.store.jobs_of(paths)).values()
        return len(jobs) == len(paths) and all(job.state is SyncJobState.VERIFIED for job in jobs)

    async def _try_again(self, run: SampleRun) -> None:
        job = await self.store.job_of(str(run.path))
        if job is None or job.state is not SyncJobState.FAILED:
            return  # somebody has done it already
        if self.retry is None:
            self._say(f"Select {run.path.name} and press r to try again.", run)
            return
        outcome = await self.retry(job.id)
        if not outcome.ok:
            self._say(outcome.sentence, run)

    def _say(self, words: str, run: SampleRun | None) -> None:
        equipment_id, path = (run.instrument.value, str(run.path)) if run is not None else ("", "")
        self.tell(Event(self.clock.now(), EventKind.OPERATOR, words, equipment_id, path))
