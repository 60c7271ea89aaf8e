"""When is which folder looked at? The loop of an engine that runs for months.

Three things lead to a look, and only the first is needed for correctness (``ARCHITECTURE.md`` decision 3):

- **The rescan**, every ``rescan_seconds``, looks at every run that is new, open, held or blocked. It costs next to
  nothing in an idle lab: a container whose stamp did not change is not listed (``watch/roster.py``), a run that needs
  nothing is only a name, and a run that is looked at again and again rests fifty times as long as the look took.
  Settled runs that are published are walked in small portions, so that each is compared with what was handed over once
  an hour. Once an hour, too, nothing is believed: everything is listed and asked of the store again.
- **The moment at which stillness is long enough** (``Sighting.looks``): the run is looked at right then.
- **A hint** (``watch/monitor.py``): the run is looked at as soon as it has been quiet for half a second, so that its
  stillness counts from its last change on. A run that is written all the time waits for the rescan, and no run is
  looked at on hints for more than a tenth of the time. Holds that others lay on a run are hints as well.

Every instrument has a beat of its own: one whose disk hangs does not keep the others waiting (invariant S10).
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.patience import until_woken
from exlab_sync_tui.engine.scout import WATCHED_HOLDS
from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from exlab_sync_tui.engine.scout import Sighting
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.watch.monitor import Monitor

_LOG = logging.getLogger(__name__)
_QUIET_SECONDS = 0.5
_EVERYTHING_SECONDS = 3_600.0
_REST_PER_HINT = 10.0
_JUST_AFTER = 0.01
_WATCHED = {kind.value for kind in WATCHED_HOLDS}


class Patrol:
    """Looks at every instrument until cancelled; *monitor* gives hints, without one only the clock leads to looks."""

    def __init__(self, works: Works, *, rescan_seconds: float, monitor: Monitor | None = None) -> None:
        self._works = works
        self._rescan_seconds = rescan_seconds
        self._monitor = monitor
        self._beats = {one: Beat(works, one, rescan_seconds, monitor) for one in works.lanes}

    async def run(self) -> None:
        """Raises ``StoreError``: without the store nothing may be taken."""
        pumps: list[Coroutine[None, None, None]] = [self._heed_holds(), self._pay_debts()]
        if self._monitor is not None:
            pumps.append(self._heed_hints(self._monitor))
        tasks = [asyncio.create_task(work) for work in (*pumps, *(beat.run() for beat in self._beats.values()))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for scout in self._works.scouts.values():
                scout.stop()
            for task in tasks:
                if not task.cancelling():
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _heed_hints(self, monitor: Monitor) -> None:
        stream = monitor.hints()
        try:
            async for hints in stream:
                for hint in hints:
                    if hint.equipment_id in self._beats:
                        self._beats[hint.equipment_id].hint(hint.path)
        finally:
            await stream.aclose()

    async def _heed_holds(self) -> None:
        """A settled run that is held again has come back to its folder: it changed while it was sent, say.

        A run that an operator has decided about is looked at, too: what blocked it may be lifted.
        """
        async for event in self._works.parts.bus.events():
            beat = self._beats.get(event.equipment_id)
            is_hold = event.kind is EventKind.HOLD_SET and event.data.get("scope") == HoldScope.RUN.value
            if beat is not None and is_hold and event.data.get("hold") in _WATCHED:
                beat.held(event.run_path)
            elif beat is not None and event.kind is EventKind.OPERATOR and event.run_path:
                beat.decided(event.run_path)

    async def _pay_debts(self) -> None:
        while True:
            await self._works.bookkeeper.pay()
            await self._works.parts.clock.sleep(self._rescan_seconds)


class Beat:
    """The looks at one instrument. All moments are seconds of the monotonic clock."""

    def __init__(self, works: Works, equipment_id: str, rescan_seconds: float, monitor: Monitor | None) -> None:
        self._works = works
        self._equipment_id = equipment_id
        self._rescan_seconds = rescan_seconds
        self._monitor = monitor
        self._scout = works.scouts[equipment_id]
        self._clock = works.parts.clock
        self._wake = asyncio.Event()
        self._last_rescan = self._clock.monotonic()
        self._next_rescan = self._last_rescan
        self._next_everything = self._last_rescan + _EVERYTHING_SECONDS
        self._next_glimpse: float | None = None
        self._all_open = False
        self._wanted: dict[str, float] = {}
        self._glimpse_rests_until = 0.0
        self._rests_until: dict[str, float] = {}
        self._told: set[str] = set()

    def hint(self, path: str) -> None:
        """Something may have changed in this run, or beside it; anywhere if *path* is empty."""
        moment = self._clock.monotonic() + _QUIET_SECONDS
        if path and self._scout.knows(path):
            self._wanted[path] = max(moment, self._rests_until.get(path, 0.0))
        else:
            self._next_glimpse = max(moment, self._glimpse_rests_until)
            self._all_open = self._all_open or not path
        self._wake.set()

    def held(self, run_path: str) -> None:
        """A hold was laid on this run; if that was not because of a look, one is due."""
        if self._scout.is_settled(run_path):
            self._wanted[run_path] = self._clock.monotonic()
            self._wake.set()

    def decided(self, run_path: str) -> None:
        """An operator has decided about this run: whoever waits for that does not wait for a rest to end."""
        if self._scout.knows(run_path):
            self._wanted[run_path] = self._clock.monotonic()
            self._wake.set()

    async def run(self) -> None:
        """Raises ``StoreError``."""
        while True:
            self._wake.clear()
            seconds = self._next_moment() - self._clock.monotonic()
            if seconds > 0:
                await until_woken(self._wake, self._clock, seconds)
                continue
            try:
                await self._look()
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001  # one instrument's mishap is not the others' (S10); it is told
                _LOG.exception("unexpected error while the folders of %s were looked at", self._equipment_id)
                self._tell({f"Unexpected {type(error).__name__}: {safe_text(error)}; the log has the details."})
                self._next_rescan = self._clock.monotonic() + self._rescan_seconds
                self._wanted.clear()
                self._next_glimpse = None

    def _next_moment(self) -> float:
        glimpse = [] if self._next_glimpse is None else [self._next_glimpse]
        return min([self._next_rescan, *glimpse, *self._wanted.values()])

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if now >= self._next_rescan:
            await self._rescan(now)
        elif self._next_glimpse is not None and now >= self._next_glimpse:
            self._next_glimpse = None
            all_open, self._all_open = self._all_open, False
            await self._after(await self._scout.glimpse(new_only=not all_open))
            self._glimpse_rests_until = self._end_of_rest(now)
        else:
            due = [path for path, moment in self._wanted.items() if moment <= now]
            for path in due:
                del self._wanted[path]
            await self._after(await self._scout.look_at(due))
            open_runs = set(self._scout.open_runs)
            self._rests_until = {path: until for path, until in self._rests_until.items() if path in open_runs}
            self._rests_until |= dict.fromkeys(due, self._end_of_rest(now))

    async def _rescan(self, now: float) -> None:
        everything = now >= self._next_everything
        if everything:
            self._next_everything = now + _EVERYTHING_SECONDS
        sighting = await self._scout.rescan(thorough=everything)
        self._tell(set(sighting.problems))
        await self._after(sighting)
        share = min((now - self._last_rescan) / _EVERYTHING_SECONDS, 1.0)
        if number := math.ceil(self._scout.settled_count * share):
            await self._after(await self._scout.check_settled(number))
        self._last_rescan = now
        end = self._clock.monotonic()
        self._next_rescan = max(now + self._rescan_seconds, end + (end - now))

    async def _after(self, sighting: Sighting) -> None:
        now, wall = self._clock.monotonic(), self._works.parts.now()
        for path, due in sighting.looks.items():
            self._wanted[path] = now + max((due - wall).total_seconds(), 0.0) + _JUST_AFTER
        if sighting.taken:
            self._works.wake(self._equipment_id)
        for path in sighting.asked:
            await self._works.bookkeeper.pay(path)
        if self._monitor is not None:
            self._monitor.aim(self._equipment_id, containers=self._scout.containers, runs=self._scout.open_runs)

    def _tell(self, problems: set[str]) -> None:
        """Each problem once, for as long as it lasts."""
        for sentence in sorted(problems - self._told):
            self._works.parts.bus.say(EventKind.WARNING, sentence, equipment_id=self._equipment_id)
        self._told = problems

    def _end_of_rest(self, begun: float) -> float:
        end = self._clock.monotonic()
        return end + _REST_PER_HINT * (end - begun)
