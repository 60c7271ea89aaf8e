"""How does news of the engine reach the screen? The only crossing: it reads the cockpit and posts messages.

Five quiet loops: the event stream, a sample of what moves, a picture of the store when something happened, the pages
that are scrolled to, and the story of the selected run. None of them touches a widget.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.tui.detail import detail_of
from exlab_sync_tui.tui.listing import Listing, Wanted, filled, fresh
from exlab_sync_tui.tui.messages import Answered, Looked, News, Sampled, Told, Trouble
from exlab_sync_tui.tui.scene import Live, Lookout, Scene

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.message import Message

    from exlab_sync_tui.engine.cockpit.view import Cockpit, Order
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.tui.options import Lab

SAMPLE_SECONDS = 0.25
"""Between two samples of progress; two looks at the store are at least as far apart."""
RESCAN_SECONDS = 5.0
"""After which the store is looked at even if nothing was heard: events are hints (``ARCHITECTURE.md`` decision 3)."""
_AHEAD = 50


class _Act(Protocol):
    """One turn of a loop."""

    __name__: str

    def __call__(self) -> Awaitable[None]: ...


class Bridge:
    """Reads *cockpit* and hands what it finds to *post*."""

    def __init__(self, cockpit: Cockpit, clock: Clock, lab: Lab, post: Callable[[Message], object]) -> None:
        self._cockpit = cockpit
        self._clock = clock
        self._lab = lab
        self._post = post
        self._lookout = Lookout(cockpit.store)
        self._scene = Scene(clock.now())
        self._listing = Listing()
        self._live: Live | None = None
        self._wanted = Wanted()
        self._visible = (0, _AHEAD)
        self._selected = ""
        self._reading = asyncio.Lock()
        self._something_new, self._scrolled, self._selecting = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._troubles: dict[str, str] = {}
        self._something_new.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._listen())
            loops.create_task(self._sample())
            loops.create_task(self._remind())
            loops.create_task(self._whenever(self._something_new, self._look, SAMPLE_SECONDS))
            loops.create_task(self._whenever(self._scrolled, self._turn_pages, 0))
            loops.create_task(self._whenever(self._selecting, self._tell, 0))

    def show(self, first: int, last: int) -> None:
        """The rows from *first* to *last* are visible now."""
        self._visible = (max(first - _AHEAD, 0), last + _AHEAD)
        self._scrolled.set()

    def want(self, wanted: Wanted) -> None:
        """List other runs."""
        self._wanted = wanted
        self._something_new.set()

    def select(self, run_path: str) -> None:
        """Tell the story of this run from now on; empty for none."""
        self._selected = run_path
        if run_path:
            self._selecting.set()

    async def order(self, order: Order) -> None:
        """Hand an order to the engine; the answer comes as a message."""
        outcome = await self._cockpit.order(order)
        self._post(Answered(outcome))
        self._something_new.set()

    async def _listen(self) -> None:
        async for event in self._cockpit.events():
            self._post(News(event))
            self._something_new.set()

    async def _remind(self) -> None:
        while True:
            await self._clock.sleep(RESCAN_SECONDS)
            self._something_new.set()

    async def _sample(self) -> None:
        while True:
            await self._guarded(self._take_sample)
            await self._clock.sleep(SAMPLE_SECONDS)

    async def _take_sample(self) -> None:
        flights = {flight.job_id: flight for flight in await self._cockpit.flights()}
        live = Live(flights, await self._cockpit.pulse())
        if live != self._live:
            self._live = live
            self._post(Sampled(live))

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
            self._listing = await fresh(self._cockpit.store, self._scene, self._wanted, *self._visible)
            self._post(Looked(self._scene, self._listing))
        if self._selected:
            self._selecting.set()

    async def _turn_pages(self) -> None:
        async with self._reading:
            listing = await filled(self._cockpit.store, self._scene, self._listing, *self._visible)
            if listing is not self._listing:
                self._listing = listing
                self._post(Looked(self._scene, listing))

    async def _tell(self) -> None:
        run_path = self._selected
        if run_path:
            alive = self._live is None or self._live.pulse.alive
            told = await detail_of(
                self._cockpit.store, run_path, now=self._clock.now(), engine=alive, far_roots=self._lab.far_roots
            )
            self._post(Told(told))
