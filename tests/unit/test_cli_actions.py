"""What can be asked of single runs and instruments? The acting verbs where no engine runs, so that nothing moves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.engine import statelock
from exlab_sync_tui.platform import lock_file
from tests.unit.cli_helpers import Shelf, make_shelf

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return make_shelf(tmp_path)


def write_run(shelf: Shelf, name: str, *files: str) -> str:
    run = shelf.root / "plates" / name
    run.mkdir()
    for file in files or ("a.csv", "b.csv"):
        (run / file).write_text(file)
    return str(run)


def adopt(shelf: Shelf) -> None:
    assert shelf.ask("destination", "adopt", "READER_01", "--local", "--yes").exit_code == 0


def send(shelf: Shelf, *, code: int = 0) -> str:
    done = shelf.ask("run", "--once")
    assert done.exit_code == code, done.output
    return done.output


def far(shelf: Shelf, name: str) -> Path:
    return shelf.root / "nas" / "READER_01" / name


def state_of(shelf: Shelf, name: str) -> str:
    data: Any = shelf.ask_json("show", name)
    return str(data["job"]["state"])


def test_enqueue_queues_and_sends_nothing(shelf: Shelf) -> None:
    done = shelf.ask("enqueue", write_run(shelf, "plate_1"))
    assert done.exit_code == 0
    assert "queued" in done.output
    assert "plate_1 is queued." in done.output
    assert "No engine is running, so nothing moves yet; `exlab-sync run` sends what is queued." in done.output
    assert state_of(shelf, "plate_1") == "queued"
    assert list((shelf.root / "nas").iterdir()) == []


def test_enqueue_twice_is_said_and_changes_nothing(shelf: Shelf) -> None:
    run = write_run(shelf, "plate_1")
    shelf.ask("enqueue", run)
    done = shelf.ask("enqueue", run + "/")
    assert (done.exit_code, done.output.count("plate_1 has a job already: it is queued")) == (0, 1)


def test_enqueue_of_a_blocked_run_says_what_to_do_and_does_not_keep_the_others_from_their_turn(shelf: Shelf) -> None:
    broken, clean = write_run(shelf, "plate_1", "<sample>.csv"), write_run(shelf, "plate_2")
    done = shelf.ask("enqueue", broken, str(shelf.root / "nowhere"), clean)
    assert done.exit_code == 3
    assert "Rename <sample>.csv to sample.csv" in done.output
    assert "exlab-sync: There is no folder" in done.stderr
    assert state_of(shelf, "plate_2") == "queued"
    assert shelf.ask("enqueue", broken).exit_code == 11


def test_enqueue_of_a_safe_run_says_that_it_is_safe(shelf: Shelf) -> None:
    run = write_run(shelf, "plate_1")
    adopt(shelf)
    send(shelf)
    assert "plate_1 has a job already: it is verified." in shelf.ask("enqueue", run).output


def test_who_asked_is_remembered(shelf: Shelf) -> None:
    shelf.ask("enqueue", write_run(shelf, "plate_1"), "--operator", "mira")
    data: Any = shelf.ask_json("show", "plate_1")
    assert data["history"][0]["who"] == "mira"


def test_beside_a_process_that_takes_no_orders_the_acting_verbs_say_so(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statelock, "_PATIENCE_SECONDS", 0.0)
    run = write_run(shelf, "plate_1")
    shelf.ask("enqueue", run)
    with lock_file(shelf.state / "engine.lock"):
        for arguments in (["enqueue", run], ["retry", "plate_1"], ["verify", "plate_1"], ["pause", "READER_01"]):
            done = shelf.ask(*arguments)
            assert done.exit_code == 12
            assert done.stderr.startswith("exlab-sync: Another exlab-sync process holds this store")
            assert done.stdout == ""


def test_beside_another_engine_run_says_who_it_is_and_offers_status(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statelock, "_PATIENCE_SECONDS", 0.0)
    shelf.state.mkdir()
    with lock_file(shelf.state / "engine.lock"):
        for arguments in (["run"], ["run", "--once"]):
            done = shelf.ask(*arguments)
            assert done.exit_code == 5
            assert "Another engine (process unknown) already drives" in done.stderr
            assert "`exlab-sync status` shows what it is doing" in done.stderr


def test_names_of_any_bytes_can_be_ordered(shelf: Shelf) -> None:
    name = "plate_\udcff [red]$(reboot)"
    assert "plate_\\xff [red]$(reboot) is queued." in shelf.ask("enqueue", write_run(shelf, name)).output
    assert "has a job already" in shelf.ask("enqueue", str(shelf.root / "plates" / name)).output


def test_a_paused_instrument_stays_so_until_it_is_resumed(shelf: Shelf) -> None:
    run = write_run(shelf, "plate_1")
    adopt(shelf)
    paused = shelf.ask("pause", "READER_01", "--operator", "mira")
    assert paused.exit_code == 0
    assert "READER_01 is paused until `exlab-sync resume READER_01`" in paused.output
    assert "paused already. Paused by mira since" in shelf.ask("pause", "READER_01").output
    assert "it waits while READER_01 is paused" in shelf.ask("enqueue", run).output
    send(shelf, code=5)
    assert state_of(shelf, "plate_1") == "queued"
    assert "READER_01 was resumed; its runs go on." in shelf.ask("resume", "READER_01").output
    assert "READER_01 is not paused." in shelf.ask("resume", "READER_01").output
    send(shelf)
    assert state_of(shelf, "plate_1") == "verified"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_instrument_that_is_not_configured_is_not_found(shelf: Shelf, verb: str) -> None:
    done = shelf.ask(verb, "OTHER_01", "READER_01")
    assert done.exit_code == 3
    assert "There is no instrument OTHER_01 in the configuration; it has: READER_01." in done.stderr
    assert "READER_01 is" in done.stdout


def test_run_once_says_what_happened_and_what_is_left(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    write_run(shelf, "plate_2", "<sample>.csv")
    adopt(shelf)
    output = send(shelf, code=11)
    assert "verified   READER_01 plate_1: verified, 2 files" in output
    assert "Not everything is safe: 1 blocked; 1 of 2 runs safe." in output
    assert "blocked    READER_01 plate_2: " in output
    assert (far(shelf, "plate_1") / "a.csv").read_text() == "a.csv"
    assert not far(shelf, "plate_2").exists()


def test_run_once_with_nothing_to_do_is_well(shelf: Shelf) -> None:
    adopt(shelf)
    assert "No run is known yet." in send(shelf)


def test_run_once_without_an_adopted_destination_waits(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    output = send(shelf, code=5)
    assert "exlab-sync destination adopt READER_01" in " ".join(output.split())


def test_run_once_as_json_ends_with_the_summary(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    adopt(shelf)
    done = shelf.ask("run", "--once", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    events = [line["event"] for line in lines]
    assert events[0] == "engine_started"
    assert events[-3:] == ["run_verified", "engine_stopped", "summary"]
    assert lines[-1]["exit_code"] == done.exit_code == 0
    assert lines[-1]["total"]["safe"] == 1


def fail(shelf: Shelf, name: str) -> None:
    """Let a run fail because its place is taken, then make room."""
    write_run(shelf, name)
    far(shelf, name).mkdir(parents=True)
    (far(shelf, name) / "foreign.txt").write_text("not ours")
    adopt(shelf)
    send(shelf, code=1)
    (far(shelf, name) / "foreign.txt").unlink()
    far(shelf, name).rmdir()


def test_a_failed_run_is_retried_by_name_and_sent_by_the_next_run(shelf: Shelf) -> None:
    fail(shelf, "plate_1")
    done = shelf.ask("retry", "plate_1")
    assert done.exit_code == 0
    assert "plate_1 was queued again." in done.output
    assert "No engine is running" in done.output
    assert state_of(shelf, "plate_1") == "queued"
    send(shelf)
    assert state_of(shelf, "plate_1") == "verified"


def test_all_failed_runs_are_retried(shelf: Shelf) -> None:
    fail(shelf, "plate_1")
    assert "plate_1 was queued again." in shelf.ask("retry", "--all-failed").output
    done = shelf.ask("retry", "--all-failed")
    assert (done.exit_code, done.output) == (0, "No run has failed, so there is nothing to retry.\n")


def test_a_queued_run_cannot_be_retried(shelf: Shelf) -> None:
    shelf.ask("enqueue", write_run(shelf, "plate_1"))
    done = shelf.ask("retry", "plate_1")
    assert done.exit_code == 1
    assert "is queued, so there is nothing to retry" in done.stderr


def test_a_verified_run_is_verified_once_more_by_retry(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    adopt(shelf)
    send(shelf)
    done = shelf.ask("retry", "plate_1")
    assert done.exit_code == 0
    assert "both sides still agree" in done.output


def test_verify_compares_both_sides_and_names_what_differs(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    adopt(shelf)
    send(shelf)
    agreed = shelf.ask("verify", "plate_1")
    assert agreed.exit_code == 0
    assert "2 files, 10 B agree: every file was read again" in agreed.output
    (far(shelf, "plate_1") / "a.csv").write_text("other")
    (far(shelf, "plate_1") / "b.csv").unlink()
    (far(shelf, "plate_1") / "c.csv").write_text("new")
    differing = shelf.ask("verify", "plate_1")
    assert differing.exit_code == 10
    assert "plate_1 is not as recorded. Differs: a.csv; missing: b.csv; extra: c.csv." in differing.output
    assert state_of(shelf, "plate_1") == "verified"


def test_retry_of_a_verified_run_that_differs_now_fails_it(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    adopt(shelf)
    send(shelf)
    (far(shelf, "plate_1") / "a.csv").write_text("other")
    assert shelf.ask("retry", "plate_1").exit_code == 10
    assert state_of(shelf, "plate_1") == "failed"
    assert send(shelf, code=10)


def test_verify_of_a_run_without_a_job_is_not_found(shelf: Shelf) -> None:
    write_run(shelf, "plate_1", "<sample>.csv")
    adopt(shelf)
    send(shelf, code=11)
    done = shelf.ask("verify", "plate_1")
    assert done.exit_code == 3
    assert "plate_1 has no job yet; `exlab-sync why plate_1` says what it is waiting for." in done.stderr


def test_verify_while_the_destination_is_away_changes_nothing(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    adopt(shelf)
    send(shelf)
    (shelf.root / "nas").rename(shelf.root / "unplugged")
    done = shelf.ask("verify", "plate_1")
    assert done.exit_code == 5
    assert "could not be compared now (network); nothing was changed" in done.output


def test_a_destination_is_adopted_once_and_recognised_later(shelf: Shelf) -> None:
    first = shelf.ask("destination", "adopt", "READER_01", "--local", "--yes")
    assert "now; its marker was written" in first.output
    again = shelf.ask("destination", "adopt", "READER_01", "--local", "--yes")
    assert "its marker was there already" in again.output


def test_nobody_is_asked_where_nobody_is(shelf: Shelf) -> None:
    done = shelf.ask("destination", "adopt", "READER_01", "--local")
    assert done.exit_code == 2
    assert "say --yes" in done.stderr
    assert shelf.ask("destination", "adopt", "OTHER_01", "--local", "--yes").exit_code == 3


def test_destination_show_says_what_is_missing(shelf: Shelf) -> None:
    before = shelf.ask("destination", "show")
    assert before.exit_code == 5
    assert "not adopted yet: run `exlab-sync destination adopt READER_01`" in before.output
    adopt(shelf)
    after = shelf.ask("destination", "show", "READER_01")
    assert after.exit_code == 0
    assert "every destination answers and is adopted" in after.output
    assert shelf.ask("destination", "show", "OTHER_01").exit_code == 3


def test_what_an_engine_does_is_in_the_log(shelf: Shelf) -> None:
    write_run(shelf, "plate_1")
    adopt(shelf)
    send(shelf)
    assert "plate_1: verified" in (shelf.state / "log" / "exlab-sync.log").read_text()
