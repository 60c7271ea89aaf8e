"""What must every job store be able to do? The protocol that the SQLite and the memory store fulfil alike.

Every method that changes something is one durable transaction: when it returns, the change survives a power cut.
Moments are aware datetimes in UTC. Paths are text with surrogate-escaped bytes, stored losslessly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exlab_sync_tui.model.entry import FileRecord, FileTotals
    from exlab_sync_tui.model.evidence import EvidenceLevel
    from exlab_sync_tui.model.hold import Hold, HoldScope
    from exlab_sync_tui.model.job import Round, SyncJobRow, SyncJobState


class JobChanges(TypedDict, total=False):
    """Columns of a job that a step may change together with, or without, its state."""

    attempts: int
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    last_error: str | None
    verify_passes: int
    verified_at: datetime | None
    nas_path: str
    held: bool
    destination_id: str
    origin: str
    round: Round
    revision: int
    resent: bool
    frozen: bool
    publishing: str
    started_at: datetime | None
    evidence: EvidenceLevel | None
    manifest_sha256: str
    files_total: int
    bytes_total: int
    passed_at: datetime | None
    keep_local: bool
    beside: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A run to be queued. ``id`` is a uuid4; ``origin`` is ``monitor`` or ``operator``.

    ``files`` and ``size`` (bytes) as they were last seen; 0 where nobody has looked: they are counted before sending.
    """

    id: str
    run_path: str
    equipment_id: str
    nas_path: str
    origin: str = "monitor"
    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one instrument has still to send: the bytes that are known, and how many runs have no size yet."""

    size: int = 0
    unsized: int = 0


class DebtKind(StrEnum):
    """What is owed until it is done: local writes (``FORMATS.md`` §2), and the removal of an assembly of ours."""

    SYNC_STATUS = "sync_status"
    LOCAL_RECORDS = "local_records"
    INCOMING = "incoming"


@dataclass(frozen=True, slots=True)
class Debt:
    """One owed write; ``value`` says what (a status, say). One per run and kind: a newer value replaces the older."""

    run_path: str
    kind: DebtKind
    value: str
    since: datetime
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a run's story. ``before`` and ``after`` are states, empty when the state did not change."""

    at: datetime
    run_path: str
    job_id: str
    who: str
    what: str
    before: str = ""
    after: str = ""
    data: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """How a run looked when it was last looked at: ``fingerprint`` of its tree, unchanged ``since``, ``seen`` last.

    ``taken``: the run was handed over with this fingerprint, so there is nothing new in it.
    """

    run_path: str
    fingerprint: str
    since: datetime
    seen: datetime
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One order to the engine that runs, left in the store by another process (``ARCHITECTURE.md`` decision 2).

    ``id`` is a uuid4. ``taken_at`` is set before the engine begins, the last three fields when it has answered:
    ``outcome`` is a sentence, ``exit_code`` one of ``FORMATS.md`` §11.
    """

    id: str
    verb: str
    target: str
    who: str
    at: datetime
    taken_at: datetime | None = None
    outcome: str = ""
    exit_code: int | None = None
    done_at: datetime | None = None


class JobKey(Enum):
    """By what jobs are sorted: when they were queued, their bytes, or their folder in any case."""

    QUEUED = "queued"
    SIZE = "size"
    FOLDER = "folder"


class FilesWanted(Enum):
    """Which file records to read: every one, those without equal digests, those not published yet, or those of them
    whose bytes were sent (their own digest is known)."""

    ALL = "all"
    UNPROVEN = "unproven"
    UNPUBLISHED = "unpublished"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. Empty fields do not restrict; ``text`` must occur in the run path, in any case.

    ``min_passes``: at least so many verification passes; ``releasing``: those whose deletion has begun.
    """

    states: frozenset[SyncJobState] = frozenset()
    equipment_id: str = ""
    text: str = ""
    min_passes: int = 0
    releasing: bool = False


