"""What the program leaves in a run's cache folder on its way: status, history of a staging PC, both logs; and heals."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from exlab_sync_tui.provenance.wizard_log import log_name
from tests.acceptance.bench_lab import Lab, adopt, instrument, write_exlab_run

LOG = log_name(socket.gethostname())
ESCAPE = "Run_\x1b[31m<date>"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path)
    lab.local.mkdir()
    lab.nas.mkdir()
    adopt(lab.nas)
    return lab.configure(instrument("EXLAB_01", lab.local, lab.nas, layout="exlab"))


def creation(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / ".exlab-wizard" / "creation.json").read_bytes())
    return found


def far(lab: Lab, run: Path) -> Path:
    return lab.nas / "EXLAB_01" / "Kelp" / "Runs" / run.name


def once(lab: Lab) -> int:
    return lab.run("run", "--once").returncode


def test_a_run_of_a_staging_pc_continues_its_history(lab: Lab) -> None:
    run = write_exlab_run(lab.local, "Run_1", small=2)
    place = run / ".exlab-wizard" / "ingest.json"
    received = {"files_received": 4, "bytes_received": 32_768}
    staged = [
        {"state": "staging", "at": "2025-03-03T08:00:00Z", "host": "pc-7"},
        {"state": "complete", "at": "2025-03-03T09:00:00Z", "host": "pc-7", **received},
    ]
    place.write_text(json.dumps({"schema_version": "1.1", "current_state": "complete", "history": staged, "odd": None}))
    place.chmod(0o640)
    assert once(lab) == 0
    told = json.loads(place.read_bytes())
    assert (told["current_state"], told["odd"], told["history"][:2]) == ("sync_verified", None, staged)
    assert [line["state"] for line in told["history"][2:]] == ["sync_queued", "sync_verified"]
    assert {line["host"] for line in told["history"][2:]} == {socket.gethostname()}
    verified = told["history"][-1]
    assert (verified["nas_path"], verified["checksum_file"]) == (
        "EXLAB_01/Kelp/Runs/Run_1",
        ".exlab-wizard/checksums.sha256",
    )
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    once(lab)
    assert json.loads(place.read_bytes()) == told, "nothing is appended twice"


def test_both_logs_tell_the_story_in_lines_that_never_drive_a_terminal(lab: Lab) -> None:
    good, bad = write_exlab_run(lab.local, "Run_1", small=1), write_exlab_run(lab.local, ESCAPE, small=1)
    assert once(lab) == 11
    equipment = (lab.local / "EXLAB_01" / ".exlab-wizard" / LOG).read_text(encoding="utf-8")
    for run in (good, bad):
        own = (run / ".exlab-wizard" / LOG).read_text(encoding="utf-8")
        assert own
        assert all(line in equipment for line in own.splitlines())
    assert all(character == "\n" or character.isprintable() for character in equipment)
    marks = f"[host:{socket.gethostname()}] [equip:EXLAB_01] [proj:Kelp]"
    assert all(marks in line for line in equipment.splitlines())
    told = (good / ".exlab-wizard" / LOG).read_text(encoding="utf-8")
    assert f"Z [INFO ] {marks} [kind:run_queued] " in told
    assert f"Z [INFO ] {marks} [kind:run_verified] " in told
    assert f"Z [WARN ] {marks} [kind:hold_set] Blocked by the gate" in equipment
    assert r"Run_\x1b[31m<date>" in (bad / ".exlab-wizard" / LOG).read_text(encoding="utf-8")


def test_a_status_that_a_crash_has_lost_is_healed_at_the_next_start(lab: Lab) -> None:
    run = write_exlab_run(lab.local, "Run_1", small=1)
    assert once(lab) == 0
    assert creation(run)["sync_status"] == "synced"
    assert creation(far(lab, run))["sync_status"] == "synced"
    place = run / ".exlab-wizard" / "creation.json"
    place.write_text(json.dumps(creation(run) | {"sync_status": "pending"}))
    assert once(lab) == 0
    assert creation(run)["sync_status"] == "synced"


def test_a_run_that_fails_says_so_in_its_own_record(lab: Lab) -> None:
    taken = far(lab, Path("Run_1"))
    taken.mkdir(parents=True)
    (taken / "of somebody else.raw").touch()
    run = write_exlab_run(lab.local, "Run_1", small=1)
    assert once(lab) == 1
    assert creation(run)["sync_status"] == "failed"
    (taken / "of somebody else.raw").unlink()
    taken.rmdir()
    assert lab.run("retry", run.name).returncode == 0
    assert creation(run)["sync_status"] == "pending"
    assert once(lab) == 0
    assert creation(run)["sync_status"] == "synced"


def test_a_record_that_cannot_be_written_now_is_owed_and_paid(lab: Lab) -> None:
    run = write_exlab_run(lab.local, "Run_1", small=1)
    place = run / ".exlab-wizard" / "creation.json"
    before = json.loads(place.read_bytes())
    lock = place.with_name("creation.json.lock")
    lock.mkdir()  # no lock can be taken there
    assert once(lab) == 0
    assert creation(run) == before
    owed = json.loads(lab.run("show", run.name, "--json").stdout)["debts"]
    assert [(debt["kind"], "cannot be written" in debt["last_error"]) for debt in owed] == [("sync_status", True)]
    assert creation(far(lab, run))["sync_status"] == "synced", "the far copy does not wait for it"
    lock.rmdir()
    assert once(lab) == 0
    assert creation(run)["sync_status"] == "synced"
