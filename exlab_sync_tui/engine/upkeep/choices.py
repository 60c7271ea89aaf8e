"""What may an operator decide about a run that cannot go on by itself? Keep, forget, adopt, publish beside, repair."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.freeze import compare, pages_of
from exlab_sync_tui.engine.travel.places import find_run
from exlab_sync_tui.engine.upkeep.proof import Proof
from exlab_sync_tui.errors import RefusedError, TransportErrorKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import Round, SyncJobState
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME
from exlab_sync_tui.queue.store import Debt, DebtKind, HistoryEntry
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tree.hashing import hash_tree
from exlab_sync_tui.tree.paths import INCOMING_FOLDER, conflict_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.upkeep.turn import Turn
    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobChanges
    from exlab_sync_tui.transport.base import Transport

_ON_ITS_WAY = frozenset({SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY})
_TOKEN = 8


class Choices:
    """Carries out what an operator chose. Each returns a sentence, and raises ``RefusedError`` where it makes no sense.

    Asking twice for the same is done once.
    """

    def __init__(self, parts: Parts, instruments: Mapping[str, Instrument]) -> None:
        self._parts = parts
        self._instruments = instruments

    async def keep_local(self, job: SyncJobRow, *, keep: bool, who: str) -> str:
        """Let the local copy stay whatever else holds, or end that."""
        if job.state is SyncJobState.CLEANED:
            raise RefusedError(f"The local copy of {_name(job)} was deleted already; its far copy is at {_far(job)}.")
        if keep and job.releasing_at is not None:
            raise RefusedError(f"The local copy of {_name(job)} is just being deleted, so it cannot be kept any more.")
        if job.keep_local is not keep:
            await self._parts.store.amend(job.id, keep_local=keep)
            await self._tell(job, who, "the local copy is to stay" if keep else "the local copy need not stay any more")
        if keep:
            return f"The local copy of {_name(job)} stays until `exlab-sync keep-local --undo`."
        return f"The local copy of {_name(job)} may go once its proof and every other interlock hold."

    async def forget(self, job: SyncJobRow, reason: str, *, who: str) -> str:
        """Drop a run that was deleted on purpose. One that still lies here would only be found again."""
        if not reason.strip():
            raise RefusedError("A reason is needed, because it stays in the record for good; give one with --reason.")
        if job.state in _ON_ITS_WAY:
            raise RefusedError(f"{_name(job)} is just being moved; pause {job.equipment_id} first, then forget it.")
        run = Path(job.run_path)
        if await asyncio.to_thread(os.path.lexists, run):
            raise RefusedError(
                f"{safe_text(run)} is still there, so the run would be found and queued again; delete or move the"
                " folder first."
            )
        if not await asyncio.to_thread(run.parent.is_dir):
            raise RefusedError(f"{safe_text(run.parent)} is not there; perhaps a disk is away. Nothing was forgotten.")
        what = f"forgotten: {safe_text(reason.strip())}"
        await self._parts.store.forget(job.id, at=self._parts.now(), who=who, what=what)
        sentence = f"{job.equipment_id} {_name(job)}: {what}, by {safe_text(who)}."
        self._parts.bus.say(EventKind.OPERATOR, sentence, equipment_id=job.equipment_id, run_path=job.run_path)
        far = f" What lies at {_far(job)} was left alone." if job.verified_at else ""
        return f"{_name(job)} was forgotten.{far}"

    async def adopt(self, job: SyncJobRow, *, who: str) -> str:
        """What lies in the run's place becomes the run, if it is identical: it only gets its papers."""
        self._refuse_but_conflict(job)
        transport = self._transport(job)
        if await transport.find(job.nas_path) is None:
            raise RefusedError(f"Nothing lies at {_far(job)} any more; `exlab-sync retry` sends the run there.")
        await self._queue(job, who, "what lies there is compared, to be adopted", round=Round.ADOPTION, frozen=False)
        return f"{_name(job)} was queued: what lies at {_far(job)} is compared, and adopted if it is identical."

    async def beside(self, job: SyncJobRow, *, who: str) -> str:
        """The run is published as ``<run>__conflict-<8 chars>``; what lies in its place is left alone."""
        self._refuse_but_conflict(job)
        token = job.beside or hashlib.sha256(f"{job.id} {job.nas_path}".encode(errors="surrogateescape")).hexdigest()
        token = token[:_TOKEN]
        place = job.nas_path if job.beside else conflict_name(job.nas_path, token)
        await self._queue(
            job, who, f"to be published as {place}", round=Round.FIRST, frozen=False, beside=token, nas_path=place
        )
        return f"{_name(job)} was queued and will be published as {safe_text(place)}; what is there stays as it is."

    async def repair(self, job: SyncJobRow, turn: Turn, *, who: str) -> str:
        """Send what differs on the far side again, from a good local copy; the far files are moved aside first."""
        if job.is_released:
            raise RefusedError(
                f"The local copy of {_name(job)} is not whole any more, so nothing can be repaired from it; restore the"
                " files on the NAS from its snapshots, then `exlab-sync retry`."
            )
        if job.verified_at is None or job.state not in _REPAIRABLE or not _is_mismatch(job):
            raise RefusedError(f"{_name(job)} was not found damaged after it had been verified; there is no repair.")
        transport = self._transport(job)
        run = await asyncio.to_thread(find_run, job.run_path, self._instruments[job.equipment_id])
        seen = await compare(self._parts.store, job.id, run.path, self._instruments[job.equipment_id].litter, None)
        if seen.differs:
            raise RefusedError(
                f"{_name(job)} has changed on this PC since it was verified, so it is no source for a repair;"
                " `exlab-sync resolve RUN beside` sends it anew."
            )
        proof = Proof(self._parts, self._instruments[job.equipment_id], turn, job)
        result = await proof.take()
        wanted = set(result.mismatched) | set(result.missing)
        bad = [record async for page in pages_of(self._parts.store, job.id) for record in page if record.rel in wanted]
        await asyncio.to_thread(_refuse_bad_source, run.path, bad, _name(job))
        aside = await self._move_aside(transport, job, list(result.mismatched), who)
        await self._restore_papers(transport, job)
        fresh = [record._replace(far_sha256=None, rung=None, published=False) for record in bad]
        await self._parts.store.put_files(job.id, fresh)
        what = f"{count(len(bad), 'damaged file')} to be sent again"
        await self._queue(job, who, what, round=Round.ADDITIONS, frozen=True)
        kept = f" The damaged ones were moved to {safe_text(aside)}." if aside else ""
        return f"{_name(job)} was queued: {what}.{kept}"

    async def _move_aside(self, transport: Transport, job: SyncJobRow, rels: Sequence[str], who: str) -> str:
        """Nothing that was published is overwritten: a damaged file goes below ``.exlab-incoming`` and stays there."""
        if not rels:
            return ""
        parent = job.nas_path.rpartition("/")[0]
        name = f"damaged-{hashlib.sha256(f'{job.id} {self._parts.now()}'.encode()).hexdigest()[:_TOKEN]}"
        aside = f"{parent}/{INCOMING_FOLDER}/{name}".lstrip("/")
        await self._tell(job, who, f"{count(len(rels), 'damaged far file')} moved aside, to {aside}")
        await transport.make_folders(parent, [f"{INCOMING_FOLDER}/{name}"])
        for rel in rels:
            await transport.publish_file(job.nas_path, aside, rel)
        return aside

    async def _restore_papers(self, transport: Transport, job: SyncJobRow) -> None:
        """Manifest and receipt, where they are gone: the state folder has the very bytes that were published."""
        kept = self._parts.records_folder / job.id
        for name in (MANIFEST_NAME, RECEIPT_NAME):
            rel = f"{CACHE_FOLDER}/{name}"
            if await transport.find(f"{job.nas_path}/{rel}") is None:
                await transport.write_text(job.nas_path, rel, await asyncio.to_thread((kept / name).read_bytes))

    async def _queue(self, job: SyncJobRow, who: str, what: str, **changes: object) -> None:
        now = self._parts.now()
        told: JobChanges = {
            "attempts": 0,
            "resent": False,
            "last_error": None,
            "publishing": "",
            "next_attempt_at": None,
            "held": False,
            **changes,  # type: ignore[typeddict-item]  # the names are those of JobChanges
        }
        queued = await self._parts.store.move(
            job.id,
            SyncJobState.QUEUED,
            at=now,
            who=who,
            what=what,
            only_from=job.state,
            debts=[Debt(job.run_path, DebtKind.SYNC_STATUS, "pending", now)],
            **told,
        )
        await self._parts.holds.lift(HoldScope.RUN, job.run_path, "An operator has decided.", who=who)
        self._parts.bus.say(EventKind.RUN_QUEUED, f"{job.equipment_id} {_name(job)}: {what}.", job=queued)

    async def _tell(self, job: SyncJobRow, who: str, what: str) -> None:
        await self._parts.store.record(HistoryEntry(self._parts.now(), job.run_path, job.id, who, what))
        sentence = f"{job.equipment_id} {_name(job)}: {safe_text(what)}, by {safe_text(who)}."
        self._parts.bus.say(EventKind.OPERATOR, sentence, job=job)

    def _refuse_but_conflict(self, job: SyncJobRow) -> None:
        kind = (job.last_error or "").partition(":")[0]
        if job.state is not SyncJobState.FAILED or kind not in _CHOSEN:
            raise RefusedError(f"{_name(job)} has no conflict to resolve; it is {job.state.value.replace('_', ' ')}.")

    def _transport(self, job: SyncJobRow) -> Transport:
        instrument = self._instruments.get(job.equipment_id)
        transport = instrument.destination.transport if instrument else None
        if instrument is None or transport is None or instrument.destination.injected.push is not None:
            raise RefusedError(f"The destination of {job.equipment_id} cannot be asked, so this cannot be done there.")
        return transport


_REPAIRABLE = frozenset({SyncJobState.FAILED})
_CHOSEN = frozenset({TransportErrorKind.CONFLICT.value, TransportErrorKind.HASH_MISMATCH.value})


def _is_mismatch(job: SyncJobRow) -> bool:
    return (job.last_error or "").startswith(f"{TransportErrorKind.HASH_MISMATCH.value}:")


def _refuse_bad_source(root: Path, records: Sequence[FileRecord], name: str) -> None:
    """A local file that does not have its recorded digest is no source for a repair."""
    for record, now in zip(records, hash_tree(root, records), strict=True):
        if record.sha256 != now.sha256:
            raise RefusedError(
                f"{safe_text(record.rel)} of {name} is damaged on this PC as well, so nothing was repaired from it;"
                " look for another copy."
            )


def _name(job: SyncJobRow) -> str:
    return safe_text(Path(job.run_path).name)


def _far(job: SyncJobRow) -> str:
    return safe_text(job.nas_path)