class JobStore(Protocol):
    """The truth about every run (``ARCHITECTURE.md`` decision 1). Only the engine writes; others only ``ask``."""

    @property
    def store_id(self) -> str:
        """A uuid4 made with the store; receipts and owner files carry it."""
        ...

    async def open(self) -> None:
        """Open or create. Raises ``StoreTooNewError``, ``StoreError``."""
        ...

    async def close(self) -> None:
        """Close; a second call does nothing."""
        ...

    async def enqueue(self, new: NewJob, *, at: datetime, who: str) -> tuple[SyncJobRow, bool]:
        """Queue a run unless it has a job; the job, and whether it is new. Concurrent calls make one row."""
        ...

    async def job(self, job_id: str) -> SyncJobRow | None:
        """The job with this id."""
        ...

    async def job_of(self, run_path: str) -> SyncJobRow | None:
        """The job of a run."""
        ...

    async def jobs_of(self, run_paths: Sequence[str]) -> dict[str, SyncJobRow]:
        """The jobs of these runs by run path, as far as there are any."""
        ...

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
        """A page of jobs with ``seq`` greater than *after_seq*, oldest or newest first, without the first *skip*.

        With another key *by*, smallest first, or largest first with *newest_first*; equal ones in the order of ``seq``.
        """
        ...

    async def place(
        self, job: SyncJobRow, wanted: JobFilter, *, newest_first: bool = False, by: JobKey = JobKey.QUEUED
    ) -> int:
        """How many jobs that *wanted* lets through come before *job* in that order."""
        ...

    async def counts(self) -> dict[tuple[str, SyncJobState], int]:
        """How many jobs each equipment has in each state, without reading every row each time."""
        ...

    async def waiting(self) -> dict[str, Waiting]:
        """What is queued or being sent, by equipment, whole runs; kept like the counts. None for those with nothing."""
        ...

    async def claim(self, equipment_id: str, *, at: datetime) -> SyncJobRow | None:
        """Take the oldest queued job that is due and not held, and make it running. Costs the same at any backlog."""
        ...

    async def next_due(self, equipment_id: str) -> datetime | None:
        """When the next queued job that is not held becomes due; ``None`` if there is none. Past moments mean now."""
        ...

    async def move(
        self,
        job_id: str,
        to: SyncJobState,
        *,
        at: datetime,
        who: str,
        what: str,
        debts: Sequence[Debt] = (),
        only_from: SyncJobState | None = None,
        **changes: Unpack[JobChanges],
    ) -> SyncJobRow:
        """Make one legal transition with its changes, history line and debts.

        Raises ``IllegalTransitionError``, also if the job is not in the state *only_from* any more: who decided about
        it while something else moved it must look again. A job whose deletion has begun can only become cleaned."""
        ...

    async def begin_release(self, job_id: str, *, at: datetime, who: str, what: str) -> SyncJobRow:
        """Set the durable mark that its local files are being deleted from now on; a second time changes nothing.

        Raises ``IllegalTransitionError`` unless the job is cleanup_eligible, owes nothing and is not kept."""
        ...

    async def forget(self, job_id: str, *, at: datetime, who: str, what: str) -> None:
        """Drop a job with its records, its hold, its debts and its observation; its history stays, with a last line.

        Raises ``NotFoundError``, and ``IllegalTransitionError`` for one that is just moving."""
        ...

    async def restore(self, job: SyncJobRow, *, at: datetime, who: str, what: str) -> bool:
        """Put a job back as it was known elsewhere; ``False`` if the run or the id has one already."""
        ...

    async def stale(
        self, equipment_id: str, states: frozenset[SyncJobState], before: datetime, *, limit: int = 500, skip: int = 0
    ) -> list[SyncJobRow]:
        """A page of jobs in these states whose last pass was at or before a moment, the longest ago first."""
        ...

    async def amend(self, job_id: str, **changes: Unpack[JobChanges]) -> SyncJobRow:
        """Change columns without changing the state. Raises ``NotFoundError``."""
        ...

    async def running_to_queued(self, *, at: datetime, who: str, what: str) -> int:
        """What a restart does to jobs that were running: back to queued, no attempt counted. How many."""
        ...

    async def put_files(self, job_id: str, records: Sequence[FileRecord]) -> None:
        """Insert or replace file records, in one transaction."""
        ...

    async def files(
        self, job_id: str, *, after: str = "", limit: int = 5_000, wanted: FilesWanted = FilesWanted.ALL, skip: int = 0
    ) -> list[FileRecord]:
        """A page of file records in the order of their path bytes, those behind the path *after* without *skip*."""
        ...

    async def mark_published(self, job_id: str, rels: Sequence[str] | None = None) -> None:
        """Mark the records of these paths, or all (``None``), as published."""
        ...

    async def drop_files(self, job_id: str, rels: Sequence[str] | None = None) -> None:
        """Forget the records of these paths, or of all (``None``)."""
        ...

    async def file_totals(self, job_id: str) -> FileTotals:
        """Counts and bytes of the job's records."""
        ...

    async def set_hold(self, hold: Hold, *, story: HistoryEntry | None = None) -> bool:
        """Lay a hold. The older one of the same scope and key is replaced, its ``since`` kept if the kind is the same.

        *story* is appended to the history together with it.
        ``False`` if kind and sentence were the same already (nothing to announce)."""
        ...

    async def clear_hold(self, scope: HoldScope, key: str, *, story: HistoryEntry | None = None) -> Hold | None:
        """Remove the hold; the one that was there. If there was one, *story* is appended to the history with it."""
        ...

    async def hold(self, scope: HoldScope, key: str) -> Hold | None:
        """The hold on one run, equipment or destination."""
        ...

    async def holds(self, *, equipment_id: str = "", after_key: str = "", limit: int = 500) -> list[Hold]:
        """A page of holds ordered by key; of one equipment if given."""
        ...

    async def release(self, equipment_ids: Sequence[str], *, run_path: str = "") -> int:
        """Un-hold the queued jobs of these equipments (or only that of *run_path*), due at once. How many."""
        ...

    async def record(self, entry: HistoryEntry) -> None:
        """Append a line to the history; ``seq`` is given by the store."""
        ...

    async def history(
        self, run_path: str, *, after_seq: int = 0, limit: int = 500, newest_first: bool = False
    ) -> list[HistoryEntry]:
        """A page of a run's story, oldest or newest first."""
        ...

    async def news(self, after_seq: int, limit: int = 500) -> list[HistoryEntry]:
        """A page of what happened to any run, oldest first: lines with ``seq`` greater than *after_seq*."""
        ...

    async def newest(self) -> int:
        """The ``seq`` of the newest line of the history, 0 if there is none."""
        ...

    async def ask(self, command: Command) -> None:
        """Leave an order for the engine; a second one with the same id changes nothing."""
        ...

    async def unanswered(self, limit: int = 1_000) -> list[Command]:
        """The orders that have no outcome yet, oldest first. Costs the same however many were answered."""
        ...

    async def take(self, command_id: str, *, at: datetime) -> bool:
        """Begin with an order; ``False`` if it was withdrawn or answered. One that was taken before is taken again."""
        ...

    async def answer(self, command_id: str, outcome: str, exit_code: int, *, at: datetime) -> None:
        """Write what became of an order, if that has not been written yet, and drop those answered a day ago."""
        ...

    async def answered(self, command_id: str) -> Command | None:
        """The order with its outcome; ``None`` as long as it has none."""
        ...

    async def withdraw(self, command_id: str) -> bool:
        """Take an order back; ``False`` if the engine has begun with it already."""
        ...

    async def debts(self, run_path: str = "") -> list[Debt]:
        """What is owed, to one run or to all, oldest first."""
        ...

    async def owe(self, debt: Debt) -> None:
        """Remember an owed write."""
        ...

    async def unpaid(self, debt: Debt, reason: str) -> None:
        """Note why *debt* could not be paid, unless a newer value has replaced it meanwhile."""
        ...

    async def paid(self, debt: Debt) -> None:
        """Forget *debt*, unless a newer value has replaced it meanwhile."""
        ...

    async def observation(self, run_path: str) -> Observation | None:
        """How the run looked last time."""
        ...

    async def observations(self, run_paths: Sequence[str]) -> dict[str, Observation]:
        """How these runs looked last time, by run path, as far as they were looked at."""
        ...

    async def observe(self, observation: Observation) -> None:
        """Remember how the run looks; replaces the older one."""
        ...

    async def mark_taken(self, run_path: str, fingerprint: str) -> None:
        """The run was handed over as it looked with *fingerprint*, unless that has been forgotten meanwhile."""
        ...

    async def forget_observation(self, run_path: str) -> None:
        """The run is no longer being watched."""
        ...

    async def note(self, key: str, value: str | None) -> None:
        """Keep one small text under a key (``None`` removes it): the engine's own bookkeeping."""
        ...

    async def noted(self, key: str) -> str | None:
        """The text under a key."""
        ...
