"""Whatever is done in whatever order, the file and the memory answer alike."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Debt, DebtKind, FilesWanted, JobFilter, NewJob, Observation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exlab_sync_tui.queue.store import JobStore

RUNS = ["/lab/Run_1", "/lab/run_2", "/lab/Ω\udcff", "/lab/[/x]\n"]
EQUIPMENTS = ["SCOPE", "READER"]
runs = st.sampled_from(RUNS)
equipments = st.sampled_from(EQUIPMENTS)
states = st.sampled_from(SyncJobState)
steps = st.integers(0, 10)
rels = st.sampled_from(["a", "a/b", "a.b", "Z", "é", "\udc80", "\U0001f52c"])
digests = st.sampled_from([None, b"\x01" * 32, b"\x02" * 32])


@dataclass(frozen=True)
class Refused:
    """What was raised instead of an answer."""

    kind: str


class TwoStores(RuleBasedStateMachine):
    """Does everything twice and compares the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.now = datetime(2025, 3, 9, 8, tzinfo=UTC)
        self.stores: tuple[JobStore, JobStore] = (SQLiteStore(Path(self.folder.name) / "queue.db"), MemoryStore())
        self.both(lambda store: store.open())

    def teardown(self) -> None:
        self.both(lambda store: store.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, act: Callable[[JobStore], Awaitable[object]]) -> Any:
        async def answer(store: JobStore) -> object:
            try:
                return await act(store)
            except ExlabSyncError as error:
                return Refused(type(error).__name__)

        of_file, of_memory = (self.runner.run(answer(store)) for store in self.stores)
        assert of_file == of_memory
        return of_file

    @rule(seconds=steps)
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds, microseconds=seconds)

    @rule(run=runs, equipment=equipments)
    def enqueue(self, run: str, equipment: str) -> None:
        new = NewJob(f"id of {RUNS.index(run)}", run, equipment, f"nas{run}")
        self.both(lambda store: store.enqueue(new, at=self.now, who="monitor"))

    @rule(equipment=equipments)
    def claim(self, equipment: str) -> None:
        self.both(lambda store: store.claim(equipment, at=self.now))

    @rule(run=runs, to=states, wait=st.none() | steps, held=st.booleans(), owing=st.booleans())
    def move(self, run: str, to: SyncJobState, wait: int | None, held: bool, owing: bool) -> None:  # drawn
        due = None if wait is None else self.now + timedelta(seconds=wait)
        debts = [Debt(run, DebtKind.SYNC_STATUS, to.value, self.now)] if owing else []
        job_id = f"id of {RUNS.index(run)}"
        self.both(
            lambda store: store.move(
                job_id, to, at=self.now, who="e", what="w", debts=debts, next_attempt_at=due, held=held
            )
        )

    @rule(run=runs, wait=st.none() | steps, held=st.booleans())
    def amend(self, run: str, wait: int | None, held: bool) -> None:  # drawn
        due = None if wait is None else self.now + timedelta(seconds=wait)
        job_id = f"id of {RUNS.index(run)}"
        self.both(lambda store: store.amend(job_id, next_attempt_at=due, held=held))

    @rule(names=st.lists(equipments), run=st.just("") | runs)
    def release(self, names: list[str], run: str) -> None:
        self.both(lambda store: store.release(names, run_path=run))

    @rule()
    def restart(self) -> None:
        self.both(lambda store: store.close())
        self.both(lambda store: store.open())
        self.both(lambda store: store.running_to_queued(at=self.now, who="engine", what="restarted"))

    @rule(run=runs, paths=st.lists(rels), ours=digests, theirs=digests, published=st.booleans())
    def put_files(self, run: str, paths: list[str], ours: bytes, theirs: bytes, published: bool) -> None:  # drawn
        records = [FileRecord(rel, len(rel), 1, 1, ours, theirs, None, published) for rel in paths]
        self.both(lambda store: store.put_files(f"id of {RUNS.index(run)}", records))

    @rule(run=runs, paths=st.none() | st.lists(rels), marked=st.booleans())
    def change_files(self, run: str, paths: list[str] | None, marked: bool) -> None:  # drawn
        job_id = f"id of {RUNS.index(run)}"
        if marked:
            self.both(lambda store: store.mark_published(job_id, paths))
        else:
            self.both(lambda store: store.drop_files(job_id, paths))

    @rule(run=runs, after=st.just("") | rels, limit=st.integers(1, 3), wanted=st.sampled_from(FilesWanted))
    def read_files(self, run: str, after: str, limit: int, wanted: FilesWanted) -> None:
        job_id = f"id of {RUNS.index(run)}"
        self.both(lambda store: store.files(job_id, after=after, limit=limit, wanted=wanted))
        self.both(lambda store: store.file_totals(job_id))

    @rule(
        scope=st.sampled_from(HoldScope),
        key=runs,
        kind=st.sampled_from([HoldKind.AWAY, HoldKind.AUTH]),
        sentence=st.sampled_from(["one", "two"]),
        equipment=equipments,
    )
    def set_hold(self, scope: HoldScope, key: str, kind: HoldKind, sentence: str, equipment: str) -> None:
        hold = Hold(scope, key, kind, sentence, self.now, equipment_id=equipment)
        self.both(lambda store: store.set_hold(hold))

    @rule(scope=st.sampled_from(HoldScope), key=runs)
    def clear_hold(self, scope: HoldScope, key: str) -> None:
        self.both(lambda store: store.clear_hold(scope, key))

    @rule(equipment=st.just("") | equipments, after=st.just("") | runs, limit=st.integers(1, 4))
    def read_holds(self, equipment: str, after: str, limit: int) -> None:
        self.both(lambda store: store.holds(equipment_id=equipment, after_key=after, limit=limit))

    @rule(run=runs, value=st.sampled_from(["synced", "failed"]), pay=st.booleans())
    def owe_or_pay(self, run: str, value: str, pay: bool) -> None:  # drawn
        debt = Debt(run, DebtKind.SYNC_STATUS, value, self.now)
        owed = self.both(lambda store: store.debts(run))
        if pay and owed:
            debt = replace(owed[0], value=value)
        self.both(lambda store: store.paid(debt) if pay else store.owe(debt))

    @rule(run=runs, forget=st.booleans())
    def observe(self, run: str, forget: bool) -> None:  # drawn
        seen = Observation(run, "f", self.now, self.now)
        self.both(lambda store: store.forget_observation(run) if forget else store.observe(seen))
        self.both(lambda store: store.observation(run))

    @rule(
        wanted=st.builds(
            JobFilter,
            states=st.frozensets(states, max_size=3),
            equipment_id=st.just("") | equipments,
            text=st.sampled_from(["", "RUN", "ω", "\udcff"]),
        ),
        after=st.integers(0, 3),
        limit=st.integers(1, 3),
    )
    def list_jobs(self, wanted: JobFilter, after: int, limit: int) -> None:
        self.both(lambda store: store.jobs(wanted, after_seq=after, limit=limit))

    @invariant()
    def both_tell_the_same(self) -> None:
        self.both(lambda store: store.jobs(JobFilter()))
        self.both(lambda store: store.counts())
        self.both(lambda store: store.waiting())
        self.both(lambda store: store.debts())
        for equipment in EQUIPMENTS:
            self.both(lambda store, equipment=equipment: store.next_due(equipment))  # type: ignore[misc]  # bound early

    @rule(run=runs, after=st.integers(0, 5))
    def read_history(self, run: str, after: int) -> None:
        self.both(lambda store: store.history(run, after_seq=after, limit=3))


TwoStores.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTwoStores = TwoStores.TestCase
