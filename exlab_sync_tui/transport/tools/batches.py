"""Which files go together in one run of a tool?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from exlab_sync_tui.model.entry import FileRecord

BATCH_FILES = 5_000
BATCH_BYTES = 512 << 20


async def batches(
    pages: AsyncIterator[Sequence[FileRecord]], *, files: int = BATCH_FILES, size: int = BATCH_BYTES
) -> AsyncIterator[list[FileRecord]]:
    """Pages cut and put together into batches of at most so many *files*, and of *size* bytes unless one is larger."""
    batch: list[FileRecord] = []
    filled = 0
    async for page in pages:
        for record in page:
            if batch and (len(batch) == files or filled + record.size > size):
                yield batch
                batch, filled = [], 0
            batch.append(record)
            filled += record.size
    if batch:
        yield batch
