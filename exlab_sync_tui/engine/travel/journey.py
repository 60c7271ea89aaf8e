"""How does one job get one turn? Frozen, carried, compared, published; each step stored before it is announced."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from exlab_sync_tui.engine.board import Phase, Progress
from exlab_sync_tui.engine.grants import recorded_here
from exlab_sync_tui.engine.travel.freeze import compare, freeze
from exlab_sync_tui.engine.travel.mismatch import mismatch
from exlab_sync_tui.engine.travel.papers import draw_up, keep_copy, manifest_of
from exlab_sync_tui.engine.travel.places import find_run, place_of
from exlab_sync_tui.engine.travel.stall import run_unless_stalled
from exlab_sync_tui.engine.travel.trip import Trip
from exlab_sync_tui.engine.travel.way import Final
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.evidence import weakest
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import PUBLISHED, Round, SyncJobState
from exlab_sync_tui.provenance.manifest import manifest_digest
from exlab_sync_tui.queue.store import Debt, DebtKind
from exlab_sync_tui.text import count, safe_text, size
from exlab_sync_tui.transport.base import Owner, Pulse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from exlab_sync_tui.engine.breaker import Breaker
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.travel.way import Way
    from exlab_sync_tui.gate.validator import Examination, Verdict
    from exlab_sync_tui.model.evidence import EvidenceLevel
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.transport.base import DestinationState

ENGINE = "engine"
_LOG = logging.getLogger(__name__)
_WAS_PUBLISHED = PUBLISHED | {SyncJobState.CLEANED}
_Result = TypeVar("_Result")


class RunBlocked(Exception):  # noqa: N818  # a turn of the walk, not an error
    """The gate objects to a run that was queued already."""

    def __init__(self, run: RunFolder, verdict: Verdict) -> None:
        super().__init__("blocked")
        self.run = run
        self.verdict = verdict


class Journey:
    """Turns of one instrument's jobs. Raises ``TransportError``, ``OSError``, ``RunBlocked``; the lane reacts.

    ``sent_bytes`` is what the last turn sent: an attempt that moved forward is not counted (``FORMATS.md`` §6).
    """

    def __init__(self, parts: Parts, instrument: Instrument, way: Way, breaker: Breaker) -> None:
        self._parts = parts
        self._instrument = instrument
        self._way = way
        self._breaker = breaker
        self._proven_here: set[str] = set()
        self.sent_bytes = 0

    async def walk(self, job: SyncJobRow) -> SyncJobRow:
        """Bring a running job, or one that awaits verification, as far as it goes in this turn."""
        self.sent_bytes = 0
        run = await asyncio.to_thread(find_run, job.run_path, self._instrument)
        progress = Progress(job, self._parts.clock.monotonic(), files=job.files_total, size=job.bytes_total)
        trip = Trip(self._parts, self._instrument, run, job, progress, proven_here=job.id in self._proven_here)
        self._parts.board.put(progress)
        try:
            state = await self._watched(trip, self._way.state())
            destination_id = await self._breaker.identify(state)
            self._way.expect(destination_id)
            if trip.job.publishing and await self._was_published(trip):
                await self._recognise(trip)
                return trip.job
            if trip.job.state is SyncJobState.RUNNING:
                await self._send(trip, state, destination_id)
            if trip.job.state is SyncJobState.AWAITING_VERIFY:
                await self._prove_and_publish(trip)
        finally:
            self._parts.board.take(self._instrument.id)
            self.sent_bytes = progress.pulse.sent_bytes
            self._keep_in_mind(trip)
        return trip.job

    def forget(self, job_id: str) -> None:
        """The far digests of this job are to be asked for again."""
        self._proven_here.discard(job_id)

    def _keep_in_mind(self, trip: Trip) -> None:
        """Only of runs that are not there yet: an engine that runs for months sends any number of them."""
        if trip.proven_here and trip.job.state not in _WAS_PUBLISHED:
            self._proven_here.add(trip.job.id)
        else:
            self._proven_here.discard(trip.job.id)

    async def _send(self, trip: Trip, state: DestinationState | None, destination_id: str) -> None:
        await self._freeze(trip)
        nas_path = place_of(trip.run, self._instrument, trip.job.revision, trip.job.beside)
        trip.job = await self._parts.store.amend(
            trip.job.id,
            destination_id=destination_id,
            nas_path=nas_path,
            frozen=True,
            started_at=trip.job.started_at or self._parts.now(),
            files_total=trip.inventory.files,
            bytes_total=trip.inventory.size,
        )
        self._announce_start(trip)
        trip.progress.phase = Phase.SENDING
        await self._watched(trip, self._way.carry(trip, state))
        await self._breaker.worked()
        trip.job = await self._parts.store.move(
            trip.job.id, SyncJobState.AWAITING_VERIFY, at=self._parts.now(), who=ENGINE, what="every byte was sent"
        )
        self._parts.bus.say(EventKind.RUN_SENT, f"{_name(trip)}: sent, comparing both sides.", job=trip.job)

    async def _freeze(self, trip: Trip) -> None:
        store, run = self._parts.store, trip.run
        if not trip.job.frozen:
            await store.drop_files(trip.job.id)
        elif trip.job.round is Round.ADDITIONS and await self._touches_published(trip):
            await self._begin_revision(trip)
            return
        gate = await self._gate(run)
        trip.inventory = await freeze(store, trip.job.id, run.path, self._instrument.litter, gate)
        if trip.inventory.touches_published:
            await self._begin_revision(trip)
            return
        totals = await store.file_totals(trip.job.id)
        trip.progress.size, trip.progress.files = totals.size, totals.files
        trip.progress.done_before = totals.proven_size if trip.proven_here else 0
        self._ask_gate(trip)

    async def _begin_revision(self, trip: Trip) -> None:
        """What was published has changed here: everything is sent anew, beside the first (``FORMATS.md`` §6)."""
        await self._tidied(trip.incoming, trip.owner, trip.progress.pulse)
        trip.job = await self._parts.store.amend(
            trip.job.id, round=Round.REVISION, revision=trip.job.revision + 1, frozen=False, publishing=""
        )
        await self._freeze(trip)

    async def _touches_published(self, trip: Trip) -> bool:
        """Looked at before anything is written down: a crash in between must not make published files forgotten."""
        seen = await compare(self._parts.store, trip.job.id, trip.run.path, self._instrument.litter, None)
        return seen.touches_published

    async def _gate(self, run: RunFolder) -> Examination:
        granted = await recorded_here(self._parts.store, run)
        return self._parts.validator.examination(run, at=self._parts.now(), granted=granted)

    def _ask_gate(self, trip: Trip) -> None:
        verdict = trip.inventory.verdict
        if verdict is not None and verdict.blocking:
            raise RunBlocked(trip.run, verdict)

    async def _prove_and_publish(self, trip: Trip) -> None:
        trip.progress.phase = Phase.CHECKING
        await self._see_unchanged(trip)
        result = await self._watched(trip, self._way.prove(trip))
        self._refuse_unproven(result)
        trip.progress.phase = Phase.PUBLISHING
        now = self._parts.now()
        papers = await draw_up(trip, result, publish=await self._watched(trip, self._way.manner()), at=now)
        await asyncio.to_thread(keep_copy, self._parts.records_folder, trip.job.id, papers)
        trip.job = await self._parts.store.amend(
            trip.job.id,
            publishing=papers.manifest_sha256,
            manifest_sha256=papers.manifest_sha256,
            evidence=self._evidence_of(trip, result),
        )
        await self._watched(trip, self._way.publish(trip, papers))
        await self._finish(trip)

    async def _was_published(self, trip: Trip) -> bool:
        """After a crash or an error between the rename and the store the final folder is looked at first (§7).

        What lies there must be what the records say now: they may have been frozen anew since.
        """
        final = await self._watched(trip, self._way.look_at_final(trip))
        if final.what is not Final.OURS or final.manifest_sha256 != trip.job.publishing:
            return False
        try:
            manifest = await manifest_of(trip)
        except ValueError:  # a file that was not sent yet
            return False
        return await asyncio.to_thread(manifest_digest, manifest) == trip.job.publishing

    async def _recognise(self, trip: Trip) -> None:
        trip.progress.phase = Phase.PUBLISHING
        if trip.job.state is SyncJobState.RUNNING:
            what = "found published: an earlier attempt had got that far"
            trip.job = await self._parts.store.move(
                trip.job.id, SyncJobState.AWAITING_VERIFY, at=self._parts.now(), who=ENGINE, what=what
            )
        await self._finish(trip)

    async def _see_unchanged(self, trip: Trip) -> None:
        """The snapshot is taken again after sending, and the gate is asked again with it (decision 5, §5)."""
        gate = await self._gate(trip.run)
        trip.inventory = await compare(self._parts.store, trip.job.id, trip.run.path, self._instrument.litter, gate)
        if trip.inventory.differs:
            raise TransportError(_what_changed(trip), TransportErrorKind.CHANGED)
        self._ask_gate(trip)

    def _evidence_of(self, trip: Trip, result: VerifyResult) -> EvidenceLevel:
        """What the whole run stands on: additions lie beside files that an earlier round has proved."""
        earlier = trip.job.evidence if trip.job.round is Round.ADDITIONS else None
        return weakest([level for level in (result.evidence, earlier) if level]) or self._parts.minimum

    def _refuse_unproven(self, result: VerifyResult) -> None:
        title = self._instrument.destination.title
        differing = [*result.mismatched, *result.missing]
        if differing:
            raise mismatch(title, differing)
        if not result.ok:
            rung = result.evidence.value if result.evidence else "nothing"
            raise TransportError(
                f"{title} can only prove this run by {rung}, and verify.minimum asks for {self._parts.minimum.value};"
                " the local copy is kept. Lower verify.minimum, or use a transport that can read back.",
                TransportErrorKind.SET_UP,
            )

    async def _finish(self, trip: Trip) -> None:
        now, job = self._parts.now(), trip.job
        left = Debt(job.run_path, DebtKind.INCOMING, trip.incoming, now)
        await self._parts.store.mark_published(job.id)
        trip.job = await self._parts.store.move(
            job.id,
            SyncJobState.VERIFIED,
            at=now,
            who=ENGINE,
            what=f"published at {job.nas_path}, proven by {(job.evidence or self._parts.minimum).value}",
            debts=[
                Debt(job.run_path, DebtKind.LOCAL_RECORDS, job.id, now),
                Debt(job.run_path, DebtKind.SYNC_STATUS, "synced", now),
                left,
            ],
            verified_at=now,
            verify_passes=1 if trip.job.frozen else 0,  # what is only known from its receipt has proved nothing here
            passed_at=now,
            publishing="",
            last_error=None,
            next_attempt_at=None,
        )
        await self._parts.holds.lift(HoldScope.RUN, job.run_path)
        self._parts.bus.say(
            EventKind.RUN_VERIFIED,
            f"{_name(trip)}: verified, {count(trip.progress.files, 'file')}, {size(trip.progress.size)}.",
            job=trip.job,
            files=trip.progress.files,
            size=trip.progress.size,
        )
        if await self._tidied(trip.incoming, trip.owner, trip.progress.pulse):
            await self._parts.store.paid(left)

    async def sweep(self) -> None:
        """Remove the assemblies of verified runs that could not be removed when they had been published."""
        store = self._parts.store
        for debt in await store.debts():
            job = await store.job_of(debt.run_path) if debt.kind is DebtKind.INCOMING else None
            if job is None or job.equipment_id != self._instrument.id or job.state not in _WAS_PUBLISHED:
                continue
            if await self._tidied(debt.value, Owner(store.store_id, job.id), Pulse()):
                await store.paid(debt)

    async def _tidied(self, incoming: str, owner: Owner, pulse: Pulse) -> bool:
        """Remove an assembly. What cannot be removed now never makes a published run look unpublished."""
        try:
            await self._unless_stalled(self._way.tidy(incoming, owner), pulse)
        except TransportError as error:
            _LOG.warning("%s is removed later: %s", safe_text(incoming), error)
            return False
        return True

    async def _watched(self, trip: Trip, step: Coroutine[None, None, _Result]) -> _Result:
        """A step that must move: without any progress for ``sync.stall_seconds`` it is ended as a network failure."""
        return await self._unless_stalled(step, trip.progress.pulse)

    async def _unless_stalled(self, step: Coroutine[None, None, _Result], pulse: Pulse) -> _Result:
        return await run_unless_stalled(
            step,
            pulse,
            self._parts.clock,
            self._instrument.stall_seconds,
            self._instrument.destination.title,
        )

    def _announce_start(self, trip: Trip) -> None:
        self._parts.bus.say(
            EventKind.RUN_STARTED,
            f"{_name(trip)}: sending {count(trip.progress.files, 'file')}, {size(trip.progress.size)}, to"
            f" {self._instrument.destination.title}.",
            job=trip.job,
            files=trip.progress.files,
            size=trip.progress.size,
        )


def _name(trip: Trip) -> str:
    return f"{trip.instrument.id} {safe_text(trip.run.below)}"


def _what_changed(trip: Trip) -> str:
    seen = trip.inventory
    kinds = ((seen.changed, "changed"), (seen.added, "appeared"), (seen.gone, "vanished"))
    parts = [f"{_first_of(rels)} {word}" for rels, word in kinds if rels]
    return f"The run was still being written: {', '.join(parts)} while it was sent. It waits until it is quiet again."


def _first_of(rels: list[str]) -> str:
    more = f" and {count(len(rels) - 1, 'other')}" if len(rels) > 1 else ""
    return safe_text(rels[0]) + more
