"""Who let what pass, and why? ``override`` on a run with a broken name."""

from __future__ import annotations

import asyncio
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from exlab_sync_tui.cli.app import app
from exlab_sync_tui.demo.lab import TINY, Trait, build_lab
from exlab_sync_tui.engine import grants
from exlab_sync_tui.model.run import EquipmentFolder, Layout, RunFolder
from exlab_sync_tui.provenance.creation import CreationWriter
from exlab_sync_tui.provenance.overrides import active_classes
from exlab_sync_tui.testing import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

RULE = "unresolved_placeholder_token"
NOW = datetime(2025, 6, 1, tzinfo=UTC)


class Desk:
    """A sample lab of which one run has a placeholder in a file's name."""

    def __init__(self, root: Path) -> None:
        self.lab = build_lab(root, scale=TINY, settle_seconds=0.05)
        self.run = next(run.path for run in self.lab.runs if run.trait is Trait.BROKEN_NAME)
        self.plain = next(run.path for run in self.lab.runs if run.instrument == "READER_01")

    @property
    def creation(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run / ".exlab-wizard" / "creation.json").read_text())
        return found

    def ask(self, *arguments: str) -> Result:
        options = ["--config", str(self.lab.config_path), "--state", str(self.lab.root / "state")]
        return CliRunner().invoke(app, [*options, *arguments], catch_exceptions=False)

    def add(self, *more: str, rule: str = RULE, run: str = "") -> Result:
        return self.ask("override", "add", run or str(self.run), rule, "--reason", "the vendor names it so", *more)

    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ask("check", str(self.run), "--json").stdout)[0]["findings"]
        return found

    def listed(self) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads(self.ask("override", "list", str(self.run), "--json").stdout)
        return rows


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_override_lifts_the_rule_in_this_run_and_stays_in_the_record(desk: Desk) -> None:
    blocked = {finding["rule"] for finding in desk.findings()}
    for rule in blocked:
        added = desk.add("--operator", "mira", rule=rule)
        assert added.exit_code == 0, added.output
        assert f"{rule} may pass in {desk.run.name}." in added.output
    assert "The gate keeps nothing of it here." in added.output
    assert desk.ask("check", str(desk.run)).exit_code == 0
    entries = desk.creation["validation_overrides"]
    assert {entry["problem_class"] for entry in entries} == blocked
    assert {(entry["operator"], entry["reason"]) for entry in entries} == {("mira", "the vendor names it so")}


def test_what_the_advice_says_can_be_typed(desk: Desk) -> None:
    advice = next(finding["advice"] for finding in desk.findings() if finding["rule"] == RULE)
    command = shlex.split(advice.partition("`")[2].partition("`")[0])
    assert command[0] == "exlab-sync"
    assert desk.ask(*command[1:]).exit_code == 0
    assert desk.listed()[0]["rule"] == RULE


def test_an_overridden_run_is_sent_and_history_and_log_name_who_and_why(desk: Desk) -> None:
    for equipment_id in ("CONFOCAL_01", "SEQUENCER_01", "READER_01"):
        desk.ask("destination", "adopt", equipment_id, "--local", "--yes")
    desk.ask("run", "--once")
    assert desk.ask("verify", desk.run.name).exit_code == 3
    for finding in desk.findings():
        desk.add("--operator", "mira", rule=finding["rule"], run=desk.run.name)
    desk.ask("run", "--once")
    told = json.loads(desk.ask("show", desk.run.name, "--json").stdout)
    assert told["job"]["state"] == "verified"
    (line,) = [line for line in told["history"] if line["what"].startswith(f"override of {RULE}")]
    assert (line["who"], line["what"].partition(": ")[2]) == ("mira", "the vendor names it so")
    (log,) = (desk.run / ".exlab-wizard").glob("wizard.*.log")
    assert f"override of {RULE}: the vendor names it so, by mira." in log.read_text()


