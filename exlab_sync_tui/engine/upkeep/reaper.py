"""How is a verified run brought to its end? Passes, eligibility, a fresh proof, the mark, and file by file the release.

Every step is stored before the next begins, so that a crash anywhere is taken up where it was (``FORMATS.md`` §6, §8).
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from exlab_sync_tui.cleanup.interlocks import (
    WEAKEST_PROOF,
    Block,
    Interlock,
    by_age,
    by_destination,
    by_passes,
    by_switch,
    due_of_next_pass,
)
from exlab_sync_tui.cleanup.release import Hands, RunFolderGoneError, Tally
from exlab_sync_tui.engine.travel.freeze import pages_of
from exlab_sync_tui.engine.upkeep.leftovers import tell_leftovers
from exlab_sync_tui.engine.upkeep.proof import Proof
from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.job import PUBLISHED, SyncJobState
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.queue.store import Debt, DebtKind, HistoryEntry
from exlab_sync_tui.text import count, safe_text, size, utc
from exlab_sync_tui.tree.hashing import hash_tree
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exlab_sync_tui.cleanup.interlocks import CleanupOptions
    from exlab_sync_tui.engine.debts import Bookkeeper
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.upkeep.facts import Facts
    from exlab_sync_tui.engine.upkeep.turn import Turn
    from exlab_sync_tui.engine.upkeep.verdicts import Verdicts
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.provenance.receipt import Receipt

_Result = TypeVar("_Result")
REAPER = "reaper"
_PAGE = 1_000
_LOOK_AGAIN = timedelta(minutes=10)
_REST_PER_LOOK = 50.0
"""A run that stays is left alone for so many times as long as the look took: no large tree is walked all the time."""
_CACHE_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Attended:
    """What became of a look: the job as it is now, what blocks its release, and when to look again (``None``: done)."""

    job: SyncJobRow
    block: Block | None = None
    again: datetime | None = None

    @property
    def is_cleaned(self) -> bool:
        """Whether its local copy is gone."""
        return self.job.state is SyncJobState.CLEANED


class Reaper:
    """Attends to the verified runs of one instrument. Raises ``TransportError``, ``OSError``, ``StoreError``."""

    def __init__(
        self,
        parts: Parts,
        instrument: Instrument,
        options: CleanupOptions,
        *,
        facts: Facts,
        turn: Turn,
        verdicts: Verdicts,
        bookkeeper: Bookkeeper,
    ) -> None:
        self._parts = parts
        self._instrument = instrument
        self._options = options
        self._facts = facts
        self._turn = turn
        self._verdicts = verdicts
        self._bookkeeper = bookkeeper
        self._proofs: dict[str, Proof] = {}
        self._proved_at: dict[str, float] = {}
        self._attending = asyncio.Lock()

    async def attend(self, job: SyncJobRow) -> Attended:
        """Do what is due for a job; runs of one instrument are attended to one after the other."""
        async with self._attending:
            now_known = await self._parts.store.job(job.id)
            if now_known is None or now_known.state not in PUBLISHED:
                return Attended(now_known or job)
            if now_known.releasing_at is not None:
                return await self._go_on(now_known)
            return await self._look_after(now_known)

    async def audit(self, job: SyncJobRow) -> SyncJobRow:
        """Compare a run again, cleaned or not, and write down what was found."""
        async with self._attending:
            known = await self._parts.store.job(job.id)
            if known is None or known.state not in PUBLISHED | {SyncJobState.CLEANED}:
                return known or job
            return (await self._pass(known))[0]

    async def _look_after(self, job: SyncJobRow) -> Attended:
        job, begun = await self._promote(job), self._parts.clock.monotonic()
        if not self._pass_is_due(job) and job.state is not SyncJobState.CLEANUP_ELIGIBLE:
            lacks = by_switch(self._options) or self._lacks(job)
            return Attended(job, lacks, self._next_look(job, lacks))
        await self._bookkeeper.pay(job.run_path)  # what is owed is paid before any cleanup, if it can be
        block = await self._facts.before_proof(job)
        if block is not None and not self._pass_is_due(job):
            rest = timedelta(seconds=_REST_PER_LOOK * (self._parts.clock.monotonic() - begun))
            return Attended(job, block, max(self._next_look(job, block), self._parts.now() + rest))
        job, problem = await self._pass(job)
        if job.state is SyncJobState.FAILED:
            return Attended(job)
        job = await self._promote(job)
        block = self._lacks(job) or block or (Block(Interlock.TREE, problem) if problem else None)
        block = block or await self._facts.first_block(job, tells_time=True)
        if block is not None:
            return Attended(job, block, self._after_proof(job, block))
        files = f"{count(job.files_total, 'file')}, {size(job.bytes_total)}"
        job = await self._parts.store.begin_release(
            job.id, at=self._parts.now(), who=REAPER, what=f"deletion of the local copy begins: {files}"
        )
        return await self._release(job)

    async def _go_on(self, job: SyncJobRow) -> Attended:
        """A release that was broken off: what is still here goes only after another proof, if the last one is old."""
        block = by_switch(self._options) or by_destination(await self._facts.destination_problem(job))
        if block is not None:
            return Attended(job, block, self._next_look(job, block))
        if not self._is_fresh(job):
            job, problem = await self._pass(job)
            if problem or not self._is_fresh(job):
                return Attended(
                    job, Block(Interlock.TREE, problem or job.last_error or ""), self._after_proof(job, None)
                )
        return await self._release(job)

    def _is_fresh(self, job: SyncJobRow) -> bool:
        taken = self._proved_at.get(job.id)
        return taken is not None and self._parts.clock.monotonic() - taken < self._options.interval.total_seconds()

    async def _pass(self, job: SyncJobRow) -> tuple[SyncJobRow, str]:
        """One full comparison; the job as it is then, and why the proof is none for cleanup, if that is so."""
        if not job.frozen:
            job = await self._read_here(job)
        proof = self._proofs.get(job.id)
        if proof is None or proof.job != job:
            proof = self._proofs[job.id] = Proof(self._parts, self._instrument, self._turn, job)
        result = await proof.take()
        del self._proofs[job.id]
        self._proved_at.pop(job.id, None)
        if not result.ok:
            differing = [*result.mismatched, *result.missing]
            job = await self._verdicts.differed(job, differing, proof.title, REAPER)
            await self._bookkeeper.pay(job.run_path)
            return job, job.last_error or ""
        job = await self._verdicts.agreed(job, result, REAPER)
        problem = proof.papers or _too_weak(result)
        if not problem:
            self._proved_at[job.id] = self._parts.clock.monotonic()
        return job, problem

    async def _read_here(self, job: SyncJobRow) -> SyncJobRow:
        """Records that were made from a receipt do not say what lies here: read the local files before they count.

        A file with another content is one that has changed since, and its run is looked at again as such.
        """
        changed = []
        async for page in pages_of(self._parts.store, job.id):
            now = await asyncio.to_thread(lambda page=page: list(hash_tree(Path(job.run_path), page)))  # type: ignore[misc]
            changed += [
                record._replace(mtime_ns=0, inode=0)
                for record, seen in zip(page, now, strict=True)
                if record.sha256 != seen.sha256
            ]
        if changed:
            await self._parts.store.put_files(job.id, changed)
            await self._parts.store.forget_observation(job.run_path)
            raise RefusedError(
                f"{safe_text(changed[0].rel)} of {safe_text(job.run_path)} has changed since it was sent."
            )
        return await self._parts.store.amend(job.id, frozen=True)

    async def _promote(self, job: SyncJobRow) -> SyncJobRow:
        """VERIFIED becomes CLEANUP_ELIGIBLE when passes and age hold, even if cleanup is disabled."""
        if job.state is not SyncJobState.VERIFIED or self._lacks(job):
            return job
        return await self._parts.store.move(
            job.id,
            SyncJobState.CLEANUP_ELIGIBLE,
            at=self._parts.now(),
            who=REAPER,
            what=f"passes and age hold: {count(job.verify_passes, 'pass', 'passes')},"
            f" verified {utc(job.verified_at or self._parts.now())}",
            only_from=SyncJobState.VERIFIED,
        )

    def _lacks(self, job: SyncJobRow) -> Block | None:
        return by_passes(job, self._options) or by_age(job, self._options, self._parts.now())

    def _pass_is_due(self, job: SyncJobRow) -> bool:
        if not self._options.configured or by_passes(job, self._options) is None:
            return False
        due = due_of_next_pass(job, self._options)
        return due is not None and due <= self._parts.now()

    def _next_look(self, job: SyncJobRow, block: Block | None) -> datetime:
        """Never later than in ten minutes: clocks jump, folders change, and a look that blocks early costs little."""
        now = self._parts.now()
        moments = [block.until if block else None, due_of_next_pass(job, self._options)]
        return min([now + _LOOK_AGAIN, *(moment for moment in moments if moment is not None and moment > now)])

    def _after_proof(self, job: SyncJobRow, block: Block | None) -> datetime:
        """After a proof that led to nothing the far side is not read again at once."""
        now = self._parts.now()
        if block is not None and block.until is not None and block.until > now:
            return block.until
        due = due_of_next_pass(job, self._options)
        return due if due is not None and due > now else now + max(self._options.interval, _LOOK_AGAIN)

    async def _release(self, job: SyncJobRow) -> Attended:
        """Delete what the record names, then say that it is done, or why it is not."""
        run = Path(job.run_path)
        receipt = await asyncio.to_thread(self._facts.receipt, job)
        try:
            tally = await self._delete(job, run, receipt)
        except RunFolderGoneError:
            if not await asyncio.to_thread(run.parent.is_dir):
                block = Block(Interlock.TREE, f"{safe_text(run.parent)} is not there; perhaps a disk is away")
                return Attended(job, block, self._next_look(job, block))
            tally = Tally()
        refused = tally.refused[0][1] if tally.refused else ""
        if not tally.is_whole:
            await tell_leftovers(self._parts, job, self._instrument.litter, receipt, refused=refused)
            left = [*tally.changed, *(rel for rel, _ in tally.refused)]
            block = Block(Interlock.TREE, f"{safe_text(left[0])} could not be deleted: {refused or 'it has changed'}")
            return Attended(job, block, self._parts.now() + _LOOK_AGAIN)
        job = await self._cleaned(job)
        self._proved_at.pop(job.id, None)
        await tell_leftovers(self._parts, job, self._instrument.litter, receipt)
        return Attended(job)

    async def _delete(self, job: SyncJobRow, run: Path, receipt: Receipt | None) -> Tally:
        contents = await self._read_back(job, run)
        stop = threading.Event()
        hands = await asyncio.to_thread(Hands, run, stopped=stop.is_set)
        folders: set[str] = set()
        try:
            after = ""
            while page := await self._parts.store.files(job.id, after=after, limit=_PAGE):
                await _to_the_end(lambda page=page: hands.unlink(page), stop)  # type: ignore[misc]
                folders |= {record.rel.rpartition("/")[0] for record in page}
                after = page[-1].rel
            links = receipt.links if receipt else {}
            folders |= {rel.rpartition("/")[0] for rel in links} | set(receipt.empty_folders if receipt else ())

            def finish() -> None:
                hands.unlink_links(links)
                hands.unlink_read_back(contents)
                hands.remove_folders(folders - {""}, cache_too=not self._options.retain_cache)

            await _to_the_end(finish, stop)
        finally:
            await asyncio.to_thread(hands.close)
        return hands.tally

    async def _read_back(self, job: SyncJobRow, run: Path) -> dict[str, bytes]:
        """With ``retain_cache: false``: the files of the cache folder of which the destination has the very bytes."""
        destination = self._instrument.destination
        transport = destination.transport
        if self._options.retain_cache or transport is None or destination.injected.push is not None:
            return {}

        async def there(rel: str) -> bytes | None:
            return await self._turn.spare(lambda: transport.read_text(job.nas_path, rel))

        here = await asyncio.to_thread(_cache_files, run)
        return {rel: data for rel, data in here.items() if await there(rel) == data}

    async def _cleaned(self, job: SyncJobRow) -> SyncJobRow:
        parts, now = self._parts, self._parts.now()
        totals = await parts.store.file_totals(job.id)
        evidence = job.evidence.value if job.evidence else ""
        passes = count(job.verify_passes, "pass", "passes")
        what = (
            f"local copy deleted: {count(totals.files, 'file')}, {size(totals.size)}, proved by {evidence} in {passes}"
        )
        data: dict[str, str | int] = {
            "files": totals.files,
            "bytes": totals.size,
            "evidence": evidence,
            "passes": job.verify_passes,
        }
        await parts.store.record(HistoryEntry(now, job.run_path, job.id, REAPER, "released", data=data))
        job = await parts.store.move(
            job.id,
            SyncJobState.CLEANED,
            at=now,
            who=REAPER,
            what=what,
            debts=[Debt(job.run_path, DebtKind.SYNC_STATUS, "cleaned", now)],
            last_error=None,
        )
        name = f"{job.equipment_id} {safe_text(Path(job.run_path).name)}"
        parts.bus.say(EventKind.RUN_CLEANED, f"{name}: {what}.", job=job, files=totals.files, size=totals.size)
        await self._bookkeeper.pay(job.run_path)
        return job


def _too_weak(result: VerifyResult) -> str:
    if result.evidence is None or result.evidence.satisfies(WEAKEST_PROOF):
        return ""
    return (
        f"the destination proves it by {result.evidence.value} only, and cleanup needs {WEAKEST_PROOF.value} at least"
    )


def _cache_files(run: Path) -> dict[str, bytes]:
    """What lies in the run's own cache folder, by path below the run; a file that cannot be read is left out."""
    found = {}
    with suppress(OSError):
        for entry in walk(run / CACHE_FOLDER, keep_cache=True):
            if entry.kind is EntryKind.FILE and entry.size <= _CACHE_LIMIT:
                with suppress(OSError):
                    found[f"{CACHE_FOLDER}/{entry.rel}"] = (run / CACHE_FOLDER / entry.rel).read_bytes()
    return found


async def _to_the_end(work: Callable[[], _Result], stop: threading.Event) -> _Result:
    """Do *work* in a thread; who is cancelled meanwhile lets it stop after the file in hand, and waits for that."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        raise
