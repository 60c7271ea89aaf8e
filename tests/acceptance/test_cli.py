"""The program as people start it: real processes, real signals, real exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.demo.lab import TINY, Expected, SampleLab, build_lab
from tests.checker import check_kept, check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = [sys.executable, "-m", "exlab_sync_tui"]


@pytest.fixture
def lab(tmp_path: Path) -> SampleLab:
    return build_lab(tmp_path, scale=TINY, settle_seconds=0.2)


def start(lab: SampleLab, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *options(lab), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def options(lab: SampleLab) -> Sequence[str]:
    return "--config", str(lab.config_path), "--state", str(lab.root / "state")


def ask(lab: SampleLab, *arguments: str) -> tuple[int, str, str]:
    process = start(lab, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def adopt_all(lab: SampleLab) -> None:
    for equipment_id in ("CONFOCAL_01", "SEQUENCER_01", "READER_01"):
        assert ask(lab, "destination", "adopt", equipment_id, "--local", "--yes")[0] == 0


def test_the_demo_runs_checks_itself_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "demo", "--headless", "--once", "--tiny"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 10 runs ended as planned: 8 are on the sample NAS and proven file by file" in done.stdout
    assert done.stdout.splitlines()[-1] == "The sample lab has been removed again."
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_kept_passes_the_independent_checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert tempfile.gettempdir()
    done = subprocess.run(
        [*PROGRAM, "demo", "--once", "--tiny", "--keep", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["as_planned"] is True
    runs = [run for run in last["runs"] if run["outcome"] == "verified"]
    root = Path(last["folder"])
    nas = root / "nas"
    places = {place_of(run, root): Path(run["run_path"]) for run in runs}
    occupied = [place_of(run, root) for run in last["runs"] if run["outcome"] == "failed"]
    (place,) = occupied
    foreign = {
        rel: seen
        for rel, seen in snapshot_tree(nas).items()
        if f"{place}/".startswith(f"{rel}/") or rel.startswith(f"{place}/")
    }
    assert check_sides(places, nas, foreign=foreign, expected=list(places), settled=True) == []


def place_of(run: dict[str, str], root: Path) -> str:
    path = Path(run["run_path"])
    below = path.relative_to(root / ("plates" if run["equipment_id"] == "READER_01" else "data"))
    return str(Path(run["equipment_id"]) / below) if run["equipment_id"] == "READER_01" else str(below)


def test_run_once_sends_what_is_finished_and_its_exit_code_names_the_worst(lab: SampleLab) -> None:
    foreign = snapshot_tree(lab.nas)
    adopt_all(lab)
    before = {run.nas_path: snapshot_tree(run.path) for run in lab.runs}
    code, out, err = ask(lab, "run", "--once")
    assert (code, err) == (1, "")
    assert "Not everything is safe: 1 failed, 1 blocked; 8 of 10 runs safe." in out
    local = {run.nas_path: run.path for run in lab.runs}
    sent = {run.nas_path: run.path for run in lab.runs if run.expected is Expected.VERIFIED}
    assert check_sides(sent, lab.nas, foreign=foreign, expected=list(sent), settled=True) == []
    assert check_kept(before, local, lab.nas) == []
    assert check_store(lab.root / "state" / "queue.db", lab.nas, acknowledged=list(sent.values())) == []


def test_run_once_again_sends_nothing_twice(lab: SampleLab) -> None:
    adopt_all(lab)
    ask(lab, "run", "--once")
    published = snapshot_tree(lab.nas)
    code, out, _ = ask(lab, "run", "--once", "--json")
    assert code == 1
    assert {json.loads(line)["event"] for line in out.splitlines()}.isdisjoint({"run_started", "run_verified"})
    assert snapshot_tree(lab.nas) == published


def test_why_and_status_answer_while_an_engine_runs(lab: SampleLab) -> None:
    adopt_all(lab)
    engine = start(lab, "run", "--json")
    try:
        verified = wait_for(engine, "run_verified")
        code, out, _ = ask(lab, "why", verified["run_path"])
        assert code == 0
        assert " is safe at " in out
        assert "An engine is running." in ask(lab, "status")[1]
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.communicate(timeout=240)
    assert engine.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_service_in_good_order_and_that_is_no_failure(lab: SampleLab, number: signal.Signals) -> None:
    foreign = snapshot_tree(lab.nas)
    adopt_all(lab)
    engine = start(lab, "run", "--json")
    wait_for(engine, "run_started")
    engine.send_signal(number)
    out, err = engine.communicate(timeout=240)
    assert (engine.returncode, err) == (0, "")
    assert json.loads(out.splitlines()[-1])["event"] == "engine_stopped"
    assert check_store(lab.root / "state" / "queue.db", lab.nas) == []
    assert ask(lab, "run", "--once")[0] == 1
    sent = {run.nas_path: run.path for run in lab.runs if run.expected is Expected.VERIFIED}
    assert check_sides(sent, lab.nas, foreign=foreign, expected=list(sent), settled=True) == []


def wait_for(engine: subprocess.Popen[str], event: str) -> dict[str, str]:
    """Read the engine's JSON lines until one is this event."""
    assert engine.stdout is not None
    for line in engine.stdout:
        said: dict[str, str] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(f"the engine ended without {event}")


def test_a_closed_pipe_ends_a_reading_verb_quietly(lab: SampleLab) -> None:
    ask(lab, "enqueue", *(str(run.path) for run in lab.runs))
    process = start(lab, "list", "--limit", "0")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=240)


def test_the_sentence_arrives_where_the_terminal_knows_only_ascii(lab: SampleLab) -> None:
    done = subprocess.run(
        [*PROGRAM, *options(lab), "check", str(lab.runs[1].path)],
        capture_output=True,
        check=False,
        timeout=240,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0
    assert done.stdout.startswith(b"+ may leave  ")
