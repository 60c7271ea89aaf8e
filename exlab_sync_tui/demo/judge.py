"""What became of a sample run, and was that the plan? Reads the sample NAS with its own eyes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.lab import Expected
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.manifest import MANIFEST_NAME, parse_manifest
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.text import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.demo.lab import SampleLab, SampleRun
    from exlab_sync_tui.queue.store import JobStore


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run: a word, a sentence, and whether both are what the plan says."""

    run: SampleRun
    word: str
    sentence: str
    as_planned: bool

    def as_data(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "run_path": str(self.run.path),
            "equipment_id": self.run.instrument.value,
            "expected": self.run.expected.value,
            "outcome": self.word,
            "sentence": self.sentence,
            "as_planned": self.as_planned,
        }


async def judge(lab: SampleLab, store_path: Path) -> list[Outcome]:
    """The outcome of every run of the plan."""
    store = SQLiteStore(store_path, read_only=True)
    await store.open()
    try:
        return [await _outcome(store, lab, run) for run in lab.runs]
    finally:
        await store.close()


async def _outcome(store: JobStore, lab: SampleLab, run: SampleRun) -> Outcome:
    job = await store.job_of(str(run.path))
    hold = await store.hold(HoldScope.RUN, str(run.path))
    far = lab.nas / run.nas_path
    if job is not None and job.state is SyncJobState.VERIFIED:
        faults = await asyncio.to_thread(lambda: list(differences(run.path, far)))
        proof = job.evidence.value if job.evidence else "nothing"
        sentence = faults[0] if faults else f"{count(job.files_total, 'file')}, {proof}"
        return Outcome(run, "verified", sentence, run.expected is Expected.VERIFIED and not faults)
    untouched = not (far / CACHE_FOLDER).exists()
    if job is None and hold is not None and hold.kind is HoldKind.BLOCKED:
        kept = run.expected is Expected.BLOCKED and not far.exists()
        return Outcome(run, "blocked", "its name was never filled in" if kept else hold.sentence, kept)
    if job is not None and job.state is SyncJobState.FAILED:
        error = job.last_error or ""
        refused = run.expected is Expected.CONFLICT and error.startswith("conflict") and untouched
        return Outcome(run, "failed", "its place is taken" if refused else error, refused)
    state = job.state.value if job is not None else "not queued"
    return Outcome(
        run, state.replace("_", " "), hold.sentence if hold is not None else "nothing keeps it", as_planned=False
    )


def differences(local: Path, far: Path) -> Iterator[str]:
    """What ``sha256sum -c`` in *far* would object to, and every data file that is not the same on both sides."""
    manifest = parse_manifest((far / CACHE_FOLDER / MANIFEST_NAME).read_bytes())
    yield from manifest.skipped
    here, there = _digests(local), _digests(far)
    for rel, digest in manifest.entries.items():
        if there.get(rel) != digest:
            yield f"{rel} on the sample NAS is not what its manifest says"
    for rel in sorted(here.keys() | there.keys()):
        if here.get(rel) != there.get(rel):
            yield f"{rel} is not the same on both sides"
        if rel not in manifest.entries:
            yield f"{rel} is not in the manifest"


def _digests(run: Path) -> dict[str, str]:
    """SHA-256 of every file of a run except those of its own cache folder, by relative path."""
    digests = {}
    for folder, folders, files in os.walk(run):
        if folder == str(run) and CACHE_FOLDER in folders:
            folders.remove(CACHE_FOLDER)
        for name in files:
            path = os.path.join(folder, name)  # noqa: PTH118  # os.walk gives text
            with open(path, "rb") as file:  # noqa: PTH123  # as above
                digests[os.path.relpath(path, run)] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
