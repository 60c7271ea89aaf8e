"""Which runs are listed, and in which order? What needs somebody first, then what moves and waits, then what is safe.

Only the pages around the visible rows are in memory, so that 100,000 runs cost what 100 do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.operate.glance import MOVING_STATES, SAFE_STATES
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.scene import NEEDS_SOMEBODY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
        return safe_text(os.path.basename(self.run_path))  # noqa: PTH119  # a str is at hand, many times a second


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the filter lets through; empty fields do not restrict. ``words`` are states and kinds of holds."""

    words: frozenset[str] = frozenset()
    equipment_id: str = ""
    text: str = ""

    @classmethod
    def parse(cls, typed: str, equipment_ids: Collection[str]) -> Wanted:
        """Read what was typed: instruments and states by name, everything else is part of the run's path."""
        words: set[str] = set()
        equipment, rest = "", []
        instruments = {name.casefold(): name for name in equipment_ids}
        for part in typed.split():
            plain = part.casefold()
            if plain in instruments:
                equipment = instruments[plain]
            elif plain in _WORDS:
                words |= _WORDS[plain]
            else:
                rest.append(part)
        return cls(frozenset(words), equipment, " ".join(rest))

    def admits(self, hold: Hold) -> bool:
        """Whether a run without a job is listed."""
        return (
            (not self.words or hold.kind.value in self.words)
            and self.equipment_id in {"", hold.equipment_id}
            and self.text.casefold() in hold.key.casefold()
        )


@dataclass(frozen=True, slots=True)
class Section:
    """Neighbouring rows of one sort: read from the store by state, or ``rows`` of runs that have no job."""

    states: frozenset[SyncJobState] = frozenset()
    newest_first: bool = False
    length: int = 0
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed at one moment; ``pages`` are the ones that are in memory, by section and number."""

    wanted: Wanted = Wanted()
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
    stuck, open_runs = _bare(scene, wanted)
    sections = [_in_memory(stuck)]
    sections += [_stored(scene, wanted, states, newest_first=newest) for states, newest in _BEFORE]
    sections += [_in_memory(open_runs), _stored(scene, wanted, SAFE_STATES, newest_first=True)]
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


async def _with_page(store: JobStore, scene: Scene, listing: Listing, number: int, page: int) -> Listing:
    section, wanted = listing.sections[number], listing.wanted
    jobs = await store.jobs(
        JobFilter(section.states, wanted.equipment_id, wanted.text),
        skip=page * PAGE,
        limit=PAGE,
        newest_first=section.newest_first,
    )
    rows = tuple(Row(job.run_path, job.equipment_id, job, scene.run_holds.get(job.run_path)) for job in jobs)
    sections = listing.sections
    if wanted.text:
        # A full page may have another behind it: one more row stands for it until somebody scrolls there.
        known = page * PAGE + len(rows) + (len(rows) == PAGE)
        grown = replace(section, length=known if len(rows) < PAGE else max(section.length, known))
        sections = (*sections[:number], grown, *sections[number + 1 :])
    return replace(listing, sections=sections, pages={**listing.pages, (number, page): rows})


def _bare(scene: Scene, wanted: Wanted) -> tuple[list[Row], list[Row]]:
    stuck: list[Row] = []
    others: list[Row] = []
    for hold in scene.bare:
        if wanted.admits(hold):
            (stuck if hold.kind in NEEDS_SOMEBODY else others).append(Row(hold.key, hold.equipment_id, hold=hold))
    return stuck, others


def _in_memory(rows: list[Row]) -> Section:
    return Section(length=len(rows), rows=tuple(rows))


def _stored(scene: Scene, wanted: Wanted, states: frozenset[SyncJobState], *, newest_first: bool) -> Section:
    shown = frozenset(state for state in states if not wanted.words or state.value in wanted.words)
    length = sum(
        number
        for (owner, state), number in scene.counts.items()
        if state in shown and wanted.equipment_id in {"", owner}
    )
    return Section(shown, newest_first, 0 if wanted.text else length)


_BEFORE = (
    (frozenset({SyncJobState.FAILED}), True),
    (MOVING_STATES, False),
    (frozenset({SyncJobState.QUEUED}), False),
)
_SAFE_WORDS = frozenset(state.value for state in SAFE_STATES)
_WORDS: dict[str, frozenset[str]] = {
    "failed": frozenset({"failed"}),
    "queued": frozenset({"queued"}),
    "sending": frozenset({"running"}),
    "running": frozenset({"running"}),
    "checking": frozenset({"awaiting_verify"}),
    "safe": _SAFE_WORDS,
    "verified": _SAFE_WORDS,
    "cleaned": frozenset({"cleaned"}),
    "blocked": frozenset({"blocked"}),
    "acquiring": frozenset({"acquiring"}),
}
