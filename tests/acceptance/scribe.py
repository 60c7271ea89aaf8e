"""Writes provenance files in a process of its own: ``python -m tests.acceptance.scribe WHAT RUN [TIMES]``.

WHAT is one of the writes below, or ``overrides``: TIMES overrides, one after the other.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.provenance.atomic import write_atomic
from exlab_sync_tui.provenance.creation import CreationWriter
from exlab_sync_tui.provenance.ingest import append_transition
from exlab_sync_tui.provenance.manifest import render_manifest
from exlab_sync_tui.provenance.receipt import Receipt, render_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2025, 6, 1, tzinfo=UTC)
RULE = "unresolved_placeholder_token"


def override(run: Path, reason: str = "as it is") -> None:
    """Append one override."""
    CreationWriter().add_override(run, problem_class=RULE, operator="mira", reason=reason, recorded_at=NOW)


def first(run: Path) -> None:
    """Write the first creation.json of a run."""
    CreationWriter().write_creation(run, {"schema_version": "1.9", "paths": {}, "sync_status": "pending"})


def manifest(run: Path) -> None:
    """Replace the manifest."""
    records = [FileRecord("a.raw", 1, 1, 1, sha256=bytes(range(32)))]
    write_atomic(run / ".exlab-wizard" / "checksums.sha256", render_manifest(records))


def receipt(run: Path) -> None:
    """Replace the receipt."""
    write_atomic(run / ".exlab-wizard" / "receipt.json", render_receipt(Receipt(job_id="new")))


def ingest(run: Path) -> None:
    """Append to the history of a staging PC."""
    append_transition(run, "sync_queued", at=NOW, host="pc-1")


def status(run: Path) -> None:
    """Store another status."""
    CreationWriter().set_sync_status(run, "synced")


WRITES: dict[str, Callable[[Path], None]] = {
    "status": status,
    "override": override,
    "first": first,
    "manifest": manifest,
    "receipt": receipt,
    "ingest": ingest,
}


def main(what: str, run: Path, times: int) -> None:
    """Do it."""
    if what == "overrides":
        for number in range(times):
            override(run, str(number))
    else:
        WRITES[what](run)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
