"""What does somebody look at in the selected run? Its story, its files, its findings or its log, and only that."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.tui.detail import detail_of
from exlab_sync_tui.tui.files import FileList, FileReader
from exlab_sync_tui.tui.messages import FilesRead, Judged, Logged, Ticked, Told

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual.message import Message

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.premises import Premises

_AHEAD = 100
_TICK_SECONDS = 1.0


class Tab(StrEnum):
    """The tabs of the details; the value is the widget's id."""

    STORY = "story"
    FILES = "files"
    FINDINGS = "findings"
    LOG = "run-log"


class Insight:
    """Reads what the open tab shows: anew when something has happened, the gate and the log when they are opened."""

    def __init__(
        self,
        store: JobStore,
        clock: Clock,
        lab: Lab,
        post: Callable[[Message], object],
        *,
        premises: Premises,
        is_engine_alive: Callable[[], bool],
    ) -> None:
        self.wanted = asyncio.Event()
        self._store = store
        self._clock = clock
        self._lab = lab
        self._post = post
        self._premises = premises
        self._is_engine_alive = is_engine_alive
        self._reader = FileReader(store, clock)
        self._run_path = ""
        self._tab = Tab.STORY
        self._files = FileList()
        self._visible = (0, _AHEAD)
        self._unproven_only = False
        self._stale = True
        self._opened = True
        self._until: datetime | None = None

    def open(self, run_path: str, tab: Tab) -> None:
        """Somebody looks at this; an empty path: at nothing any more."""
        if run_path != self._run_path:
            self._visible = (0, _AHEAD)
        self._run_path, self._tab = run_path, tab
        self.again()

    def again(self) -> None:
        """Read everything anew, the gate's findings, too."""
        self._stale = self._opened = True
        if self._run_path:
            self.wanted.set()

    def something_new(self) -> None:
        """The store may have changed."""
        self._stale = True
        if self._run_path:
            self.wanted.set()

    def show_files(self, first: int, last: int, *, unproven_only: bool) -> None:
        """These files are visible now."""
        if unproven_only != self._unproven_only:
            self._stale = True
        self._visible, self._unproven_only = (first - _AHEAD, last + _AHEAD), unproven_only
        if self._run_path:
            self.wanted.set()

    async def look(self) -> None:
        """Read what is wanted. Raises ``StoreError``."""
        run_path, now = self._run_path, self._clock.now()
        if not run_path:
            self._until = None
            return
        stale, opened, self._stale, self._opened = self._stale, self._opened, False, False
        if stale:
            await self._tell(run_path, now)
        if self._tab is Tab.FILES:
            await self._read_files(run_path, stale=stale)
        elif self._tab is Tab.FINDINGS and opened:
            self._post(Judged(run_path, await self._premises.objections(self._store, run_path, now)))
        elif self._tab is Tab.LOG and (opened or stale):
            self._post(Logged(run_path, await self._premises.log(run_path)))

    async def tick(self) -> None:
        """Count down as long as there is something to count to."""
        while True:
            await self._clock.sleep(_TICK_SECONDS)
            if self._until is not None:
                self._post(Ticked(self._clock.now()))

    async def _tell(self, run_path: str, now: datetime) -> None:
        told = await detail_of(
            self._store,
            self._reader,
            run_path,
            now=now,
            engine=self._is_engine_alive(),
            far_roots=self._lab.far_roots,
        )
        self._until = told.until if told is not None else None
        self._post(Told(told))

    async def _read_files(self, run_path: str, *, stale: bool) -> None:
        job = await self._store.job_of(run_path)
        if job is None:
            self._files = FileList()
        elif stale or self._files.job_id != job.id:
            first, last = self._visible
            self._files = await self._reader.look(job, unproven_only=self._unproven_only, first=first, last=last)
        else:
            self._files = await self._reader.filled(self._files, *self._visible)
        self._post(FilesRead(run_path, self._files))
