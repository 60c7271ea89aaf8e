"""Which local writes are still owed, and can they be made now? (``FORMATS.md`` §2, *debt*)"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from exlab_sync_tui.errors import CreationError, IngestError, OrphanRunError
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.atomic import remove_stale, write_atomic
from exlab_sync_tui.provenance.ingest import append_transition
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, parse_receipt
from exlab_sync_tui.queue.store import DebtKind
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.engine.parts import Parts
    from exlab_sync_tui.queue.store import Debt


class Bookkeeper:
    """Pays debts: the run's ``sync_status`` and the local copies of manifest and receipt."""

    def __init__(self, parts: Parts, plain_runs_below: tuple[Path, ...]) -> None:
        self._parts = parts
        self._plain = plain_runs_below
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def pay(self, run_path: str = "") -> int:
        """Pay what is owed to one run, or to all; how many debts stay, each with its reason in the store."""
        left = 0
        for owed in sorted({debt.run_path for debt in await self._parts.store.debts(run_path)}):
            async with self._turns.setdefault(owed, asyncio.Lock()):
                left += await self._pay_one(owed)
        return left

    async def _pay_one(self, run_path: str) -> int:
        """What is owed to one run, as it is once nobody else writes there: an older status must not come last."""
        left = 0
        for debt in await self._parts.store.debts(run_path):
            if debt.kind is DebtKind.INCOMING:
                continue  # it lies on the destination, and its lane removes it
            reason = await asyncio.to_thread(self._try, debt)
            if reason:
                left += 1
                await self._parts.store.unpaid(debt, reason)
            else:
                await self._parts.store.paid(debt)
        return left

    def _try(self, debt: Debt) -> str:
        """Make the write; the reason if it cannot be made."""
        run = Path(debt.run_path)
        if any(run.is_relative_to(folder) for folder in self._plain):
            return ""
        try:
            if not run.is_dir():
                return "" if run.parent.is_dir() else f"{safe_text(run.parent)} is not there; perhaps a disk is away."
            if debt.kind is DebtKind.SYNC_STATUS:
                self._write_status(run, debt)
            else:
                self._write_records(run, debt)
        except OrphanRunError:
            return ""
        except (OSError, CreationError, IngestError) as error:
            return str(error)
        return ""

    def _write_status(self, run: Path, debt: Debt) -> None:
        self._parts.creation.set_sync_status(run, debt.value)
        if debt.value == "pending":
            self._append_transition(run, "sync_queued", debt, {})
        elif debt.value == "cleaned":
            self._append_transition(run, "cleared", debt, {})

    def _write_records(self, run: Path, debt: Debt) -> None:
        kept = self._parts.records_folder / debt.value
        for name in (MANIFEST_NAME, RECEIPT_NAME):
            place = run / CACHE_FOLDER / name
            remove_stale(place)  # one bookkeeper writes here, and no other program
            write_atomic(place, (kept / name).read_bytes())
        receipt = parse_receipt((kept / RECEIPT_NAME).read_bytes())
        far = {
            "nas_path": receipt.destination_path if receipt else "",
            "checksum_file": f"{CACHE_FOLDER}/{MANIFEST_NAME}",
        }
        self._append_transition(run, "sync_verified", debt, far)

    def _append_transition(self, run: Path, state: str, debt: Debt, details: dict[str, str]) -> None:
        """Staging PCs keep an ``ingest.json``; our transitions are appended where there is one (``FORMATS.md`` §3)."""
        append_transition(run, state, at=debt.since, host=self._parts.identities.host, details=details)
