"""Where are the papers of a verified run: its manifest and its receipt? In the state folder, the run, or far away."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, parse_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.provenance.receipt import Receipt

_MOST = 256 << 20


def paper_folders(job: SyncJobRow, records: Path, *others: Path) -> list[Path]:
    """The folders that may hold them, the nearest first."""
    return [records / job.id, Path(job.run_path) / CACHE_FOLDER, *(folder / CACHE_FOLDER for folder in others)]


def kept_receipt(job: SyncJobRow, records: Path) -> Receipt | None:
    """The receipt of this job as it is kept on this PC; ``None`` if there is none, or only that of another job."""
    for data in _read(RECEIPT_NAME, paper_folders(job, records)):
        receipt = parse_receipt(data)
        if receipt is not None and receipt.job_id == job.id:
            return receipt
    return None


def kept_manifest(job: SyncJobRow, folders: Iterable[Path]) -> bytes | None:
    """The manifest whose digest the store knows; anything else under that name is passed over."""
    found = _read(MANIFEST_NAME, folders)
    return next((data for data in found if hashlib.sha256(data).hexdigest() == job.manifest_sha256), None)


def _read(name: str, folders: Iterable[Path]) -> Iterable[bytes]:
    for folder in folders:
        try:
            with (folder / name).open("rb") as file:
                yield file.read(_MOST)
        except OSError:
            continue