def test_a_revoked_override_is_listed_with_who_ended_it(desk: Desk) -> None:
    desk.add("--operator", "mira")
    (before,) = desk.listed()
    assert (before["state"], before["operator"]) == ("in force", "mira")
    revoked = desk.ask(
        "override", "revoke", str(desk.run), before["id"][:8], "--reason", "renamed", "--operator", "otto"
    )
    assert revoked.exit_code == 0
    assert f"The override {before['id'][:8]} of {desk.run.name} was revoked. The gate still has" in revoked.output
    assert desk.listed()[0]["state"] == "revoked by otto: renamed"
    assert desk.ask("check", str(desk.run)).exit_code == 11
    again = desk.ask("override", "revoke", str(desk.run), before["id"], "--reason", "renamed")
    assert again.exit_code == 1
    assert "was revoked before" in again.stderr
    assert len(desk.creation["validation_overrides"]) == 2


def test_an_override_may_end_by_itself(desk: Desk) -> None:
    assert desk.add("--expires", "2999-01-01").exit_code == 0
    assert desk.listed()[0]["state"] == "until 2999-01-01T00:00:00Z"
    assert "2999-01-01" in desk.ask("override", "list", str(desk.run)).output


def test_an_expired_override_is_listed_as_such(desk: Desk) -> None:
    entry = {"id": "a1", "problem_class": RULE, "operator": "mira", "reason": "x", "expires_at": "2001-01-01"}
    CreationWriter().update(desk.run, lambda document: document.update(validation_overrides=[entry]))
    assert desk.listed()[0]["state"] == "expired"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda desk: desk.add("--expires", "2001-01-01"), "2001-01-01T00:00:00Z has passed already"),
        (lambda desk: desk.add("--expires", "tomorrow"), "'tomorrow' is no moment; write 2025-04-01"),
        (lambda desk: desk.add(rule="some_rule"), "'some_rule' is not one of 'unresolved_placeholder_token'"),
        (lambda desk: desk.ask("override", "add", str(desk.run), RULE), "Missing option '--reason'"),
    ],
)
def test_what_was_typed_wrongly_is_said_and_writes_nothing(
    desk: Desk, change: Callable[[Desk], Result], said: str
) -> None:
    done = change(desk)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "validation_overrides" not in desk.creation or not desk.creation["validation_overrides"]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda desk: desk.add(run="Run_nowhere"), 3, "No run is known as Run_nowhere"),
        (lambda desk: desk.ask("override", "add", str(desk.run), RULE, "--reason", " "), 1, "A reason is needed"),
        (
            lambda desk: desk.ask("override", "revoke", str(desk.run), "abc", "--reason", "x"),
            3,
            "This run has no override abc; `exlab-sync override list RUN` shows them.",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    desk: Desk, change: Callable[[Desk], Result], code: int, said: str
) -> None:
    done = change(desk)
    assert done.exit_code == code
    assert said in done.stderr


def test_only_those_on_the_allowlist_may(desk: Desk) -> None:
    with desk.lab.config_path.open("a") as config:
        config.write("\noperators: {allowlist: [mira]}\n")
    refused = desk.add("--operator", "otto")
    assert refused.exit_code == 1
    assert "otto may not let findings pass: operators.allowlist names mira." in refused.stderr
    assert desk.add("--operator", "mira").exit_code == 0
    ended = desk.ask("override", "revoke", str(desk.run), desk.listed()[0]["id"], "--reason", "x", "--operator", "otto")
    assert ended.exit_code == 1
    assert desk.listed()[0]["state"] == "in force"


def test_a_run_without_overrides_says_so(desk: Desk) -> None:
    assert desk.ask("override", "list", str(desk.run)).output == f"{desk.run.name} has no override.\n"
    assert desk.listed() == []


