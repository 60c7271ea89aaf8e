"""How does news of the engine reach the screen? The only crossing: it reads the cockpit and posts messages.

Quiet loops: the event stream, a sample of what moves, a picture of the store when something happened, the pages that
are scrolled to, what surrounds the store, and what somebody looks at in one run. None of them touches a widget.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.runs import all_jobs
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.tui.insight import Insight
from exlab_sync_tui.tui.listing import Listing, filled, fresh, place_in
from exlab_sync_tui.tui.messages import Answered, Found, Looked, News, Sampled, Surveyed, Trouble
from exlab_sync_tui.tui.scene import Live, Lookout, Scene
from exlab_sync_tui.tui.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.message import Message

    from exlab_sync_tui.engine.cockpit.view import Cockpit, Order, Outcome
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.operate.objections import Objections
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.premises import Premises, Survey

SAMPLE_SECONDS = 0.25
"""Between two samples of progress; two looks at the store are at least as far apart."""
RESCAN_SECONDS = 5.0
"""After which the store is looked at even if nothing was heard: events are hints (``ARCHITECTURE.md`` decision 3)."""
_SURVEY_SECONDS = 10.0
_AHEAD = 50
_RATES = 24
_RATE_SECONDS = 1.0


class _Act(Protocol):
    """One turn of a loop."""

    __name__: str

    def __call__(self) -> Awaitable[None]: ...


class Bridge:
    """Reads *cockpit* and *premises* and hands what it finds to *post*."""

    def __init__(
        self, cockpit: Cockpit, clock: Clock, lab: Lab, post: Callable[[Message], object], premises: Premises
    ) -> None:
        self._cockpit = cockpit
        self._clock = clock
        self._post = post
        self._premises = premises
        self._lookout = Lookout(cockpit.store)
        self._scene = Scene(clock.now())
        self._listing = Listing()
        self._live: Live | None = None
        self._rates: dict[str, deque[float]] = {}
        self._rated = float("-inf")
        self._survey: Survey | None = None
        self._wanted = Wanted()
        self._visible = (0, _AHEAD)
        self._anchor = ""
        self._reading = asyncio.Lock()
        self._something_new, self._scrolled, self._wished = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._troubles: dict[str, str] = {}
        self._something_new.set()
        self.insight = Insight(
            cockpit.store, clock, lab, post, premises=premises, is_engine_alive=self._is_engine_alive
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._listen())
            loops.create_task(self._every(SAMPLE_SECONDS, self._take_sample))
            loops.create_task(self._every(_SURVEY_SECONDS, self._look_around))
            loops.create_task(self._remind())
            loops.create_task(self._whenever(self._something_new, self._look, SAMPLE_SECONDS))
            loops.create_task(self._whenever(self._wished, self._rearrange, 0))
            loops.create_task(self._whenever(self._scrolled, self._turn_pages, 0))
            loops.create_task(self._whenever(self.insight.wanted, self.insight.look, 0))
            loops.create_task(self.insight.tick())

    def show(self, first: int, last: int) -> None:
        """The rows from *first* to *last* are visible now."""
        self._visible = (max(first - _AHEAD, 0), last + _AHEAD)
        self._scrolled.set()

    def want(self, wanted: Wanted) -> None:
        """List other runs, from the first one."""
        first, last = self._visible
        self._wanted, self._visible = wanted, (0, last - first)
        self._wished.set()

    def select(self, run_path: str) -> None:
        """This run is selected: it is found again wherever it goes."""
        self._anchor = run_path

    async def seek(self, run_path: str) -> bool:
        """Find where a run is listed; a message says it. ``False`` if it is not listed. Raises ``StoreError``."""
        async with self._reading:
            place = await place_in(self._cockpit.store, self._listing, run_path)
            if place is None:
                return False
            await self._bring(place, run_path)
        return True

    async def seek_row(self, place: int) -> None:
        """Bring the row at *place* into memory; a message says when it is there. Raises ``StoreError``."""
        async with self._reading:
            await self._bring(min(place, max(self._listing.total - 1, 0)), "")

    async def _bring(self, place: int, run_path: str) -> None:
        self._listing = await filled(self._cockpit.store, self._scene, self._listing, place - _AHEAD, place + _AHEAD)
        row = self._listing.row(place)
        self._post(Looked(self._scene, self._listing))
        self._post(Found(place, run_path or (row.run_path if row is not None else "")))

    async def listed(self, limit: int) -> list[Row]:
        """The first rows of the list, *limit* at most. Raises ``StoreError``."""
        async with self._reading:
            listing = await filled(self._cockpit.store, self._scene, self._listing, 0, limit - 1)
        rows = [listing.row(index) for index in range(min(listing.total, limit))]
        return [row for row in rows if row is not None]

    async def find(self, text: str) -> bool:
        """Find a listed run with *text* in its path, the newest one that has a job; a message says where it is.

        ``False`` if there is none. Raises ``StoreError``.
        """
        part, wanted = text.casefold(), self._listing.wanted
        held = [row for section in self._listing.sections for row in section.rows]
        known = next((row.run_path for row in held if part in row.run_path.casefold()), "")
        if not known:
            states = frozenset(state for section in self._listing.sections for state in section.states)
            fitting = JobFilter(states, wanted.equipment_id, text)
            jobs = await self._cockpit.store.jobs(fitting, limit=1, newest_first=True) if states else []
            known = jobs[0].run_path if jobs else ""
        return bool(known) and await self.seek(known)

    async def objections(self, run_path: str) -> Objections:
        """What the gate says of a run now. Raises ``StoreError``."""
        return await self._premises.objections(self._cockpit.store, run_path, self._clock.now())

    async def failed(self) -> list[SyncJobRow]:
        """Every failed run, oldest first. Raises ``StoreError``."""
        return [job async for job in all_jobs(self._cockpit.store, JobFilter(frozenset({SyncJobState.FAILED})))]

    async def order(self, orders: Sequence[Order], sum_up: Callable[[Sequence[Outcome]], Outcome]) -> None:
        """Hand orders to the engine, one after the other; one answer comes as a message."""
        outcomes = [await self._cockpit.order(order) for order in orders]
        self._post(Answered(sum_up(outcomes)))
        self._something_new.set()
        self.insight.again()

    async def ask(self, order: Order) -> Outcome:
        """Hand an order over whose answer is read by a program."""
        return await self._cockpit.order(order)

    def _is_engine_alive(self) -> bool:
        return self._live is None or self._live.pulse.alive

    async def _listen(self) -> None:
        async for event in self._cockpit.events():
            self._post(News(event))
            self._something_new.set()

    async def _remind(self) -> None:
        while True:
            await self._clock.sleep(RESCAN_SECONDS)
            self._something_new.set()

    async def _every(self, seconds: float, act: _Act) -> None:
        while True:
            await self._guarded(act)
            await self._clock.sleep(seconds)

    async def _take_sample(self) -> None:
        flights = {flight.job_id: flight for flight in await self._cockpit.flights()}
        now = self._clock.monotonic()
        if now - self._rated >= _RATE_SECONDS:
            self._rated = now
            self._note_rates({flight.equipment_id: flight.rate for flight in flights.values()})
        rates = {name: tuple(points) for name, points in self._rates.items()}
        live = Live(flights, await self._cockpit.pulse(), rates)
        if live.differs_from(self._live):
            self._live = live
            self._post(Sampled(live))

    def _note_rates(self, rates: dict[str, float]) -> None:
        """Remember each instrument's rate; one that has rested for the whole window is forgotten."""
        for name in rates.keys() | self._rates.keys():
            points = self._rates.setdefault(name, deque(maxlen=_RATES))
            points.append(rates.get(name, 0.0))
            if not any(points):
                del self._rates[name]

    async def _look_around(self) -> None:
        survey = await self._premises.survey(self._cockpit.store, self._clock.now())
        if survey != self._survey:
            self._survey = survey
            self._post(Surveyed(survey))

    async def _whenever(self, event: asyncio.Event, act: _Act, gap: float) -> None:
        while True:
            await event.wait()
            event.clear()
            await self._guarded(act)
            if gap:
                await self._clock.sleep(gap)

    async def _guarded(self, act: _Act) -> None:
        """A store that cannot be read now is said on the screen and asked again at the next turn."""
        try:
            await act()
        except ExlabSyncError as error:
            self._troubles[act.__name__] = str(error)
        else:
            if self._troubles.pop(act.__name__, None) is None:
                return
        self._post(Trouble(next(iter(self._troubles.values()), "")))

    async def _look(self) -> None:
        async with self._reading:
            self._scene = await self._lookout.look(self._clock.now())
            same = self._wanted == self._listing.wanted
            self._listing = await fresh(self._cockpit.store, self._scene, self._wanted, *self._visible)
            place = await self._lost(self._listing) if same else None
            self._post(Looked(self._scene, self._listing, place))
        self.insight.something_new()

    async def _rearrange(self) -> None:
        """List what is wanted now of the picture that is there: somebody waits for it, and news waits for no key."""
        async with self._reading:
            if self._listing.sections and self._wanted != self._listing.wanted:
                self._listing = await fresh(self._cockpit.store, self._scene, self._wanted, *self._visible)
                self._post(Looked(self._scene, self._listing))

    async def _lost(self, listing: Listing) -> int | None:
        """Where the selected run has gone, if it is not near any more."""
        if not self._anchor or listing.place_of(self._anchor) is not None:
            return None
        return await place_in(self._cockpit.store, listing, self._anchor)

    async def _turn_pages(self) -> None:
        async with self._reading:
            listing = await filled(self._cockpit.store, self._scene, self._listing, *self._visible)
            if listing is not self._listing:
                self._listing = listing
                self._post(Looked(self._scene, listing))
