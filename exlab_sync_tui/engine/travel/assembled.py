"""How does a run travel to a destination that can assemble it? Beside its place, compared, then one rename.

The order is that of ``FORMATS.md`` §7; every step may be repeated after a crash.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.travel.adoption import Adoption
from exlab_sync_tui.engine.travel.ledger import Ledger
from exlab_sync_tui.engine.travel.mismatch import mismatch
from exlab_sync_tui.engine.travel.twins import refuse_twins
from exlab_sync_tui.engine.travel.way import Final, FinalFolder
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.job import Round
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.receipt import parse_receipt
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.base import PushPlan, tell_beside
from exlab_sync_tui.transport.listing import moving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.engine.travel.papers import Papers
    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.transport.base import DestinationState, Owner, Transport

_RECEIPT = f"{CACHE_FOLDER}/receipt.json"
_OWNER = ".exlab-owner.json"
_BEGUN = f"{CACHE_FOLDER}/{_OWNER}"
"""Says whose a final folder is into which files come one by one, until its receipt does."""

_PAPERS_AT_ONCE = 4


class AssembledWay:
    """Sends through a ``Transport`` into ``.exlab-incoming`` and publishes by one rename.

    Where the destination cannot rename folders, or the config asks for *direct*, files are moved one by one from there
    into the final folder, the papers last (``FORMATS.md`` §7).
    """

    def __init__(self, transport: Transport, *, direct: bool = False) -> None:
        self._transport = transport
        self._direct = direct
        self._adoption = Adoption(transport)
        self._renames: bool | None = None

    async def state(self) -> DestinationState | None:
        """Whether the destination is there, which one it is, and how much room it has."""
        return await self._probe()

    async def _probe(self) -> DestinationState:
        state = await self._transport.probe()
        self._renames = state.capabilities.renames_folders
        return state

    def expect(self, destination_id: str) -> None:
        """Every operation looks at the marker again, so that a share mounted meanwhile is not taken for ours."""
        self._transport.expect(destination_id)

    async def look_at_final(self, trip: Trip) -> FinalFolder:
        """Whether the final folder is absent, holds this job's run, or somebody else's things."""
        if await self._transport.find(trip.job.nas_path) is None:
            return FinalFolder(Final.ABSENT)
        receipt = await self._transport.read_text(trip.job.nas_path, _RECEIPT)
        ours = parse_receipt(receipt) if receipt else None
        if ours is not None and ours.job_id == trip.job.id:
            return FinalFolder(Final.OURS, ours.manifest_sha256)
        begun = receipt is None and await self._was_begun(trip)
        return FinalFolder(Final.BEGUN if begun else Final.FOREIGN)

    async def _was_begun(self, trip: Trip) -> bool:
        """Whether it says that it is ours, or publishing died before it could: then there is no file in it yet."""
        owner = await self._transport.read_text(trip.job.nas_path, _BEGUN)
        if owner is not None or not trip.job.publishing or await self.manner() != "direct":
            return owner == _signature(trip.owner)
        async for page in moving(self._transport.list(trip.job.nas_path), trip.progress.pulse):
            if any(entry.kind != EntryKind.FOLDER and not _is_unfinished_owner(entry.rel) for entry in page):
                return False
        return True

    async def carry(self, trip: Trip, state: DestinationState | None) -> None:
        """Send what is not yet proven. What was sent stays and is resumed."""
        if trip.job.round is Round.ADOPTION:
            await self._adoption.carry(trip)
            return
        await self._refuse_foreign(trip)
        capabilities = await self._transport.open_incoming(trip.incoming, trip.owner)
        if not (capabilities.case_sensitive and capabilities.keeps_normalisation):
            await refuse_twins(trip, capabilities)
        if trip.inventory.gone:
            await self._transport.discard(trip.assembly, trip.inventory.gone)
        await self._take_stock(trip)
        await self._check_room(trip, state)
        await self._push(trip)

    async def prove(self, trip: Trip) -> VerifyResult:
        """Compare the assembly with the records; digests that an earlier engine got are asked for again."""
        if trip.job.round is Round.ADOPTION:
            return await self._adoption.prove(trip)
        await self._take_stock(trip)
        result = await self._compare(trip)
        if result.extra:
            await self._transport.discard(trip.assembly, result.extra)
            result = await self._compare(trip)
        if result.extra:
            raise mismatch(self._transport.title, result.extra)
        return result

    async def manner(self) -> str:
        """``renamed`` or ``direct``, for the receipt."""
        if not self._direct and self._renames is None:
            await self._probe()
        return "renamed" if self._renames and not self._direct else "direct"

    async def publish(self, trip: Trip, papers: Papers) -> None:
        """Write the papers beside the data, read them back, then rename; or file by file, the papers last."""
        if trip.job.round is Round.ADOPTION:
            await self._adoption.publish(trip, papers)
            return
        if await self._goes_file_by_file(trip):
            await self._publish_file_by_file(trip, papers)
            return
        await self._transport.make_folders(trip.assembly, trip.inventory.empty_folders)
        await self._write_together(trip.assembly, papers.first_to_last)
        await self._transport.publish(trip.assembly, trip.job.nas_path)

    async def tidy(self, incoming: str, owner: Owner) -> None:
        """Remove our incoming folder."""
        await self._transport.remove_incoming(incoming, owner)

    async def _goes_file_by_file(self, trip: Trip) -> bool:
        return trip.job.round is Round.ADDITIONS or await self.manner() == "direct"

    async def _refuse_foreign(self, trip: Trip) -> None:
        final = await self.look_at_final(trip)
        expected = {Final.OURS} if trip.job.round is Round.ADDITIONS else {Final.ABSENT, Final.BEGUN}
        if final.what not in expected:
            raise self._conflict(trip, final)

    def _conflict(self, trip: Trip, final: FinalFolder) -> TransportError:
        place = f"{self._transport.title}/{trip.job.nas_path}"
        if final.what is Final.ABSENT:
            return TransportError(
                f"{place} is gone although it was published; nothing was sent. Put it back there, then retry the run.",
                TransportErrorKind.CONFLICT,
            )
        what = (
            "this run as it was sent earlier"
            if final.what in {Final.OURS, Final.BEGUN}
            else "something that this run did not put there"
        )
        return TransportError(
            f"The NAS already has {what} in its place; nothing was sent and nothing there was touched. Move {place}"
            " away, then retry; or `exlab-sync resolve RUN adopt` if it is identical, else `resolve RUN beside`.",
            TransportErrorKind.CONFLICT,
        )

    async def _take_stock(self, trip: Trip) -> None:
        """What an earlier attempt or engine has brought there already."""
        tell_beside(self._transport, trip.run.path, trip.assembly, trip.job.nas_path)
        if trip.job.publishing and await self._goes_file_by_file(trip):
            await self._recognise_moved(trip)
        await self._prove_again(trip)

    async def _prove_again(self, trip: Trip) -> None:
        """After a restart the far side is compared again, not sent again (``ARCHITECTURE.md`` decision 1)."""
        if trip.proven_here:
            return
        async for page in trip.pages(FilesWanted.SENT):
            async for checked in self._transport.digests(trip.assembly, page, trip.progress.pulse):
                await trip.parts.store.put_files(trip.job.id, checked)
        trip.proven_here = True

    async def _check_room(self, trip: Trip, state: DestinationState | None) -> None:
        """Refuse to start what cannot fit, with both figures; what lies in the assembly already has its room."""
        if state is None or state.free_bytes is None:
            return
        totals = await trip.parts.store.file_totals(trip.job.id)
        needed = totals.unpublished_size
        if needed > state.free_bytes:
            async for page in moving(self._transport.list(trip.assembly), trip.progress.pulse):
                needed -= sum(entry.size for entry in page)
        if needed > state.free_bytes:
            raise TransportError(
                f"{self._transport.title} has {size(state.free_bytes)} free and the run still needs {size(needed)};"
                " nothing was sent. It goes on by itself once there is room.",
                TransportErrorKind.NO_SPACE,
                needed_bytes=needed,
            )

    async def _push(self, trip: Trip) -> None:
        differing: list[str] = []
        plan = PushPlan(trip.run.path, trip.assembly, trip.pages(FilesWanted.UNPROVEN), trip.progress.pulse)
        pushed = self._transport.push(plan)
        ledger = Ledger(trip)
        try:
            async for page in pushed:
                differing.extend(record.rel for record in page if record.far_sha256 and not record.proven)
                await ledger.enter(page)
        finally:
            await pushed.aclose()
            await ledger.close()
        if differing:
            raise mismatch(self._transport.title, differing)

    async def _compare(self, trip: Trip) -> VerifyResult:
        records = trip.pages(FilesWanted.UNPUBLISHED)
        listing = moving(self._transport.list(trip.assembly), trip.progress.pulse)
        return await trip.parts.verifier.compare(records, listing)

    async def _recognise_moved(self, trip: Trip) -> None:
        """After a crash in the middle of publishing one by one some files are in the final folder already."""
        if await self._transport.find(trip.job.nas_path) is None:
            return
        async for page in trip.pages(FilesWanted.UNPUBLISHED):
            async for checked in self._transport.digests(trip.job.nas_path, page, trip.progress.pulse):
                moved = [record for record in checked if record.proven]
                await trip.parts.store.put_files(trip.job.id, [record._replace(published=True) for record in moved])

    async def _publish_file_by_file(self, trip: Trip, papers: Papers) -> None:
        if trip.job.round is not Round.ADDITIONS:
            await self._begin_final(trip)
        async for page in trip.pages(FilesWanted.UNPUBLISHED):
            for record in page:
                trip.progress.pulse.current = record.rel
                await self._transport.publish_file(trip.assembly, trip.job.nas_path, record.rel)
        await self._transport.make_folders(trip.job.nas_path, trip.inventory.empty_folders)
        await self._write_in_order(trip.job.nas_path, papers.first_to_last)

    async def _begin_final(self, trip: Trip) -> None:
        """Make the final folder, which says whose it is before its first file comes."""
        final = await self.look_at_final(trip)
        if final.what not in {Final.ABSENT, Final.BEGUN}:
            raise self._conflict(trip, final)
        parent, _, name = trip.job.nas_path.rpartition("/")
        await self._transport.make_folders(parent, [name])
        await self._transport.write_text(trip.job.nas_path, _BEGUN, _signature(trip.owner))

    async def _write_together(self, assembly: str, papers: Sequence[tuple[str, bytes]]) -> None:
        """Where nobody looks yet their order is of no matter, and a long line is waited for once."""
        at_once = asyncio.Semaphore(_PAPERS_AT_ONCE)

        async def write(rel: str, data: bytes) -> None:
            async with at_once:
                await self._write_paper(assembly, rel, data)

        writing = [asyncio.create_task(write(rel, data)) for rel, data in papers]
        try:
            await asyncio.gather(*writing)  # raises the first trouble in time: what it does to the others says less
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)

    async def _write_in_order(self, folder: str, papers: Sequence[tuple[str, bytes]]) -> None:
        """Each is read back before the next one, so that a receipt never stands for papers that nobody has seen."""
        for rel, data in papers:
            await self._write_paper(folder, rel, data)

    async def _write_paper(self, folder: str, rel: str, data: bytes) -> None:
        await self._transport.write_text(folder, rel, data)
        if await self._transport.read_text(folder, rel, limit=max(len(data), 1)) != data:
            raise TransportError(
                f"{self._transport.title}/{folder}/{safe_text(rel)} reads back differently from what was written;"
                " it is written again at the next attempt.",
                TransportErrorKind.HASH_MISMATCH,
            )


def _is_unfinished_owner(rel: str) -> bool:
    """Whether it is the owner file as it was just being written: nobody else's file is called like that."""
    folder, _, name = rel.rpartition("/")
    return folder == CACHE_FOLDER and name != _OWNER and _OWNER in name


def _signature(owner: Owner) -> bytes:
    return json.dumps({"store_id": owner.store_id, "job_id": owner.job_id}).encode()
