"""Is my data safe, and why not? The reading verbs on a store with one run of every kind."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.state_folder import engine_runs
from exlab_sync_tui.platform import lock_file
from exlab_sync_tui.queue.sqlite import SQLiteStore
from tests.unit.cli_helpers import NOW, Shelf, fill, job_id, make_shelf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from exlab_sync_tui.queue.store import JobStore


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = make_shelf(tmp_path)
    fill(shelf)
    return shelf


def change(shelf: Shelf, step: Callable[[JobStore], Awaitable[object]]) -> None:
    async def changed() -> None:
        store = SQLiteStore(shelf.state / "queue.db")
        await store.open()
        try:
            await step(store)
        finally:
            await store.close()

    asyncio.run(changed())


def test_status_answers_in_its_first_sentence(shelf: Shelf) -> None:
    done = shelf.ask("status")
    first = done.output.splitlines()[0]
    assert first.endswith("Not everything is safe: 2 failed, 1 blocked, 2 waiting, 1 queued; 1 of 7 runs safe.")
    assert done.exit_code == 0


def test_status_gives_a_reason_for_everything_that_is_not_safe(shelf: Shelf) -> None:
    output = " ".join(shelf.ask("status").output.split())
    for reason in ("conflict: The place is taken", "1 file differs", "NAS was busy", "never filled in", "done.flag"):
        assert reason in output


def test_tables_and_reasons_fit_into_eighty_columns(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(len(line) for line in shelf.ask("status").output.splitlines()[1:]) <= 80


def test_status_as_json_has_counts_reasons_and_the_exit_code_of_what_is_left(shelf: Shelf) -> None:
    data: Any = shelf.ask_json("status")
    assert data["total"] == {"safe": 1, "moving": 0, "queued": 1, "waiting": 2, "blocked": 1, "failed": 2}
    assert data["equipment"]["READER_01"]["failed"] == 2
    assert data["exit_code"] == 10
    assert data["engine_running"] is False
    assert {run["state"] for run in data["not_safe"]} == {"failed", "blocked", "waiting", "acquiring", "queued"}


def test_status_shows_a_hold_on_a_destination(shelf: Shelf) -> None:
    away = Hold(
        HoldScope.DESTINATION, "mount:/x", HoldKind.AWAY, "The NAS does not answer.", NOW, equipment_id="READER_01"
    )
    change(shelf, lambda store: store.set_hold(away))
    assert "away       READER_01: The NAS does not answer." in shelf.ask("status").output


def test_status_says_whether_an_engine_is_running(shelf: Shelf) -> None:
    assert engine_runs(shelf.state) is False
    with lock_file(shelf.state / "engine.lock"):
        assert "An engine is running." in shelf.ask("status").output
    assert "No engine is running" in shelf.ask("status").output


def test_list_shows_every_run_oldest_first_and_then_those_without_a_job(shelf: Shelf) -> None:
    runs: Any = shelf.ask_json("list")
    assert [run["run_path"].rpartition("/")[2] for run in runs] == [
        *("safe", "failed", "differing", "waiting", "queued"),
        *("blocked", "growing"),
    ]
    assert [run["word"] for run in runs] == [
        *("verified", "failed", "failed", "waiting", "queued"),
        *("blocked", "acquiring"),
    ]


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("failed", ["failed", "differing"]),
        ("queued", ["waiting", "queued"]),
        ("waiting", ["waiting"]),
        ("blocked", ["blocked"]),
        ("cleaned", []),
    ],
)
def test_list_can_be_narrowed_to_a_state_or_a_kind_of_hold(shelf: Shelf, word: str, names: list[str]) -> None:
    runs: Any = shelf.ask_json("list", "--state", word)
    assert [run["run_path"].rpartition("/")[2] for run in runs] == names


def test_list_takes_a_path_behind_state_for_the_state_folder(shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.ask("list", "--state", str(tmp_path / "none")).output.startswith("Nothing has been queued yet")


def test_list_says_that_there_is_more(shelf: Shelf) -> None:
    output = shelf.ask("list", "--limit", "2").output
    assert len(output.splitlines()) == 4
    assert "There are more than 2; --limit 0 lists all." in output
    assert len(shelf.ask("list", "--limit", "0").output.splitlines()) == 8


def test_list_of_an_instrument_that_has_none_says_so(shelf: Shelf) -> None:
    assert shelf.ask("list", "--equipment", "OTHER").output == "No run is known that fits.\n"


@pytest.mark.parametrize("name", ["safe", "SAFE", job_id("safe"), job_id("safe")[:8]])
def test_a_run_is_found_by_a_part_of_its_name_or_job_id(shelf: Shelf, name: str) -> None:
    data: Any = shelf.ask_json("show", name)
    assert data["run_path"] == shelf.run_path("safe")


def test_a_run_is_found_by_any_spelling_of_its_path(shelf: Shelf) -> None:
    data: Any = shelf.ask_json("show", f"{shelf.root}/plates/../plates/safe/")
    assert data["run_path"] == shelf.run_path("safe")


def test_a_whole_path_never_stands_for_a_longer_one(shelf: Shelf) -> None:
    done = shelf.ask("show", shelf.run_path("saf"))
    assert done.exit_code == 3


def test_a_name_that_several_runs_have_lists_them(shelf: Shelf) -> None:
    done = shelf.ask("why", "plates")
    assert done.exit_code == 2
    assert done.stderr.startswith("exlab-sync: plates could be any of these runs; name more of it:\n  ")
    assert shelf.run_path("blocked") in done.stderr


def test_show_tells_everything(shelf: Shelf) -> None:
    done = shelf.ask("show", "safe")
    for fact in (
        job_id("safe"),
        f"{shelf.root}/nas/READER_01/safe",
        "1 file, 2.00 KiB, 1 of them proven",
        "read_back: every file was read again",
        "2025-03-09T08:00:00Z, 1 pass",
        "SHA-256 abab",
        "sync status: creation.json is locked",
        "engine: published [awaiting_verify > verified]",
    ):
        assert fact in done.output
    data: Any = shelf.ask_json("show", "safe")
    assert data["job"]["evidence"] == "read_back"
    assert data["files"] == {"total": 1, "bytes": 2048, "proven": 1, "proven_bytes": 2048}
    assert [line["after"] for line in data["history"]] == ["queued", "running", "awaiting_verify", "verified"]


def test_show_tells_of_a_run_that_has_only_a_hold(shelf: Shelf) -> None:
    data: Any = shelf.ask_json("show", "blocked")
    assert data["job"] is None
    assert data["hold"]["kind"] == "blocked"
    assert "hold         blocked since 2025-03-09T08:00:00Z" in shelf.ask("show", "blocked").output


def why(shelf: Shelf, name: str) -> str:
    done = shelf.ask("why", name)
    assert done.exit_code == 0, done.output
    assert done.output.count("\n") == 1
    return done.output.strip()


def test_why_says_of_a_safe_run_where_it_lies_and_how_it_is_proven(shelf: Shelf) -> None:
    assert why(shelf, "safe") == (
        f"safe is safe at {shelf.root}/nas/READER_01/safe (1 file, 2.00 KiB, verified 2025-03-09T08:00:00Z): every file"
        " was read again from the destination, past this PC's cache, and compared (read_back)."
    )


def test_why_says_of_a_failed_run_what_to_type(shelf: Shelf) -> None:
    assert why(shelf, shelf.run_path("failed")) == (
        "failed failed after 2 attempts (conflict): the place is taken; nothing was sent. Move it away; once that is"
        f" mended, `exlab-sync retry {job_id('failed')[:8]}` queues it again."
    )


def test_why_says_of_a_blocked_run_what_the_gate_has_against_it(shelf: Shelf) -> None:
    assert why(shelf, "blocked") == (
        "blocked is not queued yet: blocked by the gate: unresolved_placeholder_token at a<b>: it was never filled in;"
        " asked again once it is repaired; no engine runs, so nobody looks: `exlab-sync run` starts one."
    )


def test_why_says_of_a_waiting_run_when_it_is_looked_at_again(shelf: Shelf) -> None:
    assert why(shelf, "waiting").startswith("waiting waits: the NAS was busy; next look in ")


def test_why_says_of_a_queued_run_that_nothing_moves_without_an_engine(shelf: Shelf) -> None:
    assert (
        why(shelf, "queued")
        == "queued is queued and nothing moves, because no engine runs; `exlab-sync run` starts one."
    )
    with lock_file(shelf.state / "engine.lock"):
        assert why(shelf, "queued") == "queued is queued; it goes by itself when the lane of READER_01 reaches it."


def test_why_names_the_hold_on_the_destination_that_a_queued_run_waits_for(shelf: Shelf) -> None:
    key = f"mount:{shelf.root}/nas"
    away = Hold(HoldScope.DESTINATION, key, HoldKind.AWAY, "The NAS does not answer.", NOW, equipment_id="OTHER_01")
    change(shelf, lambda store: store.set_hold(away))
    with lock_file(shelf.state / "engine.lock"):
        assert why(shelf, "queued") == "queued waits: the NAS does not answer."


@pytest.mark.parametrize(("state", "words"), [("running", "being sent"), ("awaiting_verify", "being compared")])
def test_why_says_of_a_moving_run_what_happens_with_it(shelf: Shelf, state: str, words: str) -> None:
    async def move(store: JobStore) -> None:
        steps = [SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY]
        for step in steps[: steps.index(SyncJobState(state)) + 1]:
            await store.move(job_id("queued"), step, at=NOW, who="engine", what="step")

    change(shelf, move)
    assert f"{words} when the engine stopped; it is taken up there" in why(shelf, "queued")
    with lock_file(shelf.state / "engine.lock"):
        assert f"{words}; it becomes visible on the destination once every byte is proven" in why(shelf, "queued")


def test_why_looks_at_the_disk_for_a_run_that_nobody_has_seen_yet(shelf: Shelf) -> None:
    new = shelf.root / "plates" / "2025-03-09_new"
    new.mkdir()
    (new / "a.csv").write_text("1")
    assert why(shelf, str(new)).startswith("2025-03-09_new is not known to the engine yet: ")
    assert "the gate has nothing against it; `exlab-sync run` takes it" in why(shelf, str(new))
    (new / "<sample>.csv").write_text("1")
    assert "and would be kept here: " in why(shelf, str(new))


def test_why_of_a_folder_of_no_instrument_says_which_there_are(shelf: Shelf, tmp_path: Path) -> None:
    done = shelf.ask("why", str(tmp_path))
    assert done.exit_code == 3
    assert "READER_01" in done.stderr


def test_a_hostile_name_is_shown_and_does_nothing(shelf: Shelf) -> None:
    hostile = Hold(
        HoldScope.RUN, shelf.run_path("\x1b[2J[red]\udcff"), HoldKind.ACQUIRING, "still", NOW, equipment_id="READER_01"
    )
    change(shelf, lambda store: store.set_hold(hostile))
    for verb in (["status"], ["list"], ["why", "[red]"], ["show", "[red]"]):
        output = shelf.ask(*verb).output
        assert "\\x1b[2J[red]\\xff" in output
        assert "\x1b" not in output
    runs: Any = shelf.ask_json("list", "--state", "acquiring")
    assert shelf.run_path("\x1b[2J[red]\udcff") in [run["run_path"] for run in runs]


def test_check_asks_the_gate_alone(shelf: Shelf) -> None:
    clean, broken = shelf.root / "plates" / "clean", shelf.root / "plates" / "broken"
    for run, name in ((clean, "a.csv"), (broken, "<sample>.csv")):
        run.mkdir()
        (run / name).write_text("1")
    assert shelf.ask("check", str(clean)).exit_code == 0
    done = shelf.ask("check", str(clean), str(broken))
    assert done.exit_code == 11
    assert f"may leave  {clean}: the gate has nothing against it" in done.output
    assert f"blocked  {broken}: " in done.output
    assert "Rename <sample>.csv to sample.csv" in done.output
    data: Any = json.loads(shelf.ask("check", str(broken), "--json").stdout)
    assert data[0]["blocked"] is True
    assert {finding["rule"] for finding in data[0]["findings"]} >= {"unresolved_placeholder_token"}
    assert shelf.ask("check", str(clean), str(shelf.root)).exit_code == 3
