"""From where can this run be exported, and what was proved of it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.bag.export import BagSource
from exlab_sync_tui.operate.papers import kept_manifest, kept_receipt, paper_folders
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME, parse_manifest
from exlab_sync_tui.provenance.receipt import RECEIPT_NAME, render_receipt
from exlab_sync_tui.text import safe_text, utc

if TYPE_CHECKING:
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.operate.runs import KnownRun


def bag_source(run: KnownRun, records: Path, *, far_folder: Path | None) -> BagSource:
    """The local run folder, or *far_folder* (the run on a mounted share) once the local copy was released.

    Reads the disk: for a thread. Raises ``RefusedError`` for a run that was not verified, or cannot be read from here.
    """
    name, job = safe_text(run.name), run.job
    if job is None or job.verified_at is None or not job.manifest_sha256:
        raise RefusedError(f"{name} is not verified, so nothing is proved yet; `exlab-sync why {name}` says why.")
    folder = _folder(job, name, far_folder)
    manifest = kept_manifest(job, paper_folders(job, records, *([far_folder] if far_folder else [])))
    if manifest is None:
        raise RefusedError(
            f"The manifest of {name} that the store knows (SHA-256 {job.manifest_sha256[:12]}…) is found neither here"
            " nor on the destination, so the bag could not be proved; no bag was made."
        )
    papers = {MANIFEST_NAME: manifest}
    receipt = kept_receipt(job, records)
    if receipt is not None:
        papers[RECEIPT_NAME] = render_receipt(receipt)
    return BagSource(folder, parse_manifest(manifest).entries, papers, _info(job, name))


def _folder(job: SyncJobRow, name: str, far_folder: Path | None) -> Path:
    here = Path(job.run_path)
    if job.state is not SyncJobState.CLEANED and here.is_dir():
        return here
    if far_folder is not None and far_folder.is_dir():
        return far_folder
    raise RefusedError(
        f"The local copy of {name} is gone and its destination is no folder of this PC, so the bag cannot be filled"
        " from here; mount the destination, or make the bag where it is mounted."
    )


def _info(job: SyncJobRow, name: str) -> dict[str, str]:
    return {
        "External-Identifier": job.id,
        "External-Description": f"Run {name} of {job.equipment_id}",
        "Exlab-Run-Path": job.run_path,
        "Exlab-Destination-Path": job.nas_path,
        "Exlab-Verified-At": utc(job.verified_at) if job.verified_at else "",
        "Exlab-Evidence": job.evidence.value if job.evidence else "",
        "Exlab-Manifest-SHA256": job.manifest_sha256,
    }
