"""Does the store keep its promises? The part of the independent judge that reads SQLite; no code of the product."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.checker import CACHE, Violation, json_object

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_PROVED = {"verified", "cleanup_eligible", "cleaned"}
_STEPS = {
    "queued": {"running", "failed"},
    "running": {"queued", "awaiting_verify", "failed"},
    "awaiting_verify": {"queued", "verified", "failed"},
    "verified": {"queued", "cleanup_eligible", "failed"},
    "cleanup_eligible": {"queued", "cleaned", "failed"},
    "cleaned": set(),
    "failed": {"queued"},
}


def check_store(store: Path, nas_root: Path, *, acknowledged: Collection[Path] = ()) -> list[Violation]:
    """Judge the store: what was acknowledged is there, what is proved is on the NAS, the history is legal."""
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        damage = [row[0] for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
        if damage:
            return [Violation("S3", str(store), f"is damaged: {damage[0]}")]
        if not has_jobs(connection):
            return [Violation("S3", str(run), "was acknowledged and there is no store yet") for run in acknowledged]
        jobs = connection.execute("SELECT * FROM jobs").fetchall()
        steps = connection.execute("SELECT job_id, at, before, after FROM history ORDER BY seq").fetchall()
    return [*_promises(jobs, acknowledged), *_proofs(jobs, nas_root), *_walks(steps), *_releases(jobs, steps)]


def has_jobs(connection: sqlite3.Connection) -> bool:
    """Whether the store was made already: it may be killed before its first table."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone() is not None


def released_runs(store: Path) -> set[str]:
    """Paths of the runs whose local files may be gone: those with the durable mark that deletion has begun."""
    if not store.exists():
        return set()
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not has_jobs(connection):
            return set()
        marked = connection.execute("SELECT run_path FROM jobs WHERE releasing_at IS NOT NULL").fetchall()
    return {os.fsdecode(path) for (path,) in marked}


def _promises(jobs: list[Any], acknowledged: Collection[Path]) -> Iterator[Violation]:
    rows: defaultdict[str, list[str]] = defaultdict(list)
    for job in jobs:
        rows[os.path.realpath(os.fsdecode(job["run_path"]))].append(job["id"])
    for run in acknowledged:
        if os.path.realpath(run) not in rows:
            yield Violation("S3", str(run), "was acknowledged and the store does not know it")
    for run_path, ids in rows.items():
        if len(ids) > 1:
            yield Violation("S4", run_path, f"has {len(ids)} jobs")


def _proofs(jobs: list[Any], nas_root: Path) -> Iterator[Violation]:
    for job in jobs:
        if job["state"] not in _PROVED:
            continue
        final = os.fsdecode(job["nas_path"])
        receipt = json_object(nas_root / final / CACHE / "receipt.json")
        if receipt is None:
            yield Violation("S5", final, f"is {job['state']} in the store and has no receipt on the NAS")
        elif receipt.get("job_id") != job["id"]:
            yield Violation("S5", final, f"is {job['state']} in the store and the receipt names another job")
        elif job["manifest_sha256"] and receipt.get("manifest_sha256") != job["manifest_sha256"]:
            yield Violation("S5", final, "has another manifest than the store remembers")


def _walks(steps: list[Any]) -> Iterator[Violation]:
    at: dict[str, str] = {}
    for step in steps:
        job, before, after = step["job_id"], step["before"], step["after"]
        if not after or before == after:
            continue
        if before and (after not in _STEPS.get(before, set()) or at.get(job, before) != before):
            yield Violation("S4", job, f"stepped from {before} to {after} when it was {at.get(job, before)}")
        at[job] = after


def _releases(jobs: list[Any], steps: list[Any]) -> Iterator[Violation]:
    """Deletion begins only from cleanup_eligible, on a proof that is strong enough, and a run never comes back."""
    for job in jobs:
        mark = job["releasing_at"]
        if mark is None:
            if job["state"] == "cleaned":
                yield Violation("S1", job["id"], "is cleaned although deletion was never announced")
            continue
        if job["state"] not in {"cleanup_eligible", "cleaned"}:
            yield Violation("S1", job["id"], f"is {job['state']} although its local copy is being deleted")
        if job["evidence"] not in {"remote_hash", "read_back", "rsync_checksum"}:
            yield Violation("S1", job["id"], f"is being deleted on the strength of {job['evidence']}")
        mine = [step for step in steps if step["job_id"] == job["id"] and step["after"]]
        later = [step["after"] for step in mine if step["at"] > mark and step["after"] != "cleaned"]
        if later:
            yield Violation("S1", job["id"], f"became {later[0]} after its deletion had begun")
        if "cleanup_eligible" not in [step["after"] for step in mine if step["at"] <= mark]:
            yield Violation("S1", job["id"], "was not eligible when its deletion began")