class TestARunIntoWhoseFolderNothingIsWritten:
    @pytest.fixture
    def plate(self, desk: Desk) -> Path:
        (desk.plain / "<sample>.csv").touch()
        return desk.plain

    def test_its_override_is_kept_in_the_store_and_counts_for_every_verb(self, desk: Desk, plate: Path) -> None:
        before = tree(plate)
        assert "Rename <sample>.csv to sample.csv, or let it pass with" in desk.ask("check", str(plate)).output
        assert f"override add {plate} illegal_filesystem_character" in desk.ask("why", str(plate)).output
        for rule in (RULE, "illegal_filesystem_character"):
            added = desk.add("--operator", "mira", rule=rule, run=str(plate))
            assert added.exit_code == 0, added.output
        assert "The gate keeps nothing of it here." in added.output
        assert desk.ask("check", str(plate)).exit_code == 0
        assert "the gate has nothing against it" in desk.ask("why", str(plate)).output
        rows = json.loads(desk.ask("override", "list", str(plate), "--json").stdout)
        assert [(row["rule"], row["operator"], row["state"]) for row in rows] == [
            (RULE, "mira", "in force"),
            ("illegal_filesystem_character", "mira", "in force"),
        ]
        assert tree(plate) == before

    def test_it_is_sent_and_its_receipt_names_who_and_why(self, desk: Desk, plate: Path) -> None:
        before = tree(plate)
        desk.ask("destination", "adopt", "READER_01", "--local", "--yes")
        assert desk.ask("enqueue", str(plate)).exit_code == 11
        for rule in (RULE, "illegal_filesystem_character"):
            desk.add("--operator", "mira", rule=rule, run=str(plate))
        assert desk.ask("enqueue", str(plate)).exit_code == 0
        desk.ask("run", "--once")
        assert json.loads(desk.ask("show", plate.name, "--json").stdout)["job"]["state"] == "verified"
        (receipt,) = desk.lab.nas.rglob(f"{plate.name}/.exlab-wizard/receipt.json")
        told = json.loads(receipt.read_text())["overrides"]
        assert {(one["problem_class"], one["operator"], one["reason"]) for one in told} == {
            (RULE, "mira", "the vendor names it so"),
            ("illegal_filesystem_character", "mira", "the vendor names it so"),
        }
        assert tree(plate) == before

    def test_a_revocation_stays_in_the_record(self, desk: Desk, plate: Path) -> None:
        desk.add("--operator", "mira", run=str(plate))
        revoke = ("override", "revoke", str(plate), "--reason", "renamed", "--operator", "otto")
        (row,) = json.loads(desk.ask("override", "list", str(plate), "--json").stdout)
        assert desk.ask(*revoke, row["id"]).exit_code == 0
        (row,) = json.loads(desk.ask("override", "list", str(plate), "--json").stdout)
        assert row["state"] == "revoked by otto: renamed"
        again = desk.ask(*revoke, row["id"])
        assert (again.exit_code, "was revoked before" in again.stderr) == (1, True)
        assert desk.ask(*revoke, "abc").exit_code == 3
        assert desk.ask("check", str(plate)).exit_code == 11

    def test_a_creation_json_that_lies_there_counts_together_with_the_store(self, desk: Desk, plate: Path) -> None:
        entry = {"id": "a1", "problem_class": RULE, "operator": "mira", "reason": "x", "revoked": False}
        creation = {"schema_version": "1.4", "paths": {}, "validation_overrides": [entry]}
        (plate / ".exlab-wizard").mkdir()
        (plate / ".exlab-wizard" / "creation.json").write_text(json.dumps(creation))
        before = tree(plate)
        desk.add(rule="illegal_filesystem_character", run=str(plate))
        assert desk.ask("check", str(plate)).exit_code == 0
        assert desk.ask("override", "revoke", str(plate), "a1", "--reason", "no").exit_code == 0
        assert desk.ask("check", str(plate)).exit_code == 11
        assert tree(plate) == before

    def test_a_record_that_cannot_be_read_lifts_nothing_and_counts_as_revoked(self) -> None:
        async def ask() -> None:
            store = MemoryStore()
            await store.open()
            place = Path("/lab/plates/plate_1")
            run = RunFolder(place, EquipmentFolder("READER_01", place.parent, Layout.PLAIN), PurePosixPath(place.name))
            await grants.record_here(store, run, {"id": "a1", "problem_class": RULE})
            assert not await grants.was_revoked_since(store, run, NOW)
            for damaged in ("{", "{}", "[1]"):
                await store.note(grants._key(run), damaged)
                assert not active_classes(await grants.recorded_here(store, run), NOW)
                assert await grants.was_revoked_since(store, run, NOW)

        asyncio.run(ask())


def tree(folder: Path) -> list[tuple[str, int, int]]:
    """Everything below *folder* with its size and time."""
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*"))
