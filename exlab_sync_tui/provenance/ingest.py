"""How far has a run on a staging PC come? Continues the ``ingest.json`` of ExLab-Wizard, if there is one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import IngestError
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.atomic import LOCK_SECONDS, LockBusyError, locked, remove_stale, write_atomic
from exlab_sync_tui.provenance.verbatim import parse_object, render_object
from exlab_sync_tui.text import safe_text, utc
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

INGEST_NAME = "ingest.json"


def append_transition(
    run: Path,
    state: str,
    *,
    at: datetime,
    host: str,
    details: Mapping[str, object] | None = None,
    lock_seconds: float = LOCK_SECONDS,
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Make *state* the current one and append it to the history with *details* (``nas_path`` …, ``FORMATS.md`` §3).

    Blocks, so it belongs in a thread. Returns whether the file says so now: false if the run has no ``ingest.json``.
    The state that is current already is not appended again. Raises ``IngestError`` with the reason if the file cannot
    be continued.
    """
    path = run / CACHE_FOLDER / INGEST_NAME
    try:
        _read(run)
        with locked(path, seconds=lock_seconds, wait=wait):
            document = _document(_read(run))
            if document.get("current_state") == state:
                return True
            document["current_state"] = state
            document["history"] = [
                *(document.get("history") or ()),
                {"state": state, "at": utc(at), "host": host, **(details or {})},
            ]
            remove_stale(path)
            write_atomic(path, render_object(document), keep_mode_of=path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise IngestError(f"ingest.json of {safe_text(run)} cannot be written: {error.strerror}.") from error
    except (ValueError, LockBusyError) as error:
        raise IngestError(f"ingest.json of {safe_text(run)} cannot be continued: {error}.") from error
    return True


def _read(run: Path) -> bytes:
    with Folder.root(run) as folder, folder.sub(CACHE_FOLDER) as cache, cache.open_regular(INGEST_NAME) as file:
        return file.readall()


def _document(data: bytes) -> dict[str, Any]:
    parsed = parse_object(data)
    if parsed.duplicates:
        raise ValueError(f"it has the key {safe_text(parsed.duplicates[0])!r} twice")
    if not isinstance(parsed.document.get("history"), list | None):
        raise ValueError("its history is not a list")  # noqa: TRY004  # the fault is in the file's content
    return parsed.document
