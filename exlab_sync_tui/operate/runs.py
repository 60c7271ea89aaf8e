"""Which run is meant? A path, or a part of a name or of a job id that only one run has."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotFoundError, UsageError
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobStore

_ID_PART = re.compile(r"[0-9a-fA-F-]{4,36}")
_PAGE = 5_000
_NAMED = 10


@dataclass(frozen=True, slots=True)
class KnownRun:
    """One run that the store knows: by its job, by a hold laid on it, or by both."""

    run_path: str
    equipment_id: str
    job: SyncJobRow | None = None
    hold: Hold | None = None

    @property
    def name(self) -> str:
        """The last part of its path; not yet safe to show."""
        return os.path.basename(self.run_path)  # noqa: PTH119  # a str is at hand


async def find_run(store: JobStore, text: str) -> KnownRun:
    """The run that *text* names; a whole path never stands for a longer one that begins in the same way.

    Raises ``NotFoundError``, or ``UsageError`` that lists those it could be.
    """
    exact = await _at(store, await asyncio.to_thread(os.path.realpath, text))
    if exact is not None:
        return exact
    found = [] if await asyncio.to_thread(_is_path, text) else await _named(store, text) or await _by_id(store, text)
    if not found:
        raise NotFoundError(f"No run is known as {safe_text(text)}; `exlab-sync list` shows the ones that are.")
    whole = [run for run in found if run.name == text]
    if len(whole) == 1:
        return whole[0]
    if len(found) > 1:
        raise UsageError(_ambiguous(text, found))
    return found[0]


async def all_jobs(store: JobStore, wanted: JobFilter | None = None) -> AsyncIterator[SyncJobRow]:
    """Every job that *wanted* lets through, oldest first, a page at a time."""
    after = 0
    while page := await store.jobs(wanted or JobFilter(), after_seq=after, limit=_PAGE):
        for job in page:
            yield job
        after = page[-1].seq


async def all_holds(store: JobStore) -> AsyncIterator[Hold]:
    """Every hold, a page at a time."""
    after = ""
    while page := await store.holds(after_key=after, limit=_PAGE):
        for hold in page:
            yield hold
        after = page[-1].key


async def run_holds(store: JobStore) -> dict[str, Hold]:
    """The holds that are laid on runs, by run path."""
    return {hold.key: hold async for hold in all_holds(store) if hold.scope is HoldScope.RUN}


def _is_path(text: str) -> bool:
    return os.path.isabs(text) or (os.sep in text and os.path.isdir(text))  # noqa: PTH112, PTH117  # a str is at hand


async def _at(store: JobStore, run_path: str) -> KnownRun | None:
    job = await store.job_of(run_path)
    hold = await store.hold(HoldScope.RUN, run_path)
    if job is not None:
        return KnownRun(run_path, job.equipment_id, job, hold)
    return KnownRun(run_path, hold.equipment_id, None, hold) if hold is not None else None


async def _named(store: JobStore, text: str) -> list[KnownRun]:
    """Runs with *text* anywhere in their path, in any case."""
    holds = await run_holds(store)
    found = {
        job.run_path: KnownRun(job.run_path, job.equipment_id, job, holds.get(job.run_path))
        async for job in all_jobs(store, JobFilter(text=text))
    }
    part = text.casefold()
    for path, hold in holds.items():
        if path not in found and part in path.casefold():
            found[path] = KnownRun(path, hold.equipment_id, await store.job_of(path), hold)
    return list(found.values())


async def _by_id(store: JobStore, text: str) -> list[KnownRun]:
    """Runs with *text* anywhere in their job's id."""
    if not _ID_PART.fullmatch(text):
        return []
    part = text.lower()
    jobs = [job async for job in all_jobs(store) if part in job.id]
    return [
        KnownRun(job.run_path, job.equipment_id, job, await store.hold(HoldScope.RUN, job.run_path)) for job in jobs
    ]


def _ambiguous(text: str, found: list[KnownRun]) -> str:
    lines = [f"  {safe_text(run.run_path)}" for run in found[:_NAMED]]
    more = f"\n  and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return f"{safe_text(text)} could be any of these runs; name more of it:\n" + "\n".join(lines) + more
