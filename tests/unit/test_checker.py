"""Does the independent judge accept what is right, and name the broken invariant of everything that is wrong?"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.checker import (
    Tree,
    Violation,
    check_kept,
    check_secrets,
    check_sides,
    check_untouched,
    parse_manifest,
    snapshot_tree,
)
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLACE = "SPEC_02/Kelp/Runs/Run_1"
CACHE = ".exlab-wizard"
NAMES = ["a.raw", "deep/b.raw", "back\\slash", "new\nline", "caf\udce9", "-rf", "[/red]$(reboot).csv", "empty"]
CREATION: dict[str, Any] = {
    "schema_version": "1.8",
    "created_by": "mira",
    "variables": {"gain": 1.5},
    "sync_status": "synced",
    "validation_overrides": [],
}


class Sides:
    """A lab and a NAS with one run that was published by hand with GNU's own tools."""

    def __init__(self, root: Path) -> None:
        self.local, self.nas = root / "lab" / PLACE, root / "nas"
        for name in NAMES:
            path = self.local / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"" if name == "empty" else os.fsencode(name) * 50)
        (self.local / CACHE).mkdir()
        self.write(self.local / CACHE / "creation.json", CREATION)
        (self.nas / ".exlab-destination.json").parent.mkdir(parents=True)
        (self.nas / ".exlab-destination.json").write_text('{"id": "d1", "created_at": "2025-03-09T08:15:00Z"}')
        self.publish(PLACE)

    @property
    def final(self) -> Path:
        return self.nas / PLACE

    @property
    def cache(self) -> Path:
        return self.final / CACHE

    def publish(self, place: str) -> None:
        final = self.nas / place
        shutil.copytree(self.local, final)
        self.describe(final)

    def describe(self, final: Path) -> None:
        """Write manifest and receipt for what lies in *final*."""
        names = sorted(rel for rel, seen in snapshot_tree(final).items() if seen.kind == "file" and CACHE not in rel)
        lines = subprocess.run(["sha256sum", "--", *names], cwd=final, check=True, capture_output=True).stdout
        (final / CACHE / "checksums.sha256").write_bytes(lines)
        receipt = {
            "job_id": "j1",
            "store_id": "s1",
            "destination_id": "d1",
            "verified_at": "2025-03-09T09:00:00Z",
            "manifest_sha256": hashlib.sha256(lines).hexdigest(),
        }
        self.write(final / CACHE / "receipt.json", receipt)

    def amend_receipt(self, **changes: object) -> None:
        path = self.cache / "receipt.json"
        self.write(path, json.loads(path.read_bytes()) | changes)

    def write(self, path: Path, document: object) -> None:
        path.write_text(json.dumps(document))

    def judge(self, **given: Any) -> list[Violation]:
        return check_sides({PLACE: self.local}, self.nas, **given)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def broken(found: list[Violation]) -> set[str]:
    return {violation.invariant for violation in found}


def test_a_run_that_was_published_well_passes(sides: Sides) -> None:
    assert sides.judge(settled=True, expected=[PLACE]) == []


def test_an_absent_run_passes_unless_it_was_expected(sides: Sides) -> None:
    shutil.rmtree(sides.final)
    assert sides.judge() == []
    assert broken(sides.judge(expected=[PLACE])) == {"S10"}


def flip_far_byte(sides: Sides) -> None:
    (sides.final / "a.raw").write_bytes(b"X" + (sides.final / "a.raw").read_bytes()[1:])


def lose_far_file(sides: Sides) -> None:
    (sides.final / "deep/b.raw").unlink()


def add_far_file(sides: Sides) -> None:
    (sides.final / "a.raw.tmp").write_bytes(b"half")


def lose_manifest(sides: Sides) -> None:
    (sides.cache / "checksums.sha256").unlink()


def lose_receipt(sides: Sides) -> None:
    (sides.cache / "receipt.json").unlink()


def tear_receipt(sides: Sides) -> None:
    (sides.cache / "receipt.json").write_text('{"job_id": "j')


def receipt_of_another_manifest(sides: Sides) -> None:
    sides.amend_receipt(manifest_sha256="0" * 64)


def receipt_without_job(sides: Sides) -> None:
    sides.amend_receipt(job_id="")


def tear_manifest(sides: Sides) -> None:
    path = sides.cache / "checksums.sha256"
    path.write_bytes(path.read_bytes()[:-3])


def leave_temporary_paper(sides: Sides) -> None:
    (sides.cache / ".receipt.json.x1.tmp").write_text("{")


