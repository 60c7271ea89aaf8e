"""Do receipt, log and ingest history tell what happened, to people and programs without exlab-sync?"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.errors import IngestError
from exlab_sync_tui.platform import lock_file
from exlab_sync_tui.provenance.ingest import append_transition
from exlab_sync_tui.provenance.overrides import OverrideInForce
from exlab_sync_tui.provenance.receipt import PassRecord, Receipt, parse_receipt, render_receipt
from exlab_sync_tui.provenance.wizard_log import append_line, log_line, log_name

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)

RECEIPT = Receipt(
    job_id="job",
    store_id="store",
    run_path="/data/lab/Run_µ",
    destination_id="dest",
    destination_path="SPEC_02/Kelp/Runs/Run_1",
    host="scope-pc",
    user="mira",
    tool_version="0.1.0",
    started_at="2025-06-02T11:00:00Z",
    verified_at="2025-06-02T12:00:00Z",
    files=3,
    size=1 << 41,
    passes=(PassRecord("2025-06-02T12:00:00Z", "read_back"), PassRecord("2025-06-03T00:00:00Z", "remote_hash")),
    overrides=(OverrideInForce("orphan", "ov-1", "mira", "vendor", "2025-05-01T00:00:00Z"),),
    links={"a/link": "../b"},
    empty_folders=("empty",),
    specials=("pipe",),
    litter=("Thumbs.db",),
    manifest_sha256="ab" * 32,
    publish="renamed",
    revision=2,
)


def test_a_receipt_survives_being_written() -> None:
    assert parse_receipt(render_receipt(RECEIPT)) == RECEIPT


def test_a_receipt_can_be_read_without_this_program() -> None:
    document = json.loads(render_receipt(RECEIPT))
    assert document["format"] == 1
    assert document["passes"][0] == {"at": "2025-06-02T12:00:00Z", "level": "read_back"}
    assert document["overrides"][0]["operator"] == "mira"
    assert document["links"] == {"a/link": "../b"}
    assert render_receipt(RECEIPT).endswith(b"}\n")


def test_names_that_are_not_utf_8_survive_in_a_receipt() -> None:
    receipt = Receipt("job", litter=(os.fsdecode(b"\xff.db"), "é"), links={os.fsdecode(b"\xfe"): os.fsdecode(b"\xfd")})
    assert parse_receipt(render_receipt(receipt)) == receipt


def test_a_receipt_of_a_later_format_is_read_as_far_as_it_is_known() -> None:
    text = b'{"format":7,"job_id":"j","files":"many","passes":[{"at":1},5],"links":[],"litter":["a",2],"new":1}'
    assert parse_receipt(text) == Receipt("j", passes=(PassRecord("", ""),), litter=("a",))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"job_id":5}', b"\xff", b"[" * 100_000])
def test_what_is_no_receipt_is_none(data: bytes) -> None:
    assert parse_receipt(data) is None


def test_a_log_line_has_its_marks() -> None:
    line = log_line(NOW, "verified", host="pc", equipment="SPEC_02", project="Kelp", kind="experimental")
    assert line == "2025-06-02T12:00:00Z [INFO ] [host:pc] [equip:SPEC_02] [proj:Kelp] [kind:experimental] verified"
    assert "[WARN ]" in log_line(NOW, "x", level="WARNING", host="pc", equipment="E")


def test_a_log_line_is_one_line_whatever_is_told() -> None:
    line = log_line(NOW, "a\nb\x1b[2J\u202e", host="pc\n", equipment="E", project="\udc80")
    assert line.isprintable()
    assert "a\\nb\\x1b[2J" in line


def test_the_name_of_a_log_stays_in_its_folder() -> None:
    assert log_name("scope-pc.lab") == "wizard.scope-pc.lab.log"
    assert log_name("../../etc") == "wizard..._.._etc.log"
    assert log_name("") == "wizard.unknown.log"


def test_lines_are_appended(tmp_path: Path) -> None:
    assert append_line(tmp_path, "pc", "one\x1b") is None
    assert append_line(tmp_path, "pc", "two") is None
    assert (tmp_path / "wizard.pc.log").read_text() == "one\\x1b\ntwo\n"


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(tmp_path: Path) -> None:
    assert isinstance(append_line(tmp_path / "gone", "pc", "x"), FileNotFoundError)
    (tmp_path / "wizard.pc.log").symlink_to(tmp_path / "elsewhere")
    assert append_line(tmp_path, "pc", "x") is not None
    assert not (tmp_path / "elsewhere").exists()


def ingest(run: Path, text: str) -> Path:
    path = run / ".exlab-wizard" / "ingest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_transition_is_appended_and_all_else_survives(tmp_path: Path) -> None:
    start = '{"schema_version":"1.1","current_state":"complete","history":[{"state":"complete","n":1.10}],"more":null}'
    path = ingest(tmp_path, start)
    assert append_transition(tmp_path, "sync_queued", at=NOW, host="pc")
    details = {"nas_path": "E/p/Runs/Run_1", "checksum_file": "checksums.sha256"}
    later = NOW + timedelta(hours=1)
    assert append_transition(tmp_path, "sync_verified", at=later, host="pc", details=details)
    assert path.read_text() == (
        '{"schema_version":"1.1","current_state":"sync_verified","history":[{"state":"complete","n":1.10},'
        '{"state":"sync_queued","at":"2025-06-02T12:00:00Z","host":"pc"},'
        '{"state":"sync_verified","at":"2025-06-02T13:00:00Z","host":"pc","nas_path":"E/p/Runs/Run_1",'
        '"checksum_file":"checksums.sha256"}],"more":null}'
    )


def test_the_state_that_is_current_is_not_appended_again(tmp_path: Path) -> None:
    path = ingest(tmp_path, '{"current_state":"sync_queued","history":null}')
    before = path.read_bytes()
    assert append_transition(tmp_path, "sync_queued", at=NOW, host="pc")
    assert path.read_bytes() == before


def test_a_run_without_ingest_json_gets_none(tmp_path: Path) -> None:
    assert not append_transition(tmp_path, "sync_queued", at=NOW, host="pc")
    (tmp_path / ".exlab-wizard").mkdir()
    assert not append_transition(tmp_path, "sync_queued", at=NOW, host="pc")
    assert list((tmp_path / ".exlab-wizard").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "not JSON"), ('{"a":1,"a":2}', "key 'a' twice"), ('{"history":{}}', "not a list")]
)
def test_a_history_that_cannot_be_continued_is_left_alone(tmp_path: Path, text: str, reason: str) -> None:
    path = ingest(tmp_path, text)
    with pytest.raises(IngestError, match=reason):
        append_transition(tmp_path, "sync_queued", at=NOW, host="pc")
    assert path.read_text() == text


def test_a_locked_or_unwritable_history_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ingest(tmp_path, "{}")
    options: dict[str, Any] = {"at": NOW, "host": "pc", "lock_seconds": 0.1, "wait": lambda _: None}
    with lock_file(path.with_name("ingest.json.lock")), pytest.raises(IngestError, match="held by another program"):
        append_transition(tmp_path, "sync_queued", **options)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("exlab_sync_tui.provenance.ingest.write_atomic", full)
    with pytest.raises(IngestError, match="No space left"):
        append_transition(tmp_path, "sync_queued", **options)
