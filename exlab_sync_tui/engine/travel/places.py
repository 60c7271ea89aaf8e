"""Where is a run here, and where does it go?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotFoundError, TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tree.paths import conflict_name, remote_path, revision_name
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from exlab_sync_tui.engine.parts import Instrument
    from exlab_sync_tui.model.run import RunFolder


def find_run(run_path: str, instrument: Instrument) -> RunFolder:
    """The folder of a job; raises ``LOCAL_FILE_VANISHED`` if it is gone."""
    try:
        return locate(Path(run_path), [instrument.folder])
    except NotFoundError as error:
        raise TransportError(
            f"The run folder {safe_text(run_path)} is gone from this PC; put it back there, then retry the run.",
            TransportErrorKind.LOCAL_FILE_VANISHED,
        ) from error


def place_of(run: RunFolder, instrument: Instrument, revision: int = 1, beside: str = "") -> str:
    """The run's place below the remote root (``FORMATS.md`` §7); with *beside* ``<run>__conflict-<beside>``."""
    place = remote_path(instrument.destination.root, instrument.id, run.below)
    return revision_name(conflict_name(place, beside) if beside else place, revision)
