"""The files in a cache folder under SIGKILL at any step, and under another program that changes them, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
KILLER = Path(__file__).with_name("killer")
OLD: dict[str, bytes] = {
    "creation.json": json.dumps(
        {"schema_version": "1.4", "paths": {"alias": None}, "variables": {"exposure": 0.10}, "sync_status": "pending"}
    ).encode(),
    "checksums.sha256": b"0" * 64 + b"  old.raw\n",
    "receipt.json": b'{"job_id": "old"}',
    "ingest.json": json.dumps({"current_state": "complete", "history": [{"state": "complete"}], "odd": 1e400}).encode(),
}
OTHER_PROGRAM = """
import fcntl, json, os, sys
place, times = sys.argv[1], int(sys.argv[2])
lock = open(place + ".lock", "a")
for number in range(times):
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open(place, encoding="utf-8") as file:
        document = json.load(file)
    document["variables"].setdefault("seen", []).append(number)
    with open(place + ".other", "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(place + ".other", place)
    fcntl.flock(lock, fcntl.LOCK_UN)
"""
"""What ExLab-Wizard does: ``flock`` on the file beside it for the whole read-change-write. Shares no code with us."""


def prepare(root: Path, *names: str) -> Path:
    run = root / "Run_A"
    (run / ".exlab-wizard").mkdir(parents=True)
    for name in names:
        (run / ".exlab-wizard" / name).write_bytes(OLD[name])
    return run


def scribe(what: str, run: Path, times: int = 1, environ: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.acceptance.scribe", what, str(run), str(times), "exlab_sync_tui"]
    return subprocess.Popen(words, cwd=REPOSITORY, env={**os.environ, **(environ or {})}, stderr=subprocess.PIPE)


def write_and_die(what: str, run: Path, *, at: int) -> bool:
    """Write, killed before step *at*; whether that came."""
    environ = {"PYTHONPATH": f"{KILLER}:{REPOSITORY}", "KILL_STEPS": str(run.parent / "steps.txt"), "KILL_AT": str(at)}
    process = scribe(what, run, environ=environ)
    _, told = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGKILL}, told.decode()
    return process.returncode != 0


def content(run: Path, name: str) -> bytes | None:
    place = run / ".exlab-wizard" / name
    return place.read_bytes() if place.exists() else None


@pytest.mark.parametrize(
    ("what", "name", "is_there"),
    [
        ("status", "creation.json", True),
        ("override", "creation.json", True),
        ("first", "creation.json", False),
        ("manifest", "checksums.sha256", True),
        ("receipt", "receipt.json", True),
        ("ingest", "ingest.json", True),
    ],
)
def test_a_kill_before_any_step_of_a_write_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, what: str, name: str, is_there: bool
) -> None:
    before = OLD[name] if is_there else None
    whole = prepare(tmp_path / "whole", *([name] if is_there else []))
    assert not write_and_die(what, whole, at=0)
    after = content(whole, name)
    assert after not in {before, None}
    seen = []
    for at in range(1, 30):
        run = prepare(tmp_path / str(at), *([name] if is_there else []))
        died = write_and_die(what, run, at=at)
        seen.append(content(run, name))
        assert without_ids(seen[-1]) in (without_ids(before), without_ids(after)), f"torn before step {at}"
        if what in LOCKED and left_over(run):
            assert not write_and_die(what, run, at=0)
            assert not left_over(run), "the next writer tidies up"
        if not died:
            break
    assert seen[0] == before
    assert without_ids(seen[-1]) == without_ids(after)
    assert len(seen) > 3, "a write has several steps"


LOCKED = {"status", "override", "ingest"}
"""Whoever holds the lock removes what a killed writer has left; manifest and receipt have one writer, who does so."""


def left_over(run: Path) -> list[Path]:
    return list((run / ".exlab-wizard").glob(".*.tmp"))


def without_ids(data: bytes | None) -> Any:
    """The document with the random ids of overrides left out, so that two writes of the same are equal."""
    if data is None or not data.startswith(b"{"):
        return data
    document = json.loads(data)
    for entry in document.get("validation_overrides") or ():
        entry.pop("id")
    return document


def change_at_the_same_time(tmp_path: Path, times: int) -> None:
    run = prepare(tmp_path, "creation.json")
    place = run / ".exlab-wizard" / "creation.json"
    ours = scribe("overrides", run, times)
    theirs = subprocess.Popen([sys.executable, "-c", OTHER_PROGRAM, str(place), str(times)], stderr=subprocess.PIPE)
    reads = 0
    while any(process.poll() is None for process in (ours, theirs)):
        json.loads(place.read_bytes())  # whoever reads meanwhile reads a whole document
        reads += 1
    for process in (ours, theirs):
        _, told = process.communicate()
        assert process.returncode == 0, told.decode()
    document = json.loads(place.read_bytes())
    assert [entry["reason"] for entry in document["validation_overrides"]] == [str(number) for number in range(times)]
    assert document["variables"]["seen"] == list(range(times))
    assert (document["paths"], document["variables"]["exposure"]) == ({"alias": None}, 0.1)
    assert reads > 1


def test_two_programs_that_change_one_creation_json_lose_nothing(tmp_path: Path) -> None:
    change_at_the_same_time(tmp_path, 60)


@pytest.mark.full
def test_two_programs_that_change_one_creation_json_a_thousand_times_each_lose_nothing(tmp_path: Path) -> None:
    change_at_the_same_time(tmp_path, 1_000)
