"""Which lab do the pictures show? A cockpit over a store in memory, and a day in the life of three instruments."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.room import Room
from exlab_sync_tui.engine.cockpit.view import Flight, Order, Outcome, Pulse
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.finding import Finding, OffendingKind, Rule, Tier
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.operate.objections import Objections
from exlab_sync_tui.operate.run_log import RunLog
from exlab_sync_tui.queue.store import NewJob
from exlab_sync_tui.testing import ManualClock, MemoryStore
from exlab_sync_tui.tui.options import Cleanup, Instrument, Lab
from exlab_sync_tui.tui.premises import Limit, Survey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exlab_sync_tui.queue.store import JobStore

S = SyncJobState
NOW = datetime(2025, 3, 5, 14, 2, 11, tzinfo=UTC)
GIB, MIB = 1 << 30, 1 << 20
CONFOCAL, SEQUENCER, READER = "CONFOCAL_01", "SEQUENCER_01", "READER_01"
LAB = Lab(
    (
        Instrument(CONFOCAL, "/data/lab/CONFOCAL_01", "/mnt/nas/lab", "nas01"),
        Instrument(SEQUENCER, "/data/lab/SEQUENCER_01", "/mnt/nas/lab", "nas01"),
        Instrument(READER, "/data/plates", "/mnt/nas/plates", "nas01"),
    ),
    Cleanup(),
)
HOSTILE_NAME = "red] [bold]$(reboot)\x1b[2J\n\udcff" + "é" * 114 + "x"
HOSTILE = f"/data/lab/CONFOCAL_01/Kelp[/{HOSTILE_NAME}"
"""Markup, a command, an escape, a line end and a byte that is not UTF-8; the name has 255 bytes."""


@dataclass
class FakeCockpit:
    """A cockpit without an engine: it remembers its orders and says what a test puts into it."""

    store: JobStore = field(default_factory=MemoryStore)
    in_flight: list[Flight] = field(default_factory=list)
    beat: Pulse = field(default_factory=lambda: Pulse(alive=True, hosted=True))
    orders: list[Order] = field(default_factory=list)
    answer: Outcome = field(default_factory=lambda: Outcome("Done as asked."))
    news: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    is_started: bool = False

    async def start(self) -> None:
        await self.store.open()
        self.is_started = True

    async def stop(self) -> None:
        self.is_started = False

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self.news.get()

    async def flights(self) -> list[Flight]:
        return list(self.in_flight)

    async def pulse(self) -> Pulse:
        return self.beat

    async def broken(self) -> None:
        await asyncio.Event().wait()

    async def order(self, order: Order) -> Outcome:
        self.orders.append(order)
        return self.answer

    def say(self, kind: EventKind, sentence: str, *, ago: float = 0, **rest: object) -> None:
        """Put an event into the stream, *ago* seconds old."""
        self.news.put_nowait(Event(NOW - timedelta(seconds=ago), kind, sentence, **rest))  # type: ignore[arg-type]  # theirs


@dataclass
class FakePremises:
    """Disks, limits, findings and logs as a test wants them."""

    surroundings: Survey = field(default_factory=Survey)
    findings: dict[str, Objections] = field(default_factory=dict)
    logs: dict[str, RunLog] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def survey(self, store: JobStore, now: datetime) -> Survey:  # the protocol's words  # noqa: ARG002  # the protocol's words
        return self.surroundings

    async def objections(self, store: JobStore, run_path: str, now: datetime) -> Objections:  # the same  # noqa: ARG002  # the same
        self.asked.append(run_path)
        return self.findings.get(run_path, Objections())

    async def log(self, run_path: str) -> RunLog:
        return self.logs.get(run_path, RunLog(problem="This run has no log of its own."))


def premises() -> FakePremises:
    """Those of the busy day: a schedule, two disks, a blocked run, a log."""
    blocked = f"/data/lab/{CONFOCAL}/Kelp/Run_<date>"
    token = Finding(
        Rule.UNRESOLVED_PLACEHOLDER_TOKEN,
        Tier.HARD,
        blocked,
        ".",
        OffendingKind.DIRECTORY_SEGMENT,
        "<date>",
        "The folder name has the unresolved token <date>.",
    )
    signs = Finding(
        Rule.ILLEGAL_FILESYSTEM_CHARACTER,
        Tier.HARD,
        blocked,
        ".",
        OffendingKind.DIRECTORY_SEGMENT,
        "<",
        "The folder name has the characters < and >, which a Windows share cannot keep.",
    )
    missing = Finding(
        Rule.MISSING_REQUIRED_FIELD,
        Tier.SOFT,
        blocked,
        ".exlab-wizard/readme_fields.json",
        OffendingKind.FILE_CONTENT,
        "objective",
        "The required field objective is empty.",
    )
    override = {
        "id": "3f2a9c01-0000-4000-8000-000000000000",
        "rule": "reserved_filesystem_name",
        "state": "until 2025-04-01T00:00:00Z",
        "operator": "mira",
        "recorded_at": "2025-03-04T16:20:00Z",
        "expires_at": "2025-04-01T00:00:00Z",
        "reason": "the vendor names it so",
    }
    evening = NOW.replace(hour=18, minute=0, second=0)
    survey = Survey(
        here={
            CONFOCAL: Room(412 * GIB, 1_862 * GIB, NOW),
            SEQUENCER: Room(61 * GIB, 3_725 * GIB, NOW),
            READER: Room(120 * GIB, 476 * GIB, NOW),
        },
        there={name: Room(18_640 * GIB, 87_000 * GIB, NOW) for name in (CONFOCAL, SEQUENCER, READER)},
        limits={CONFOCAL: Limit(), SEQUENCER: Limit(200 * 128, evening, None), READER: Limit(25_600)},
    )
    failed_run = f"/data/lab/{CONFOCAL}/Kelp/Run_2025-03-05T11-20"
    mark = "[host:scope-pc] [equip:CONFOCAL_01] [proj:Kelp] [kind:experimental]"
    log = RunLog(
        (
            f"2025-03-05T11:20:04Z [INFO ] {mark} run created from template kelp_stack 2.1",
            f"2025-03-05T12:38:51Z [INFO ] {mark} queued",
            f"2025-03-05T14:01:31Z [INFO ] {mark} started",
            f"2025-03-05T14:01:51Z [ERROR] {mark} failed: nas01 already has a folder of this name",
        )
    )
    return FakePremises(survey, {blocked: Objections((token, signs, missing), (override,))}, {failed_run: log})


async def queued(
    store: JobStore, run_path: str, equipment_id: str, *, ago: float = 60, files: int = 0, size: int = 0
) -> SyncJobRow:
    """A run that is queued since *ago* seconds, as large as it was seen then."""
    number = sum((await store.counts()).values()) + 1
    job_id, nas_path = f"{number:08d}-0000-4000-8000-000000000000", run_path.removeprefix("/data/")
    new = NewJob(job_id, run_path, equipment_id, nas_path, files=files, size=size)
    job, _ = await store.enqueue(new, at=NOW - timedelta(seconds=ago), who="monitor")
    return job


async def sent(
    store: JobStore, job: SyncJobRow, *, ago: float = 30, files: int = 24, size: int = 96 * MIB
) -> SyncJobRow:
    """The run is safe since *ago* seconds."""
    at = NOW - timedelta(seconds=ago)
    job = await running(store, job, files=files, size=size)
    await store.move(job.id, S.AWAITING_VERIFY, at=at, who="engine", what="sent; both sides are compared")
    return await store.move(
        job.id,
        S.VERIFIED,
        at=at,
        who="engine",
        what=f"verified: {files} files agree",
        verified_at=at,
        evidence=EvidenceLevel.READ_BACK,
        verify_passes=1,
    )


async def running(store: JobStore, job: SyncJobRow, *, files: int, size: int) -> SyncJobRow:
    """The run is being sent."""
    job = await store.move(job.id, S.RUNNING, at=NOW, who="engine", what="started")
    return await store.amend(job.id, files_total=files, bytes_total=size)


async def failed(store: JobStore, job: SyncJobRow, error: str) -> SyncJobRow:
    """The run has failed."""
    await store.move(job.id, S.RUNNING, at=NOW - timedelta(seconds=40), who="engine", what="started")
    return await store.move(
        job.id, S.FAILED, at=NOW - timedelta(seconds=20), who="engine", what=error, last_error=error, attempts=5
    )


def flight(job: SyncJobRow, *, share: float, rate: float, eta: float, phase: str = "sending") -> Flight:
    """The transfer of a job."""
    return Flight(
        job.id,
        job.run_path,
        job.equipment_id,
        phase,
        job.bytes_total,
        int(job.bytes_total * share),
        job.files_total,
        int(job.files_total * share),
        rate=rate,
        eta=eta,
    )


def hold(kind: HoldKind, key: str, sentence: str, *, scope: HoldScope, ago: float, **rest: object) -> Hold:
    """A hold that is *ago* seconds old."""
    return Hold(scope, key, kind, sentence, NOW - timedelta(seconds=ago), **rest)  # type: ignore[arg-type]  # theirs


async def quiet_day(cockpit: FakeCockpit) -> None:
    """Everything is safe."""
    await cockpit.start()
    for number in range(9):
        run = f"/data/lab/{CONFOCAL}/Kelp/Run_2025-03-0{number % 5 + 1}T09-1{number}"
        await sent(cockpit.store, await queued(cockpit.store, run, CONFOCAL), ago=7_000 * (9 - number))
    for name in ("RNA_batch_07", "RNA_batch_08"):
        job = await queued(cockpit.store, f"/data/lab/{SEQUENCER}/Coral/{name}", SEQUENCER)
        await sent(cockpit.store, job, ago=2_000, files=3_412, size=61 * GIB)
    cockpit.say(EventKind.ENGINE_STARTED, "The engine watches 3 instruments.", ago=18_000)


async def busy_day(cockpit: FakeCockpit) -> None:
    """Runs in every state, two of them moving, one failed, one blocked, one still being written."""
    store = cockpit.store
    await quiet_day(cockpit)
    moving = await queued(store, f"/data/lab/{SEQUENCER}/Coral/RNA_batch_09", SEQUENCER, ago=900)
    moving = await running(store, moving, files=3_398, size=58 * GIB)
    stack = await queued(store, f"/data/lab/{CONFOCAL}/Kelp/Run_2025-03-05T13-41", CONFOCAL, ago=120)
    stack = await running(store, stack, files=48, size=2 * GIB)
    cockpit.in_flight = [
        flight(stack, share=0.81, rate=112.4 * MIB, eta=3.4),
        flight(moving, share=0.37, rate=88 * MIB, eta=426),
    ]
    await store.put_files(moving.id, files_of_a_sequencer())
    for number in range(3):
        run = f"/data/lab/{SEQUENCER}/Coral/RNA_batch_1{number}"
        await queued(store, run, SEQUENCER, ago=600, files=3_401, size=(54 + number) * GIB)
    for name in ("Plate_118", "Plate_119"):
        await queued(store, f"/data/plates/{name}", READER, ago=300, files=12, size=81 << 10)
    bad = await queued(store, f"/data/lab/{CONFOCAL}/Kelp/Run_2025-03-05T11-20", CONFOCAL, ago=5_000)
    await failed(
        store, bad, "conflict: nas01 already has a folder of this name that is not ours; adopt it or publish beside it"
    )
    await store.set_hold(
        hold(
            HoldKind.BLOCKED,
            f"/data/lab/{CONFOCAL}/Kelp/Run_<date>",
            "The folder name has the unresolved token <date>.",
            scope=HoldScope.RUN,
            ago=1_500,
            next_step="asked again by itself once it is repaired",
            equipment_id=CONFOCAL,
        )
    )
    await store.set_hold(
        hold(
            HoldKind.ACQUIRING,
            f"/data/lab/{CONFOCAL}/Kelp/Run_2025-03-05T14-00",
            "2 files changed 14 s ago; waiting for acquisition_complete.flag.",
            scope=HoldScope.RUN,
            ago=90,
            next_step="taken by itself once it is finished",
            equipment_id=CONFOCAL,
        )
    )
    await store.set_hold(
        hold(HoldKind.PAUSED, READER, "Paused by mira.", scope=HoldScope.EQUIPMENT, ago=1_920, equipment_id=READER)
    )
    news = (
        (EventKind.OPERATOR, 1_920, READER, "", "Paused by mira.", ""),
        (EventKind.RUN_VERIFIED, 1_800, SEQUENCER, "RNA_batch_08", "3,412 files verified, read back from nas01.", ""),
        (
            EventKind.HOLD_SET,
            1_500,
            CONFOCAL,
            "Run_<date>",
            "The folder name has the unresolved token <date>.",
            "blocked",
        ),
        (EventKind.RUN_STARTED, 420, SEQUENCER, "RNA_batch_09", "3,398 files, 58.0 GiB.", ""),
        (EventKind.RUN_FAILED, 20, CONFOCAL, "Run_2025-03-05T11-20", "nas01 already has a folder of this name.", ""),
    )
    for kind, ago, equipment_id, name, sentence, held in news:
        cockpit.say(
            kind,
            sentence,
            ago=ago,
            equipment_id=equipment_id,
            run_path=f"/data/{name}" if name else "",
            data={"hold": held} if held else {},
        )


def files_of_a_sequencer() -> list[FileRecord]:
    """Proved, sent, differing and still to send, in the order of their paths."""
    digest, other = bytes(32), bytes([1]) * 32
    records = []
    for number in range(60):
        rel = f"Data/Intensities/BaseCalls/L00{number // 15 + 1}/s_{number % 15 + 1:02d}.cbcl"
        ours, far = (digest, digest) if number < 22 else (digest, None) if number < 26 else (None, None)
        records.append(FileRecord(rel, (number * 37 % 91 + 4) * MIB, 0, sha256=ours, far_sha256=far))
    records.append(FileRecord("Config/[/red]$(reboot).xml", 4_180, 0, sha256=digest, far_sha256=other))
    records.append(FileRecord("RunInfo.xml", 2_114, 0))
    return records


async def outage(cockpit: FakeCockpit) -> None:
    """The NAS is away and runs wait."""
    await quiet_day(cockpit)
    for number in range(5):
        run = f"/data/lab/{SEQUENCER}/Coral/RNA_batch_1{number}"
        job = await queued(cockpit.store, run, SEQUENCER, ago=600, files=3_401, size=54 * GIB)
        await cockpit.store.amend(job.id, held=True)
    await cockpit.store.set_hold(
        hold(
            HoldKind.AWAY,
            "mount:/mnt/nas/lab",
            "nas01 does not answer.",
            scope=HoldScope.DESTINATION,
            ago=3 * 3_600,
            next_step="looks again in 5 min; runs wait, nothing is lost",
            equipment_id=SEQUENCER,
            until=NOW + timedelta(minutes=5),
        )
    )
    cockpit.say(
        EventKind.HOLD_SET, "nas01 does not answer.", ago=3 * 3_600, equipment_id=SEQUENCER, data={"hold": "away"}
    )


def clock() -> ManualClock:
    """A clock that stands still at ``NOW``."""
    return ManualClock(NOW)


def lost(cockpit: FakeCockpit) -> None:
    """The engine that the console is attached to is gone."""
    cockpit.beat = replace(cockpit.beat, alive=False, hosted=False, last_beat=NOW - timedelta(minutes=6))