def far_still_pending(sides: Sides) -> None:
    sides.write(sides.cache / "creation.json", CREATION | {"sync_status": "pending"})


def far_lost_a_field(sides: Sides) -> None:
    sides.write(sides.cache / "creation.json", {key: CREATION[key] for key in CREATION if key != "created_by"})


def far_rewrote_a_number(sides: Sides) -> None:
    text = (sides.cache / "creation.json").read_text()
    (sides.cache / "creation.json").write_text(text.replace("1.5", "1.50"))


def far_without_creation(sides: Sides) -> None:
    (sides.cache / "creation.json").unlink()


def tear_local_creation(sides: Sides) -> None:
    (sides.local / CACHE / "creation.json").write_text("{")


def tear_local_manifest(sides: Sides) -> None:
    (sides.local / CACHE / "checksums.sha256").write_text("abc")


def change_local_file(sides: Sides) -> None:
    (sides.local / "a.raw").write_bytes(b"changed after the snapshot")


def add_local_file(sides: Sides) -> None:
    (sides.local / "late.raw").write_bytes(b"late")


def add_local_link(sides: Sides) -> None:
    (sides.local / "link").symlink_to("a.raw")


def add_local_pipe(sides: Sides) -> None:
    os.mkfifo(sides.local / "pipe")


def add_local_empty_folder(sides: Sides) -> None:
    (sides.local / "nothing").mkdir()


def add_local_litter(sides: Sides) -> None:
    (sides.local / "Thumbs.db").write_bytes(b"x")


def leave_half_run_beside(sides: Sides) -> None:
    (sides.final.parent / "Run_1.partial").mkdir()


def publish_a_link(sides: Sides) -> None:
    (sides.final / "link").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("harm", "invariant"),
    [
        (flip_far_byte, "S5"),
        (lose_far_file, "S5"),
        (add_far_file, "S5"),
        (lose_manifest, "S5"),
        (lose_receipt, "S5"),
        (tear_receipt, "S7"),
        (receipt_of_another_manifest, "S5"),
        (receipt_without_job, "S5"),
        (tear_manifest, "S7"),
        (leave_temporary_paper, "S7"),
        (far_still_pending, "S7"),
        (far_lost_a_field, "S7"),
        (far_rewrote_a_number, "S7"),
        (far_without_creation, "S7"),
        (tear_local_creation, "S7"),
        (tear_local_manifest, "S7"),
        (change_local_file, "S2"),
        (add_local_file, "S5"),
        (add_local_link, "S5"),
        (add_local_pipe, "S5"),
        (add_local_empty_folder, "S5"),
        (add_local_litter, "S5"),
        (leave_half_run_beside, "S5"),
        (publish_a_link, "S5"),
    ],
)
def test_every_harm_is_named(sides: Sides, harm: Callable[[Sides], None], invariant: str) -> None:
    harm(sides)
    assert invariant in broken(sides.judge())


def test_what_is_not_sent_passes_once_the_receipt_names_it(sides: Sides) -> None:
    for harm in (add_local_link, add_local_pipe, add_local_empty_folder, add_local_litter):
        harm(sides)
    sides.amend_receipt(links={"link": "a.raw"}, specials=["pipe"], empty_folders=["nothing"], litter=["Thumbs.db"])
    assert sides.judge() == []


def test_data_is_not_litter_however_often_the_receipt_says_so(sides: Sides) -> None:
    add_local_file(sides)
    sides.amend_receipt(litter=["late.raw"])
    assert broken(sides.judge()) == {"S5"}


def test_raised_schema_and_later_overrides_are_the_same_in_meaning(sides: Sides) -> None:
    sides.write(sides.cache / "creation.json", CREATION | {"schema_version": "1.9"})
    later = {"id": "o1", "problem_class": "orphan", "operator": "mira", "revoked": False}
    sides.write(sides.local / CACHE / "creation.json", CREATION | {"validation_overrides": [later]})
    assert sides.judge() == []
    sides.write(sides.cache / "creation.json", CREATION | {"validation_overrides": [later, later]})
    assert broken(sides.judge()) == {"S7"}


def test_a_run_that_got_ahead_is_not_compared_with_its_local_side(sides: Sides) -> None:
    change_local_file(sides)
    add_far_file(sides)
    assert sides.judge(ahead=[PLACE]) == []


