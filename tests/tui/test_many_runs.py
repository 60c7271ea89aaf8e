"""100,000 runs are listed by reading the pages that somebody looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.queue.store import JobKey
from exlab_sync_tui.tui.listing import PAGE, Listing, filled, fresh
from exlab_sync_tui.tui.scene import Lookout, Scene
from exlab_sync_tui.tui.wanted import Wanted
from exlab_sync_tui.tui.widgets.run_list import RunList
from tests.tui.conftest import opened
from tests.tui.lab import CONFOCAL, NOW, FakeCockpit

if TYPE_CHECKING:
    from exlab_sync_tui.queue.store import JobFilter

S = SyncJobState
RUNS = 100_000
SPLIT = {S.FAILED: 40, S.RUNNING: 2, S.QUEUED: 20_000}


@dataclass
class ManyRuns(MemoryStore):
    """A store whose rows are made when they are asked for; ``read`` says how many were."""

    read: int = 0
    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._ranges: dict[SyncJobState, range] = {}
        first = 1
        for state, number in {**SPLIT, S.VERIFIED: RUNS - sum(SPLIT.values())}.items():
            self._ranges[state] = range(first, first + number)
            first += number

    async def counts(self) -> dict[tuple[str, SyncJobState], int]:
        return {(CONFOCAL, state): len(numbers) for state, numbers in self._ranges.items()}

    async def jobs(
        self,
        wanted: JobFilter,
        *,
        after_seq: int = 0,
        limit: int = 500,
        skip: int = 0,
        newest_first: bool = False,
        by: JobKey = JobKey.QUEUED,
    ) -> list[SyncJobRow]:
        assert (after_seq, by) == (0, JobKey.QUEUED)
        numbers = [
            number
            for state in wanted.states
            for number in self._ranges.get(state, ())
            if not wanted.text or wanted.text in str(number)
        ]
        page = sorted(numbers, reverse=newest_first)[skip : skip + limit]
        self.read += len(page)
        self.asked.append(skip)
        return [self._job(number) for number in page]

    async def place(
        self, job: SyncJobRow, wanted: JobFilter, *, newest_first: bool = False, by: JobKey = JobKey.QUEUED
    ) -> int:
        assert by is JobKey.QUEUED
        numbers = [number for state in wanted.states for number in self._ranges.get(state, ())]
        return sum(number > job.seq if newest_first else number < job.seq for number in numbers)

    async def job_of(self, run_path: str) -> SyncJobRow | None:
        return self._job(int(run_path.rpartition("_")[2]))

    def _job(self, number: int) -> SyncJobRow:
        state = next(state for state, numbers in self._ranges.items() if number in numbers)
        return SyncJobRow(
            f"{number:08d}",
            f"/data/lab/{CONFOCAL}/Kelp/Run_{number}",
            CONFOCAL,
            state,
            verified_at=NOW,
            seq=number,
            evidence=EvidenceLevel.READ_BACK,
        )


async def scene_of(store: ManyRuns) -> Scene:
    await store.open()
    return await Lookout(store).look(NOW)


def names(listing: Listing, first: int, count: int) -> list[str]:
    rows = [listing.row(index) for index in range(first, first + count)]
    return [row.name if row else "" for row in rows]


async def test_one_screen_reads_a_few_pages() -> None:
    store = ManyRuns()
    async with opened(FakeCockpit(store=store)) as console:
        assert "100,000 runs" in console.text
        assert store.read <= 4 * PAGE
        await console.press("end")
        assert console.selected == "Run_20043"
        await console.settle(6)
        assert console.selected == "Run_20043"
        await console.press("home", "pagedown", "pagedown")
        assert console.selected.startswith("Run_")
        assert store.read < 20 * PAGE


async def test_scrolling_by_leaps_shows_the_rows_of_the_place() -> None:
    async with opened(FakeCockpit(store=ManyRuns())) as console:
        runs = console.app.main.query_one(RunList)
        for place in (50_000, 99_000, 12_345, 0):
            runs.scroll_to(y=place, animate=False)
            await console.settle(0.3)
            row = runs._listing.row(place)
            assert row is not None
            assert row.name in console.words_in(RunList)


async def test_what_needs_somebody_stands_first_and_the_newest_safe_run_after_the_queue() -> None:
    store = ManyRuns()
    scene = await scene_of(store)
    listing = await fresh(store, scene, Wanted(), 0, 50)
    assert listing.total == RUNS
    assert names(listing, 0, 3) == ["Run_40", "Run_39", "Run_38"]
    assert names(listing, 40, 3) == ["Run_41", "Run_42", "Run_43"]
    listing = await filled(store, scene, listing, 20_041, 20_044)
    assert names(listing, 20_041, 3) == ["Run_20042", "Run_100000", "Run_99999"]


async def test_a_row_whose_page_was_not_read_is_none_and_a_place_is_found_again() -> None:
    store = ManyRuns()
    scene = await scene_of(store)
    listing = await fresh(store, scene, Wanted(), 0, 10)
    assert listing.row(70_000) is None
    assert listing.row(RUNS) is None
    listing = await filled(store, scene, listing, 70_000, 70_000)
    row = listing.row(70_000)
    assert row is not None
    assert listing.place_of(row.run_path) == 70_000
    assert listing.place_of("/elsewhere") is None


async def test_a_filter_reads_on_only_as_far_as_somebody_scrolls() -> None:
    store = ManyRuns()
    scene = await scene_of(store)
    listing = await fresh(store, scene, Wanted(text="1"), 0, 10)
    assert listing.is_open
    before = listing.total
    listing = await filled(store, scene, listing, 0, listing.total - 1)
    assert listing.total > before
    narrow = await fresh(store, scene, Wanted(text="4242"), 0, 10)
    assert not narrow.is_open
    assert narrow.total == sum("4242" in str(number) for number in range(1, RUNS + 1))


@pytest.mark.parametrize("words", [frozenset({"failed"}), frozenset({"queued", "running"})])
async def test_a_filter_of_states_needs_no_rows_to_be_counted(words: frozenset[str]) -> None:
    store = ManyRuns()
    listing = await fresh(store, await scene_of(store), Wanted(words), 0, 10)
    assert listing.total == sum(number for state, number in SPLIT.items() if state.value in words)
