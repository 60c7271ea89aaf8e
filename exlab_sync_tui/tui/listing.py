"""Which runs are listed, and in which order? What needs somebody first, then what moves and waits, then what is safe.

Only the pages around the visible rows are in memory, so that 100,000 runs cost what 100 do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.operate.glance import MOVING_STATES, SAFE_STATES
from exlab_sync_tui.queue.store import JobFilter, JobKey
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.scene import NEEDS_SOMEBODY
from exlab_sync_tui.tui.wanted import Sort, View, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.tui.scene import Scene

PAGE = 100
"""Rows read at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run: its job, the hold on it, or both."""

    run_path: str
    equipment_id: str
    job: SyncJobRow | None = None
    hold: Hold | None = None

    @property
    def name(self) -> str:
        """The last part of its path; safe to show."""
        return safe_text(os.path.basename(self.run_path))  # a str is at hand, many times a second  # noqa: PTH119  # a str is at hand, many times a second


@dataclass(frozen=True, slots=True)
class Section:
    """Neighbouring rows of one sort: read from the store by state, or ``rows`` that are in memory."""

    states: frozenset[SyncJobState] = frozenset()
    newest_first: bool = False
    length: int = 0
    rows: tuple[Row, ...] = ()
    by: JobKey = JobKey.QUEUED


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed at one moment; ``pages`` are the ones that are in memory, by section and number."""

    wanted: Wanted = field(default_factory=Wanted)
    sections: tuple[Section, ...] = ()
    pages: Mapping[tuple[int, int], tuple[Row, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(section.length for section in self.sections)

    @property
    def is_open(self) -> bool:
        """Whether a filter has to read on to know how many rows there are; ``total`` is then a lower bound."""
        return any(self.missing(0, self.total - 1)) if self.wanted.text else False

    def row(self, index: int) -> Row | None:
        """The row at *index*; ``None`` while its page is not in memory."""
        for number, section in enumerate(self.sections):
            if index < section.length:
                if section.rows:
                    return section.rows[index]
                page = self.pages.get((number, index // PAGE), ())
                return page[index % PAGE] if index % PAGE < len(page) else None
            index -= section.length
        return None

    def place_of(self, run_path: str) -> int | None:
        """Where a run is listed, if it is in memory."""
        before = 0
        for number, section in enumerate(self.sections):
            for index, row in enumerate(section.rows):
                if row.run_path == run_path:
                    return before + index
            for (owner, page), rows in self.pages.items():
                for index, row in enumerate(rows if owner == number else ()):
                    if row.run_path == run_path:
                        return before + page * PAGE + index
            before += section.length
        return None

    def missing(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The pages of the rows from *first* to *last* that are not in memory."""
        start = 0
        for number, section in enumerate(self.sections):
            top, bottom = max(first - start, 0), min(last - start, section.length - 1)
            if section.states and top <= bottom:
                for page in range(top // PAGE, bottom // PAGE + 1):
                    if (number, page) not in self.pages:
                        yield number, page
            start += section.length


async def fresh(store: JobStore, scene: Scene, wanted: Wanted, first: int, last: int) -> Listing:
    """Read the rows from *first* to *last* anew. Raises ``StoreError``."""
    sections = _sections(scene, wanted)
    listing = Listing(wanted, tuple(sections))
    if wanted.text:
        for number, section in enumerate(sections):
            if section.states:
                listing = await _with_page(store, scene, listing, number, 0)
        first = 0  # how long a filtered list is, only its pages tell, one after the other
    return await filled(store, scene, listing, first, last)


async def filled(store: JobStore, scene: Scene, listing: Listing, first: int, last: int) -> Listing:
    """*listing* with the rows from *first* to *last* in memory. Raises ``StoreError``."""
    while missing := list(listing.missing(first, last)):
        for number, page in missing:
            listing = await _with_page(store, scene, listing, number, page)
    return listing


async def place_in(store: JobStore, listing: Listing, run_path: str) -> int | None:
    """Where a run is listed, in memory or not; a filtered list knows only what has been read. Raises ``StoreError``."""
    known = listing.place_of(run_path)
    if known is not None or listing.wanted.text:
        return known
    job, wanted, before = await store.job_of(run_path), listing.wanted, 0
    if job is None or wanted.equipment_id not in {"", job.equipment_id}:
        return None
    for section in listing.sections:
        if job.state in section.states:
            fitting = JobFilter(section.states, wanted.equipment_id)
            return before + await store.place(job, fitting, newest_first=section.newest_first, by=section.by)
        before += section.length
    return None


async def _with_page(store: JobStore, scene: Scene, listing: Listing, number: int, page: int) -> Listing:
    section, wanted = listing.sections[number], listing.wanted
    jobs = await store.jobs(
        JobFilter(section.states, wanted.equipment_id, wanted.text),
        skip=page * PAGE,
        limit=PAGE,
        newest_first=section.newest_first,
        by=section.by,
    )
    rows = tuple(Row(job.run_path, job.equipment_id, job, scene.run_holds.get(job.run_path)) for job in jobs)
    sections = listing.sections
    if wanted.text:
        # A full page may have another behind it: one more row stands for it until somebody scrolls there.
        known = page * PAGE + len(rows) + (len(rows) == PAGE)
        grown = replace(section, length=known if len(rows) < PAGE else max(section.length, known))
        sections = (*sections[:number], grown, *sections[number + 1 :])
    return replace(listing, sections=sections, pages={**listing.pages, (number, page): rows})


def _sections(scene: Scene, wanted: Wanted) -> list[Section]:
    if wanted.view is View.NEEDS:
        stuck = [Row(run.run_path, run.equipment_id, run.job, run.hold) for run in scene.stuck]
        chosen = [row for row in stuck if row.hold is not None and wanted.admits(row.hold)]
        return [_in_memory(chosen, wanted), _stored(scene, wanted, _FAILED, newest_first=True)]
    stuck, others = _bare(scene, wanted)
    if wanted.view is View.WRITING:
        return [_in_memory(others, wanted)]
    if wanted.view is not View.ALL:
        stuck, others = [], []
    if wanted.sort is not Sort.ATTENTION:
        states = frozenset(_STATES_OF[wanted.view])
        key, newest_first = _KEYS[wanted.sort]
        jobs = _stored(scene, wanted, states, newest_first=newest_first, by=key)
        return [_in_memory(stuck, wanted), _in_memory(others, wanted), jobs]
    states = _STATES_OF[wanted.view]
    before = [(group & states, newest) for group, newest in _BEFORE if group & states]
    sections = [_in_memory(stuck, wanted)]
    sections += [_stored(scene, wanted, group, newest_first=newest) for group, newest in before]
    return [*sections, _in_memory(others, wanted), _stored(scene, wanted, SAFE_STATES & states, newest_first=True)]


def _bare(scene: Scene, wanted: Wanted) -> tuple[list[Row], list[Row]]:
    stuck: list[Row] = []
    others: list[Row] = []
    for hold in scene.bare:
        if wanted.admits(hold):
            (stuck if hold.kind in NEEDS_SOMEBODY else others).append(Row(hold.key, hold.equipment_id, hold=hold))
    return stuck, others


def _in_memory(rows: Iterable[Row], wanted: Wanted) -> Section:
    chosen = sorted(rows, key=lambda row: row.run_path.casefold()) if wanted.sort is Sort.NAME else list(rows)
    return Section(length=len(chosen), rows=tuple(chosen))


def _stored(
    scene: Scene,
    wanted: Wanted,
    states: frozenset[SyncJobState],
    *,
    newest_first: bool,
    by: JobKey = JobKey.QUEUED,
) -> Section:
    shown = frozenset(state for state in states if not wanted.words or state.value in wanted.words)
    length = sum(
        number
        for (owner, state), number in scene.counts.items()
        if state in shown and wanted.equipment_id in {"", owner}
    )
    return Section(shown, newest_first, 0 if wanted.text else length, by=by)


_FAILED = frozenset({SyncJobState.FAILED})
_UNDER_WAY = MOVING_STATES | {SyncJobState.QUEUED}
_BEFORE = ((_FAILED, True), (MOVING_STATES, False), (frozenset({SyncJobState.QUEUED}), False))
_STATES_OF = {
    View.ALL: frozenset(SyncJobState),
    View.MOVING: _UNDER_WAY,
    View.SAFE: SAFE_STATES,
}
_KEYS = {
    Sort.NEWEST: (JobKey.QUEUED, True),
    Sort.OLDEST: (JobKey.QUEUED, False),
    Sort.LARGEST: (JobKey.SIZE, True),
    Sort.NAME: (JobKey.FOLDER, False),
}
