"""Who writes a run's story into its wizard log? A listener of the event stream (``FORMATS.md`` §3)."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.run import CACHE_FOLDER, Layout
from exlab_sync_tui.provenance.wizard_log import append_line, log_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.engine.bus import Bus
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.model.run import EquipmentFolder

_WRITTEN = frozenset(
    {
        EventKind.RUN_QUEUED,
        EventKind.RUN_VERIFIED,
        EventKind.RUN_RETRY,
        EventKind.RUN_FAILED,
        EventKind.RUN_CLEANED,
        EventKind.HOLD_SET,
        EventKind.FILE_MISMATCH,
        EventKind.OPERATOR,
    }
)
_WARNINGS = frozenset({EventKind.RUN_RETRY, EventKind.HOLD_SET, EventKind.FILE_MISMATCH})


class Chronicle:
    """Writes a line per event of a run into the run's and the instrument's cache folder; best effort, in a thread."""

    def __init__(self, bus: Bus, host: str, folders: Sequence[EquipmentFolder]) -> None:
        self._host = host
        self._folders = {folder.equipment_id: folder for folder in folders if folder.layout is Layout.EXLAB}
        self._task = asyncio.create_task(self._listen(bus), name="chronicle")

    async def close(self) -> None:
        """Write what was said before the bus was closed, then end."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _listen(self, bus: Bus) -> None:
        async for event in bus.events():
            acquiring = event.data.get("hold") == HoldKind.ACQUIRING.value
            if event.kind in _WRITTEN and not acquiring and event.run_path and event.equipment_id in self._folders:
                await asyncio.to_thread(self._write, event)

    def _write(self, event: Event) -> None:
        folder, run = self._folders[event.equipment_id], Path(event.run_path)
        level = "ERROR" if event.kind is EventKind.RUN_FAILED else "WARN" if event.kind in _WARNINGS else "INFO"
        below = run.relative_to(folder.root) if run.is_relative_to(folder.root) else run
        line = log_line(
            event.at,
            event.sentence,
            level=level,
            host=self._host,
            equipment=event.equipment_id,
            project=below.parts[0] if len(below.parts) > 1 else "",
            kind=event.kind.value,
        )
        with contextlib.suppress(OSError):
            (folder.root / CACHE_FOLDER).mkdir(exist_ok=True)
        for cache in (run / CACHE_FOLDER, folder.root / CACHE_FOLDER):
            append_line(cache, self._host, line)
