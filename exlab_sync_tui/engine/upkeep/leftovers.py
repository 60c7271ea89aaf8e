"""What lies in a run's folder although its local copy was released? It is a hold, and never touched (invariant S2)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.freeze import pages_of
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, parse_receipt
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tree.snapshot import same
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exlab_sync_tui.engine.parts import Parts
    from exlab_sync_tui.model.entry import Entry, FileRecord
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.provenance.receipt import Receipt

LEFTOVER_HOLDS = frozenset({HoldKind.CONFLICT, HoldKind.LOCKED})
"""The kinds that a released run may have; both end by themselves when nothing is left that should not be there."""


def kept_receipt(records_folder: Path, job: SyncJobRow) -> Receipt | None:
    """The receipt of what was published last, from the state folder or from the run; blocks, for a thread."""
    for place in (records_folder / job.id, Path(job.run_path) / CACHE_FOLDER):
        with suppress(OSError):
            found = parse_receipt((place / RECEIPT_NAME).read_bytes())
            if found is not None and (found.job_id, found.manifest_sha256) == (job.id, job.manifest_sha256):
                return found
    return None


async def find_leftovers(
    parts: Parts, job: SyncJobRow, litter: Sequence[str], receipt: Receipt | None
) -> tuple[list[str], list[str]]:
    """New or changed things, and recorded files that should be gone, in the folder of a released run.

    Folders, litter, the cache folder and what the receipt names as never sent do not count. Raises ``OSError``.
    """
    here = await asyncio.to_thread(_entries, Path(job.run_path), litter)
    if not here:
        return [], []
    recorded: set[str] = set()
    async for page in pages_of(parts.store, job.id):
        recorded |= {record.rel for record in page if _is_recorded(record, here.get(record.rel))}
    return await asyncio.to_thread(_sorted_out, here, recorded, receipt)


async def tell_leftovers(
    parts: Parts, job: SyncJobRow, litter: Sequence[str], receipt: Receipt | None, *, refused: str = ""
) -> bool:
    """Lay, renew or end the hold on a released run; whether nothing is left there that should not be.

    *refused* is why recorded files could not be deleted, if they could not.
    """
    try:
        new, stuck = await find_leftovers(parts, job, litter, receipt)
    except FileNotFoundError:
        new, stuck = [], []
    except OSError as error:
        new, stuck = [], [safe_text(error.filename or job.run_path)]
        refused = refused or safe_text(error.strerror or error)
    hold = await parts.store.hold(HoldScope.RUN, job.run_path)
    if new:
        await _lay(parts, job, HoldKind.CONFLICT, _sentence_new(job, new), _NEXT_NEW)
    elif stuck and refused:
        sentence = f"{count(len(stuck), 'file')} of {_name(job)} cannot be deleted: {safe_text(stuck[0])}: {refused}."
        await _lay(parts, job, HoldKind.LOCKED, sentence, "tried again by itself")
    elif not stuck and hold is not None and hold.kind in LEFTOVER_HOLDS:
        await parts.holds.lift(HoldScope.RUN, job.run_path, f"Nothing is left in the released run {_name(job)}.")
    return not (new or stuck)


_NEXT_NEW = "move them into a run of their own, or delete them; looked at again by itself"


def _entries(run: Path, litter: Sequence[str]) -> dict[str, Entry]:
    found = walk(run, litter=litter)
    return {entry.rel: entry for entry in found if entry.kind is not EntryKind.FOLDER and not entry.litter}


def _sorted_out(here: Mapping[str, Entry], recorded: set[str], receipt: Receipt | None) -> tuple[list[str], list[str]]:
    links, specials = (receipt.links, frozenset(receipt.specials)) if receipt else ({}, frozenset())
    known = {rel for rel, entry in here.items() if links.get(rel) == entry.target and entry.kind is EntryKind.LINK}
    known |= {rel for rel, entry in here.items() if rel in specials and entry.kind is EntryKind.SPECIAL}
    known |= recorded
    return [rel for rel in here if rel not in known], sorted(recorded)


def _is_recorded(record: FileRecord, entry: Entry | None) -> bool:
    return entry is not None and entry.is_data and same(record, entry.size, entry.mtime_ns, entry.inode)


def _sentence_new(job: SyncJobRow, new: Sequence[str]) -> str:
    when = "was deleted" if job.state is SyncJobState.CLEANED else "began to be deleted"
    others = f" and {count(len(new) - 1, 'other')}" if len(new) > 1 else ""
    verb = "is" if len(new) == 1 else "are"
    return (
        f"{safe_text(new[0])}{others} in {_name(job)} {verb} new or changed since its local copy {when};"
        " nothing of that is sent or deleted."
    )


async def _lay(parts: Parts, job: SyncJobRow, kind: HoldKind, sentence: str, next_step: str) -> None:
    await parts.holds.lay(
        HoldScope.RUN, job.run_path, kind, sentence, equipment_id=job.equipment_id, next_step=next_step
    )


def _name(job: SyncJobRow) -> str:
    return safe_text(Path(job.run_path).name)
