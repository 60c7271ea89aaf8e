"""What must be known before a local copy may go? Gathers the facts that the interlocks judge, the cheap ones first."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.cleanup.interlocks import (
    Block,
    FarClock,
    TreeFacts,
    by_age,
    by_debts,
    by_destination,
    by_keeping,
    by_passes,
    by_revocation,
    by_switch,
    by_tree,
)
from exlab_sync_tui.engine.grants import was_revoked_since
from exlab_sync_tui.engine.patience import within
from exlab_sync_tui.engine.travel.freeze import compare
from exlab_sync_tui.engine.travel.places import find_run
from exlab_sync_tui.engine.upkeep.leftovers import kept_receipt
from exlab_sync_tui.errors import CreationError, OrphanRunError, TransportError
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME
from exlab_sync_tui.queue.store import Debt, DebtKind
from exlab_sync_tui.text import duration, safe_text
from exlab_sync_tui.transport.base import OWNER_NAME, Owner
from exlab_sync_tui.tree.paths import incoming_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from exlab_sync_tui.cleanup.interlocks import CleanupOptions
    from exlab_sync_tui.engine.parts import Instrument, Parts
    from exlab_sync_tui.engine.upkeep.turn import Turn
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.provenance.receipt import Receipt

_PROBE_SECONDS = 10


class Facts:
    """Asks this PC, the store and the destination of one instrument about one job at a time."""

    def __init__(
        self,
        parts: Parts,
        instrument: Instrument,
        options: CleanupOptions,
        turn: Turn,
        remote_stat: Callable[[SyncJobRow], bool] | None,
    ) -> None:
        self._parts = parts
        self._instrument = instrument
        self._options = options
        self._turn = turn
        self._remote_stat = remote_stat

    async def before_proof(self, job: SyncJobRow) -> Block | None:
        """What blocks already, whatever a fresh proof says: asked before the far side is read for nothing."""
        coming = replace(job, verify_passes=max(job.verify_passes, self._options.min_passes))
        block = by_switch(self._options) or by_age(coming, self._options, self._parts.now())
        if block is None and job.verify_passes < self._options.min_passes - 1:
            block = by_passes(job, self._options)
        return block or by_keeping(job) or by_debts(await self._debts(job)) or await self._local_block(job)

    async def first_block(self, job: SyncJobRow, *, tells_time: bool) -> Block | None:
        """The first of all interlocks that blocks. *tells_time*: something may be written there, to see its clock."""
        options, now = self._options, self._parts.now()
        block = by_switch(options) or by_passes(job, options) or by_age(job, options, now)
        if block is not None:
            return block
        problem = await self.destination_problem(job)
        if not problem and tells_time:
            block = by_age(job, options, now, await self._far_clock(job))
        return (
            block
            or by_destination(problem)
            or await self._local_block(job)
            or by_keeping(await self._parts.store.job(job.id) or job)
            or by_debts(await self._debts(job))
        )

    async def destination_problem(self, job: SyncJobRow) -> str:
        """Why the destination cannot be relied on now; empty if it answers and is the one on which the run lies."""
        destination = self._instrument.destination
        if destination.injected.push is not None:
            if self._remote_stat is not None and not await asyncio.to_thread(self._remote_stat, job):
                return f"{destination.title} does not have the run, or does not answer"
            return ""
        transport = destination.transport
        if transport is None:
            return destination.unready
        try:
            state = await within(self._parts.clock, _PROBE_SECONDS, transport.probe())
        except TimeoutError:
            return f"{destination.title} has not answered for {duration(_PROBE_SECONDS)}"
        except (TransportError, OSError) as error:
            return f"{destination.title} does not answer: {safe_text(error)}"
        if state.identity is None or state.identity.id != job.destination_id:
            return f"{destination.title} is not the destination on which the run lies"
        transport.expect(job.destination_id)
        return ""

    def receipt(self, job: SyncJobRow) -> Receipt | None:
        """The receipt of what was published last; blocks, for a thread."""
        return kept_receipt(self._parts.records_folder, job)

    async def _local_block(self, job: SyncJobRow) -> Block | None:
        return by_revocation(await self._revocation(job)) or by_tree(await self.tree(job))

    async def _revocation(self, job: SyncJobRow) -> str:
        try:
            run = await asyncio.to_thread(find_run, job.run_path, self._instrument)
            if job.verified_at is not None and await was_revoked_since(self._parts.store, run, job.verified_at):
                return "an override was revoked since the run was verified, so somebody has to look at it first"
        except (CreationError, OrphanRunError, OSError, TransportError) as error:
            return f"it cannot be told whether an override was revoked: {safe_text(error).rstrip('.')}"
        return ""

    async def tree(self, job: SyncJobRow) -> TreeFacts:
        """How the local tree differs from the records, and from the receipt where that says what was not sent."""
        try:
            run = await asyncio.to_thread(find_run, job.run_path, self._instrument)
            if str(run.path) != job.run_path:
                return TreeFacts(problem="the run's folder is another one now")
            seen = await compare(self._parts.store, job.id, run.path, self._instrument.litter, None)
        except (OSError, TransportError) as error:
            return TreeFacts(problem=f"the local folder cannot be compared: {safe_text(error).rstrip('.')}")
        receipt = await asyncio.to_thread(self.receipt, job)
        if receipt is None:
            return TreeFacts(problem="the receipt of what was published is not on this PC")
        relinked = [rel for rel, target in seen.links.items() if receipt.links.get(rel, target) != target]
        new = [rel for rel in seen.links if rel not in receipt.links]
        new += [rel for rel in seen.specials if rel not in receipt.specials]
        return TreeFacts((*seen.added, *new), (*seen.changed, *relinked), tuple(seen.gone))

    async def _debts(self, job: SyncJobRow) -> tuple[str, ...]:
        """Why each debt is still owed; what an earlier look at the far clock has left is taken up by the next look."""
        owed = await self._parts.store.debts(job.run_path)
        return tuple(debt.last_error for debt in owed if debt.value != _clock_folder(job))

    async def _far_clock(self, job: SyncJobRow) -> FarClock | None:
        """The destination's time, by what it stamps on a file that is written there now; nothing where it tells none.

        The file is an owner file below ``.exlab-incoming``; a debt says so first, so that it goes whatever happens.
        """
        destination, store = self._instrument.destination, self._parts.store
        transport = destination.transport
        if transport is None or destination.injected.push is not None or await self._debts(job):
            return None
        written = await transport.find(f"{job.nas_path}/{CACHE_FOLDER}/{RECEIPT_NAME}")
        if written is None or not written.mtime_ns:
            return None
        incoming, owner = _clock_folder(job), Owner(store.store_id, job.id)
        debt = Debt(job.run_path, DebtKind.INCOMING, incoming, self._parts.now())
        await store.owe(debt)

        async def look() -> int:
            await transport.remove_incoming(incoming, owner)
            await transport.open_incoming(incoming, owner)
            found = await transport.find(f"{incoming}/{OWNER_NAME}")
            await transport.remove_incoming(incoming, owner)
            return found.mtime_ns if found else 0

        now_ns = await self._turn.spare(look)
        await store.paid(debt)
        return FarClock(_moment(written.mtime_ns), _moment(now_ns)) if now_ns else None


def _clock_folder(job: SyncJobRow) -> str:
    return incoming_folder(job.nas_path, hashlib.sha256(f"clock of {job.id}".encode()).hexdigest()[:8])


def _cache_of(job: SyncJobRow) -> Path:
    return Path(job.run_path) / CACHE_FOLDER


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