def test_a_revision_stands_for_the_local_run_and_the_first_one_for_itself(sides: Sides) -> None:
    change_local_file(sides)
    sides.publish(f"{PLACE}__r2")
    assert sides.judge() == []
    flip_far_byte(sides)
    assert [violation.place for violation in sides.judge()] == [f"{PLACE}/a.raw"]


def test_the_incoming_folder_may_hold_halves_until_all_is_settled(sides: Sides) -> None:
    half = sides.final.parent / ".exlab-incoming/12345678/run/a.raw"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"ha")
    assert sides.judge() == []
    assert broken(sides.judge(settled=True)) == {"S5"}


@pytest.mark.parametrize("place", ["other/notes.txt", f"{PLACE}/notes.txt"])
def test_foreign_files_stay_as_they_are(tmp_path: Path, place: str) -> None:
    foreign = tmp_path / "nas" / place
    foreign.parent.mkdir(parents=True)
    foreign.write_text("not yours")
    before, runs = snapshot_tree(tmp_path / "nas"), {PLACE: tmp_path / "absent"}
    assert check_sides(runs, tmp_path / "nas", foreign=before) == []
    foreign.write_text("not mine!")
    assert broken(check_sides(runs, tmp_path / "nas", foreign=before)) == {"S6"}
    foreign.unlink()
    assert broken(check_sides(runs, tmp_path / "nas", foreign=before)) == {"S6"}


def test_nothing_may_be_added_to_a_foreign_folder(tmp_path: Path) -> None:
    final = tmp_path / "nas" / PLACE
    final.mkdir(parents=True)
    before = snapshot_tree(tmp_path / "nas")
    (final / "ours.raw").write_bytes(b"")
    assert broken(check_sides({PLACE: tmp_path / "absent"}, tmp_path / "nas", foreign=before)) == {"S6"}


def test_a_run_beside_a_foreign_one_is_judged_as_ours(sides: Sides) -> None:
    shutil.rmtree(sides.final)
    sides.final.mkdir()
    before = snapshot_tree(sides.nas)
    sides.publish(f"{PLACE}__conflict-12345678")
    assert sides.judge(foreign=before, expected=[PLACE]) == []


def test_published_data_is_never_written_again_but_its_papers_may_be(sides: Sides) -> None:
    before = snapshot_tree(sides.nas)
    (sides.final / "late.raw").write_bytes(b"late")
    (sides.local / "late.raw").write_bytes(b"late")
    sides.describe(sides.final)
    assert sides.judge(published=before) == []
    (sides.final / "a.raw").touch()
    assert broken(sides.judge(published=before)) == {"S6"}
    shutil.rmtree(sides.final)
    assert broken(sides.judge(published=before)) == {"S6"}


@pytest.mark.parametrize(
    "line",
    [
        "A" * 64 + "  upper",
        "a" * 64 + " one-blank",
        "a" * 63 + "  short",
        "a" * 64 + "  /absolute",
        "a" * 64 + "  ../outside",
        "a" * 64 + "  raw\\backslash",
        "\\" + "a" * 64 + "  needless",
        "\\" + "a" * 64 + "  bad\\escape",
        "a" * 64 + "  carriage\r",
    ],
)
def test_a_manifest_line_that_gnu_would_not_write_is_refused(line: str) -> None:
    listed, found = parse_manifest(line.encode() + b"\n", "m")
    assert (listed, broken(found)) == ({}, {"S5"})


def test_a_manifest_must_be_sorted_and_name_nothing_twice() -> None:
    b, a = "b" * 64 + "  b\n", "a" * 64 + "  a\n"
    assert broken(parse_manifest((b + a).encode(), "m")[1]) == {"S5"}
    assert broken(parse_manifest((a + a).encode(), "m")[1]) == {"S5"}
    assert parse_manifest((a + b).encode(), "m") == ({"a": "a" * 64, "b": "b" * 64}, [])


def kept(sides: Sides, before: dict[str, Tree], *released: str) -> set[str]:
    return broken(check_kept(before, {PLACE: sides.local}, sides.nas, released=released))


def test_local_data_may_go_only_when_released_and_on_the_nas(sides: Sides) -> None:
    before = {PLACE: snapshot_tree(sides.local)}
    assert kept(sides, before) == set()
    (sides.local / "a.raw").unlink()
    assert kept(sides, before) == {"S1"}
    assert kept(sides, before, PLACE) == set()
    flip_far_byte(sides)
    assert kept(sides, before, PLACE) == {"S1"}


