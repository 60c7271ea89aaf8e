"""A NAS has a new address, or there is a new box: which of the runs that were proved on the old one lie there, too?

Nothing is believed because a marker says so. Of every run that was delivered the receipt and the manifest are read on
the new side and compared with what the store knows. A run that is found there belongs to the new destination, and its
passes of verification count from zero again, so that nothing is released before it has been proved there. A run that is
not found stays known as lying on the old destination.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.reach import destination_key, transport_for
from exlab_sync_tui.engine.statelock import take_state_folder
from exlab_sync_tui.errors import NotFoundError, RefusedError
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.model.job import PUBLISHED, SyncJobState
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.manifest import LARGEST_MANIFEST, MANIFEST_NAME, manifest_digest
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, parse_receipt
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import HistoryEntry, JobFilter
from exlab_sync_tui.text import safe_text, utc
from exlab_sync_tui.transport.base import Identity
from exlab_sync_tui.transport.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.settings import Equipment, Settings
    from exlab_sync_tui.transport.base import Transport

_DELIVERED = PUBLISHED | {SyncJobState.CLEANED}
_LISTED = 20


@dataclass(slots=True)
class MoveOutcome:
    """What was found at the new place. ``absent`` are the first runs whose papers are not there, each with the reason.

    ``adopted`` is true when the place had no marker and got a new one.
    """

    title: str
    identity_id: str
    adopted: bool = False
    found: int = 0
    missing: int = 0
    absent: list[tuple[str, str]] = field(default_factory=list)

    def miss(self, job: SyncJobRow, why: str) -> None:
        """Count a run that is not there as the store knows it."""
        self.missing += 1
        if len(self.absent) < _LISTED:
            self.absent.append((job.run_path, why))


async def move(
    settings: Settings, equipment_id: str, *, store_path: Path, who: str, local: bool = False, dry_run: bool = False
) -> MoveOutcome:
    """Accept what the configuration now names as the destination of an instrument, run by run.

    *dry_run* looks and changes nothing, here or there. Raises ``NotFoundError``, ``RefusedError``, ``TransportError``,
    ``EngineRunningError``.
    """
    item = next((one for one in settings.equipment if one.id == equipment_id), None)
    if item is None or item.transport is None:
        known = ", ".join(one.id for one in settings.equipment if one.transport is not None) or "none"
        raise NotFoundError(f"There is no instrument {safe_text(equipment_id)} with a destination; there are: {known}.")
    transport = transport_for(item.transport, Limiter(None, SystemClock()), local=local)
    lock = take_state_folder(store_path.parent)
    store = SQLiteStore(store_path)
    try:
        await store.open()
        return await _Move(settings, item, store, transport, who).make(dry_run=dry_run)
    finally:
        await store.close()
        await transport.close()
        lock.release()


class _Move:
    """One move, under the lock of the state folder."""

    def __init__(self, settings: Settings, item: Equipment, store: JobStore, transport: Transport, who: str) -> None:
        self._settings = settings
        self._item = item
        self._store = store
        self._transport = transport
        self._who = who

    async def make(self, *, dry_run: bool) -> MoveOutcome:
        state = await self._transport.probe()
        title = safe_text(self._transport.title)
        if state.identity is None and dry_run:
            raise RefusedError(
                f"{title} has no marker yet, so nothing can be looked at there; without --dry-run it gets one."
            )
        fresh = Identity(str(uuid.uuid4()), utc(SystemClock().now()))
        identity = state.identity or await self._transport.adopt(fresh)
        outcome = MoveOutcome(title, identity.id, adopted=identity == fresh)
        self._transport.expect(identity.id)
        async for job in self._delivered():
            why = await self._objection(job)
            if why:
                outcome.miss(job, why)
            else:
                outcome.found += 1
            if not dry_run:
                await self._settle(job, identity.id, why)
        if not dry_run:
            await self._remember(identity.id)
        return outcome

    async def _delivered(self) -> AsyncIterator[SyncJobRow]:
        wanted, after = JobFilter(_DELIVERED, self._item.id), 0
        while page := await self._store.jobs(wanted, after_seq=after):
            for job in page:
                yield job
            after = page[-1].seq

    async def _objection(self, job: SyncJobRow) -> str:
        """Why this run cannot be trusted there; empty if receipt and manifest are those that the store knows."""
        cache = f"{job.nas_path}/{CACHE_FOLDER}"
        receipt = parse_receipt(await self._transport.read_text(cache, RECEIPT_NAME) or b"")
        if receipt is None:
            return "no receipt of ours is there"
        if receipt.job_id != job.id or receipt.manifest_sha256 != job.manifest_sha256:
            return "the receipt there is that of another delivery"
        manifest = await self._transport.read_text(cache, MANIFEST_NAME, limit=LARGEST_MANIFEST)
        if manifest is None or await asyncio.to_thread(manifest_digest, manifest) != job.manifest_sha256:
            return "the manifest there is not the one that was proved"
        return ""

    async def _settle(self, job: SyncJobRow, identity_id: str, why: str) -> None:
        """Passes count anew; whether the run belongs to the new place depends on what was found there."""
        if why and job.destination_id != identity_id:
            return
        name = safe_text(self._transport.title)
        what = f"looked for on {name}: {why}" if why else f"found on {name} by its receipt and manifest"
        await self._store.amend(job.id, destination_id=identity_id, verify_passes=0)
        await self._store.record(HistoryEntry(SystemClock().now(), job.run_path, job.id, self._who, what))

    async def _remember(self, identity_id: str) -> None:
        """The new place is the right one; holds on places that no instrument names any more end."""
        assert self._item.transport is not None  # noqa: S101  # looked at above
        await self._store.note(f"destination:{destination_key(self._item.transport)}", identity_id)
        named = {destination_key(one.transport) for one in self._settings.equipment if one.transport is not None}
        after = ""
        while page := await self._store.holds(equipment_id=self._item.id, after_key=after):
            for hold in page:
                if hold.scope is HoldScope.DESTINATION and hold.key not in named:
                    await self._store.clear_hold(hold.scope, hold.key)
            after = page[-1].key
