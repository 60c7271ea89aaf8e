"""Which runs are finished? Looks at every folder, remembers what it saw, and hands over what is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import CreationError, OrphanRunError
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncHandleState, SyncJobState
from exlab_sync_tui.queue.store import Observation
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.watch.completeness import look
from exlab_sync_tui.watch.discovery import discover

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.engine.intake import Intake
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.watch.completeness import Look

_WATCHED_HOLDS = frozenset({HoldKind.ACQUIRING, HoldKind.LOCKED, HoldKind.BLOCKED, HoldKind.NAMES, HoldKind.SET_UP})
_PUBLISHED = frozenset({SyncJobState.VERIFIED, SyncJobState.CLEANUP_ELIGIBLE})


@dataclass(slots=True)
class Sighting:
    """What one round over one instrument found.

    ``next_look``: when a run that only has to stay still for a while can be taken. ``problems``: sentences about
    folders that could not be read.
    """

    runs: int = 0
    taken: int = 0
    next_look: datetime | None = None
    problems: list[str] = field(default_factory=list)


class Scout:
    """Looks at the runs of one instrument; correctness never depends on anything but this look (decision 3)."""

    def __init__(self, parts: Parts, instrument: Instrument, intake: Intake) -> None:
        self._parts = parts
        self._instrument = instrument
        self._intake = intake

    async def round(self) -> Sighting:
        """Look once at every run folder."""
        sighting = Sighting()
        found = await asyncio.to_thread(lambda: list(discover(self._instrument.folder, sighting.problems.append)))
        sighting.runs = len(found)
        for run in found:
            await self._visit(run, sighting)
        return sighting

    async def _visit(self, run: RunFolder, sighting: Sighting) -> None:
        job = await self._parts.store.job_of(str(run.path))
        if job is not None and not await self._is_watched(job):
            return
        before = await self._parts.store.observation(str(run.path))
        try:
            seen = await asyncio.to_thread(self._look, run, before)
        except OSError as error:
            await self._hold(
                run, HoldKind.LOCKED, f"{safe_text(error.filename or run.path)} cannot be read: {error.strerror}."
            )
            return
        unchanged = before is not None and before.fingerprint == seen.fingerprint
        if unchanged and before is not None and before.taken and job is not None and job.state in _PUBLISHED:
            return
        await self._remember(run, seen, taken=False)
        if not seen.finished:
            if seen.due is not None and (sighting.next_look is None or seen.due < sighting.next_look):
                sighting.next_look = seen.due
            if job is None or job.state not in _PUBLISHED:
                await self._hold(run, seen.kind, seen.sentence, until=seen.due)
            return
        await self._hand_over(run, seen, sighting)

    async def _is_watched(self, job: SyncJobRow) -> bool:
        """Whether a run that has a job is still worth a look: it waits for its folder, or may have grown."""
        if job.state in _PUBLISHED:
            return True
        if job.state is not SyncJobState.QUEUED or not job.held:
            return False
        hold = await self._parts.store.hold(HoldScope.RUN, job.run_path)
        return hold is None or hold.kind in _WATCHED_HOLDS

    def _look(self, run: RunFolder, before: Observation | None) -> Look:
        return look(
            run,
            self._instrument.completeness,
            fingerprint=before.fingerprint if before else None,
            since=before.since if before else None,
            seen=before.seen if before else None,
            at=self._parts.now(),
        )

    async def _hand_over(self, run: RunFolder, seen: Look, sighting: Sighting) -> None:
        try:
            handle = await self._intake.enqueue(run, self._instrument, origin="monitor", who="monitor")
        except OrphanRunError as error:
            await self._hold(run, HoldKind.BLOCKED, str(error))
            return
        except CreationError as error:
            await self._hold(run, HoldKind.BLOCKED, str(error))
            return
        if handle.state is SyncHandleState.QUEUED:
            sighting.taken += 1
            await self._remember(run, seen, taken=True)

    async def _remember(self, run: RunFolder, seen: Look, *, taken: bool) -> None:
        now = self._parts.now()
        await self._parts.store.observe(Observation(str(run.path), seen.fingerprint, seen.since, now, taken))

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


_NEXT = {
    HoldKind.ACQUIRING: "taken by itself once it is finished",
    HoldKind.LOCKED: "taken by itself once every file can be read",
    HoldKind.BLOCKED: "asked again by itself once it is repaired",
}
