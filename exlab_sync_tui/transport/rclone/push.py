"""How does rclone send a batch into an assembly?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.listing import told_to
from exlab_sync_tui.transport.rclone.names import standard
from exlab_sync_tui.transport.rclone.remote import Counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.base import PushPlan
    from exlab_sync_tui.transport.rclone.remote import Remote
    from exlab_sync_tui.transport.rclone.workroom import Workroom

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Sending:
    """The ``FarSide`` of a plan. ``largest``: bytes of the largest file that may be read back to prove it."""

    remote: Remote
    workroom: Workroom
    plan: PushPlan
    proving: Callable[[Sequence[FileRecord]], Awaitable[Sequence[FileRecord]]]
    largest: int | None

    async def present(self) -> dict[str, int]:
        """What an earlier attempt has left."""
        if await self.remote.is_empty(self.plan.folder):
            return {}
        found = await self.remote.everything(self.plan.folder, told_to(self.plan.pulse))
        return {entry.rel: entry.size for entry in found if entry.kind == EntryKind.FILE}

    def refuse(self, batch: Sequence[FileRecord]) -> None:
        """A name that rclone cannot take, or a file that is too large to be read back."""
        for record in batch:
            standard(record.rel)
            refuse_oversize(record, self.largest, self.remote.title)

    async def replace(self, rels: Sequence[str]) -> None:
        """Remove them: on some remotes a second file of the same name would lie beside the first."""
        await self.workroom.delete(self.plan.folder, rels)

    async def prove(self, records: Sequence[FileRecord]) -> Sequence[FileRecord]:
        """Fresh far digests."""
        return await self.proving(records)

    async def copy(self, records: Sequence[FileRecord]) -> None:
        """One job of the remote control, without a look at what is there."""
        group = f"push-{next(_numbers)}"
        control = await self.remote.daemon.control()
        counted = Counted(self.plan.pulse, "sent_bytes")
        with self.workroom.entrance(self.plan.source) as source, self.workroom.names(records) as names:
            async with self.remote.daemon.watching(control, counted.see, group):
                await control.call(
                    "sync/copy",
                    srcFs=source,
                    dstFs=self.remote.fs_of(self.plan.folder),
                    _group=group,
                    _filter={"FilesFromRaw": [names]},
                    _config={"NoCheckDest": True},
                )
        counted.reach(sum(record.size for record in records))


def refuse_oversize(record: FileRecord, largest: int | None, title: str) -> None:
    """``OVERSIZE`` for a file that would have to be read back although it is larger than *largest* bytes."""
    if largest is not None and record.size > largest:
        raise TransportError(
            f"{safe_text(record.rel)} has {size(record.size)}, and {title} can only be proved by reading back, which"
            f" verify.max_stream_bytes allows up to {size(largest)}; raise it, or use another transport.",
            TransportErrorKind.OVERSIZE,
        )


def with_far(record: FileRecord, digest: bytes | None, rung: object) -> FileRecord:
    """The record with what the destination says of it now."""
    return record._replace(far_sha256=digest, rung=rung if digest is not None else None)  # type: ignore[arg-type]
