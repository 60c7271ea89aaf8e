"""Who looks for what is worth a message, and sends it? One watchman beside a running engine; he changes nothing."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.errors import NotifyError, StoreError
from exlab_sync_tui.operate.glance import glance
from exlab_sync_tui.operate.notify import post
from exlab_sync_tui.operate.notify.forecast import Forecast
from exlab_sync_tui.operate.notify.notice import Notice, Occasion, long_waits, notice_of
from exlab_sync_tui.operate.notify.ration import Ration
from exlab_sync_tui.operate.runs import all_holds
from exlab_sync_tui.operate.wiring import equipment_folders, staged
from exlab_sync_tui.text import count, duration, safe_text, size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Settings
    from exlab_sync_tui.settings.operating import NotifyTarget

    Send = Callable[[NotifyTarget, Notice], None]

_LOG = logging.getLogger("exlab_sync_tui.notify")
_LOOK_SECONDS = 60.0
_BACKLOG = 1_000


class Engine(Protocol):
    """What of a running engine is used."""

    @property
    def store(self) -> JobStore:
        """The store, for reading."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens."""
        ...


class Watchman:
    """Listens and looks while ``watch`` runs. *send*, *free* and *local* (time) are for tests."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        send: Send = post.send,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        local: Callable[[datetime], datetime] = lambda moment: moment.astimezone(),
    ) -> None:
        self._settings = settings
        self._block = settings.notify
        self._clock = clock
        self._send = send
        self._free = free
        self._local = local
        self._rations = {target.name: Ration(self._block.at_most_per_hour) for target in self._block.targets}
        self._forecasts: dict[Path, Forecast] = {}
        self._post: asyncio.Queue[tuple[NotifyTarget, Notice]] = asyncio.Queue(_BACKLOG)
        self._digest_due = self._next_digest()

    async def watch(self, engine: Engine) -> None:
        """Until the engine's events end, or cancelled. A message that cannot be sent is written to the log."""
        store = engine.store
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._look_around(store)), group.create_task(self._deliver())]
            async for event in engine.events():
                await self._hear(event, store)
            await self._post.join()
            for helper in helpers:
                helper.cancel()

    async def _hear(self, event: Event, store: JobStore) -> None:
        notice = notice_of(event)
        if notice is not None and notice.occasion is Occasion.FAILED and "error_kind" not in event.data:
            notice = notice_of(event, last_error=await _last_error(store, event.job_id))
        if notice is not None:
            self._put(notice)

    async def _look_around(self, store: JobStore) -> None:
        while True:
            try:
                for notice in await self.look(store):
                    self._put(notice)
            except StoreError as error:  # it is closed before the last words are said; others say so if it is broken
                _LOG.debug("The store could not be looked at: %s", error)
            await self._clock.sleep(_LOOK_SECONDS)

    async def look(self, store: JobStore) -> list[Notice]:
        """What time alone makes worth a message: a destination away for long, a disk that fills up, the digest."""
        now = self._clock.now()
        holds = [hold async for hold in all_holds(store)]
        found = long_waits(holds, now, after_seconds=self._block.away_after_minutes * 60)
        found += await asyncio.to_thread(self._disks)
        if self._digest_due is not None and now >= self._digest_due:
            self._digest_due = self._next_digest()
            found.append(await self._digest(store, now))
        return found

    async def _digest(self, store: JobStore, now: datetime) -> Notice:
        seen = await glance(store, staged=staged(self._settings), shown=10)
        lines = [
            f"{run.equipment_id} {safe_text(run.run_path.rpartition('/')[2])}: {safe_text(run.sentence)}"
            for run in seen.open_runs
        ]
        more = [f"and {seen.more:,} more"] if seen.more else []
        body = "\n".join([seen.sentence, "", *lines, *more]).strip()
        return Notice(Occasion.DIGEST, str(now.date()), "the daily digest", body)

    def _disks(self) -> list[Notice]:
        """One forecast for each instrument's disk. For a thread."""
        found = []
        for folder in equipment_folders(self._settings):
            try:
                free = self._free(folder.root)
            except OSError:
                continue  # a folder that is gone is a hold, and said there
            forecast = self._forecasts.setdefault(folder.root, Forecast())
            forecast.sample(self._clock.monotonic(), free)
            left = forecast.hours_left()
            if left is not None and left <= self._block.disk_full_within_hours:
                body = (
                    f"The disk of {safe_text(folder.root)} will be full in about {_about(left)} at the present rate;"
                    f" {size(free)} are left."
                )
                found.append(Notice(Occasion.DISK, str(folder.root), f"{folder.equipment_id}: the disk fills up", body))
        return found

    def _next_digest(self) -> datetime | None:
        if self._block.digest_at is None:
            return None
        hour, minute = map(int, self._block.digest_at.split(":"))
        now = self._local(self._clock.now())
        due = now.replace(hour=hour % 24, minute=minute, second=0, microsecond=0)
        return due if due > now else due + timedelta(days=1)

    def _put(self, notice: Notice) -> None:
        """Into the post for every target that wants it and has not had too much."""
        for target in self._block.targets:
            ration = self._rations[target.name]
            if notice.occasion.value not in target.events or not ration.admits(notice, self._clock.monotonic()):
                continue
            held = ration.take_held_back()
            more = f"\n\n{count(held, 'earlier message')} held back: too many in one hour." if held else ""
            addressed = replace(notice, title=f"exlab-sync {host()}: {notice.title}", body=notice.body + more)
            if self._post.full():
                self._post.get_nowait()
                self._post.task_done()
            self._post.put_nowait((target, addressed))

    async def _deliver(self) -> None:
        while True:
            target, notice = await self._post.get()
            try:
                await asyncio.to_thread(self._send, target, notice)
            except NotifyError as error:
                _LOG.warning("Not sent to %s (%s): %s", target.name, notice.title, error)
            finally:
                self._post.task_done()


async def _last_error(store: JobStore, job_id: str) -> str:
    """Why the job failed; unknown where the engine has closed its store meanwhile."""
    try:
        job = await store.job(job_id)
    except StoreError:
        return ""
    return (job.last_error or "") if job is not None else ""


def host() -> str:
    """The name of this PC."""
    return safe_text(socket.gethostname())


def _about(hours: float) -> str:
    return duration(round(hours * 2) / 2 * 3600) if hours >= 1 else "an hour"
