"""Would two names of a run become one on the destination?"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.queue.store import FilesWanted
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exlab_sync_tui.engine.travel.trip import Trip
    from exlab_sync_tui.transport.base import Capabilities


def folded(rel: str, capabilities: Capabilities) -> str:
    """The name as a destination with these capabilities tells it apart from others."""
    name = rel if capabilities.keeps_normalisation else unicodedata.normalize("NFC", rel)
    return name if capabilities.case_sensitive else name.casefold()


async def refuse_twins(trip: Trip, capabilities: Capabilities) -> None:
    """Raise ``NAMES`` if two files or folders of the run would be one there (``FORMATS.md`` §6, kind ``names``)."""
    seen: dict[str, str] = {}
    async for page in trip.pages(FilesWanted.ALL):
        for record in page:
            for rel in _with_folders(record.rel, seen):
                twin = seen.setdefault(folded(rel, capabilities), rel)
                if twin != rel:
                    raise TransportError(
                        f"{safe_text(twin)} and {safe_text(rel)} are one name on"
                        f" {trip.instrument.destination.title}; nothing was sent. Rename one of them.",
                        TransportErrorKind.NAMES,
                    )


def _with_folders(rel: str, seen: Mapping[str, str]) -> Iterator[str]:
    """The name, and those of its folders, which may be twins as well; innermost first, until one is known."""
    yield rel
    folder = rel.rpartition("/")[0]
    while folder and seen.get(folder) != folder:
        yield folder
        folder = folder.rpartition("/")[0]