def test_local_data_may_not_change_under_our_hands(sides: Sides) -> None:
    before = {PLACE: snapshot_tree(sides.local)}
    change_local_file(sides)
    assert kept(sides, before, PLACE) == {"S1"}


def test_what_nobody_may_touch_is_compared_whole(tmp_path: Path) -> None:
    before = snapshot_tree(tmp_path)
    assert check_untouched(before, tmp_path) == []
    (tmp_path / "pwned").touch()
    assert broken(check_untouched(before, tmp_path)) == {"S9"}


def test_a_secret_is_found_wherever_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/exlab.log").write_text("connecting with hunter2")
    assert broken(check_secrets([tmp_path], ["hunter2"])) == {"S8"}
    assert check_secrets([tmp_path], ["correct horse"]) == []


JOBS = (
    "CREATE TABLE jobs (id TEXT, run_path BLOB, state TEXT, nas_path BLOB, manifest_sha256 TEXT, evidence TEXT,"
    " releasing_at TEXT)"
)
HISTORY = "CREATE TABLE history (seq INTEGER PRIMARY KEY, job_id TEXT, at TEXT, before TEXT, after TEXT)"
INTO_JOBS = "INSERT INTO jobs (id, run_path, state, nas_path, manifest_sha256) VALUES (?, ?, ?, ?, ?)"


def store_with(sides: Sides, *steps: tuple[str, str], job: str = "j1", state: str = "verified") -> Path:
    path = sides.nas.parent / "queue.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(JOBS)
        connection.execute(HISTORY)
        row = (job, os.fsencode(sides.local), state, os.fsencode(PLACE), "")
        connection.execute(INTO_JOBS, row)
        for before, after in steps:
            connection.execute("INSERT INTO history (job_id, before, after) VALUES ('j1', ?, ?)", (before, after))
    return path


def test_a_store_that_kept_its_promises_passes(sides: Sides) -> None:
    way = [("", "queued"), ("queued", "running"), ("running", "awaiting_verify"), ("awaiting_verify", "verified")]
    assert check_store(store_with(sides, *way), sides.nas, acknowledged=[sides.local]) == []


def test_a_store_that_forgot_an_acknowledged_run_is_named(sides: Sides, tmp_path: Path) -> None:
    assert broken(check_store(store_with(sides), sides.nas, acknowledged=[tmp_path / "Run_2"])) == {"S3"}


def test_two_jobs_for_one_folder_are_named(sides: Sides) -> None:
    path = store_with(sides, state="queued")
    with closing(sqlite3.connect(path)) as connection, connection:
        alias = os.fsencode(f"{sides.local}/../{sides.local.name}")
        connection.execute(INTO_JOBS, ("j2", alias, "queued", b"", ""))
    assert broken(check_store(path, sides.nas)) == {"S4"}


@pytest.mark.parametrize("steps", [[("queued", "verified")], [("", "queued"), ("running", "queued")]])
def test_an_illegal_or_doubled_step_is_named(sides: Sides, steps: list[tuple[str, str]]) -> None:
    assert broken(check_store(store_with(sides, *steps), sides.nas)) == {"S4"}


def test_verified_in_the_store_must_be_on_the_nas_by_that_job(sides: Sides) -> None:
    assert broken(check_store(store_with(sides, job="another"), sides.nas)) == {"S5"}
    shutil.rmtree(sides.final)
    assert broken(check_store(store_with(sides), sides.nas)) == {"S5"}
    assert check_store(store_with(sides, state="running"), sides.nas) == []


def test_a_release_that_was_never_announced_is_named(sides: Sides) -> None:
    assert "S1" in broken(check_store(store_with(sides, state="cleaned"), sides.nas))


@pytest.mark.parametrize(("evidence", "named"), [("read_back", set()), ("size_mtime", {"S1"})])
def test_a_release_needs_evidence(sides: Sides, evidence: str, named: set[str]) -> None:
    way = [("", "queued"), ("queued", "running"), ("running", "awaiting_verify"), ("awaiting_verify", "verified")]
    path = store_with(sides, *way, ("verified", "cleanup_eligible"), state="cleanup_eligible")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE history SET at = '2025-03-10T12:00:00Z'")
        connection.execute("UPDATE jobs SET evidence = ?, releasing_at = '2025-03-10T13:00:00Z'", (evidence,))
    assert broken(check_store(path, sides.nas)) == named


def test_a_violation_shows_hostile_names_harmlessly() -> None:
    assert str(Violation("S5", "a\x1b[31m\n", "is wrong")) == r"S5 'a\x1b[31m\n': is wrong"
