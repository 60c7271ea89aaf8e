"""Does ``creation.json`` keep everything that is not ours, whoever else writes it? (cases J and S of the examples)"""

from __future__ import annotations

import copy
import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.errors import (
    CreationDuplicateKeysError,
    CreationError,
    CreationInvalidError,
    CreationLockedError,
    CreationUnwritableError,
    CreationVersionError,
    NotFoundError,
    OrphanRunError,
    RefusedError,
)
from exlab_sync_tui.model.finding import Rule
from exlab_sync_tui.platform import lock_file
from exlab_sync_tui.provenance import creation as creation_module
from exlab_sync_tui.provenance.creation import CreationWriter, read_creation
from exlab_sync_tui.provenance.overrides import active_classes

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
Json = dict[str, Any]

DOCUMENT: Json = {
    "schema_version": "1.8",
    "created_at": "2025-03-09T08:15:00Z",
    "created_by": "mira",
    "level": "run",
    "run_kind": "experimental",
    "lims_project": {
        "uid": "5b1d6c1e-77aa-4c0e-9a57-0d6d1f0f2b11",
        "short_id": "PROJ-0311",
        "name_at_creation": "Kelp transcriptome",
        "source": "live",
        "cache_freshness_at_use": None,
    },
    "template": {"name": "spectro_run", "version": "3.0", "source_path": "spectro_run", "run_scope": "both"},
    "variables": {},
    "plugins_applied": [],
    "paths": {"local": "/data/lab/run", "nas": "//vault/lab/run"},
    "sync_status": "pending",
    "validation_overrides": [],
}


def text_of(drop: tuple[str, ...] = (), **changes: object) -> str:
    document = {key: value for key, value in (copy.deepcopy(DOCUMENT) | changes).items() if key not in drop}
    return json.dumps(document)


def put(run: Path, text: str | bytes) -> Path:
    path = run / ".exlab-wizard" / "creation.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def on_disk(run: Path) -> Json:
    found: Json = json.loads((run / ".exlab-wizard" / "creation.json").read_bytes())
    return found


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / ".exlab-wizard").iterdir())


@pytest.fixture
def writer() -> CreationWriter:
    return CreationWriter(lock_seconds=0.1, wait=lambda _: None)


# reading


def test_all_fields_are_read(tmp_path: Path) -> None:
    put(tmp_path, text_of(orchestrator={"host": "pc"}, plugins_applied=[{"name": "p"}], future={"a": 1}))
    found = read_creation(tmp_path)
    assert (found.schema_version, found.version, found.created_by) == ("1.8", (1, 8), "mira")
    assert (found.level, found.run_kind, found.sync_status) == ("run", "experimental", "pending")
    assert found.template["source_path"] == "spectro_run"
    assert found.paths["nas"] == "//vault/lab/run"
    assert found.lims_project is not None
    assert found.lims_project["short_id"] == "PROJ-0311"
    assert (found.orchestrator, found.plugins_applied) == ({"host": "pc"}, ({"name": "p"},))
    assert found.raw["future"] == {"a": 1}


@pytest.mark.parametrize("version", ["1.0", "1.3", "1.5", "1.8", "1.9", "1.10", "1.99"])
def test_any_minor_of_ours_is_read_and_never_lowered(tmp_path: Path, writer: CreationWriter, version: str) -> None:
    put(tmp_path, text_of(schema_version=version))
    after = "1.9" if int(version[2:]) < 9 else version
    assert read_creation(tmp_path).schema_version == version
    assert writer.set_sync_status(tmp_path, "synced").schema_version == after
    assert (on_disk(tmp_path)["schema_version"], on_disk(tmp_path)["sync_status"]) == (after, "synced")


@pytest.mark.parametrize(
    "version", [None, "", "2.0", "0.9", "1", "1.", "1.x", "v1.8", "1.8.1", " 1.8", "1.8\n", 1.8, ["1.8"]]
)
def test_another_version_is_refused_and_left_alone(tmp_path: Path, writer: CreationWriter, version: object) -> None:
    path = put(tmp_path, text_of(schema_version=version))
    before = path.read_bytes()
    with pytest.raises(CreationVersionError):
        read_creation(tmp_path)
    with pytest.raises(CreationVersionError):
        writer.set_sync_status(tmp_path, "synced")
    assert path.read_bytes() == before


def test_a_missing_version_is_another_version(tmp_path: Path) -> None:
    put(tmp_path, text_of(drop=("schema_version",)))
    with pytest.raises(CreationVersionError, match="has schema version none"):
        read_creation(tmp_path)


def test_what_an_old_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    optional = (
        "run_kind",
        "lims_project",
        "plugins_applied",
        "sync_status",
        "validation_overrides",
        "template",
        "level",
    )
    put(tmp_path, text_of(drop=optional, schema_version="1.0"))
    found = read_creation(tmp_path)
    assert (found.run_kind, found.level, found.sync_status) == ("experimental", "run", "pending")
    assert (found.lims_project, found.validation_overrides, dict(found.template)) == (None, (), {})


def test_null_overrides_are_none_and_unknown_values_are_kept(tmp_path: Path) -> None:
    put(tmp_path, text_of(validation_overrides=None, run_kind="calibration", sync_status="half", lims_status="x"))
    found = read_creation(tmp_path)
    assert (found.validation_overrides, found.run_kind, found.sync_status) == ((), "calibration", "half")


@pytest.mark.parametrize(
    "text",
    [
        text_of(drop=("paths",)),
        text_of(paths=None),
        text_of(paths="x"),
        text_of(run_kind=1),
        text_of(template=[]),
        text_of(lims_project="x"),
        text_of(validation_overrides={}),
        text_of(validation_overrides=["x"]),
    ],
)
def test_a_part_that_is_missing_or_has_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    put(tmp_path, text)
    with pytest.raises(CreationInvalidError):
        read_creation(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", b'{"a":"\xff"}'])
def test_what_is_no_json_object_is_refused_in_a_sentence(tmp_path: Path, text: str | bytes) -> None:
    put(tmp_path / "run\x1b[2J", text)
    with pytest.raises(CreationError) as caught:
        read_creation(tmp_path / "run\x1b[2J")
    assert "run\\x1b[2J cannot be read: it is not" in str(caught.value)


def test_a_run_without_it_is_an_orphan_and_stays_as_it_was(tmp_path: Path, writer: CreationWriter) -> None:
    run = tmp_path / "run"
    for step in ("no run", "no cache folder", "no file"):
        if step == "no cache folder":
            run.mkdir()
        elif step == "no file":
            (run / ".exlab-wizard").mkdir()
        with pytest.raises(OrphanRunError):
            read_creation(run)
        with pytest.raises(OrphanRunError):
            writer.set_sync_status(run, "synced")
    assert list(run.rglob("*")) == [run / ".exlab-wizard"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = put(tmp_path / "elsewhere", text_of())
    put(tmp_path / "run", "").unlink()
    (tmp_path / "run/.exlab-wizard/creation.json").symlink_to(path)
    with pytest.raises(CreationError, match="is a link"):
        read_creation(tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/.exlab-wizard").symlink_to(path.parent)
    with pytest.raises(OrphanRunError):
        read_creation(tmp_path / "other")


def test_a_pipe_in_its_place_does_not_hang(tmp_path: Path) -> None:
    put(tmp_path, "").unlink()
    os.mkfifo(tmp_path / ".exlab-wizard/creation.json")
    with pytest.raises(CreationError, match="no file at all"):
        read_creation(tmp_path)


def test_a_file_that_may_not_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, text_of())

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CreationError, match=r"cannot be read .Permission denied.; check its permissions"):
        read_creation(tmp_path)


def test_reading_makes_no_file(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of())
    read_creation(tmp_path)
    writer.rendered(tmp_path, sync_status="synced")
    assert names(tmp_path) == ["creation.json"]


# writing


def test_everything_that_is_not_ours_survives_to_the_character(tmp_path: Path, writer: CreationWriter) -> None:
    foreign = (
        '"future":{"a":[1.10,1e400,12345678901234567890,-0.0,null,{"b":"\\u0000"}]},'
        '"template":{"name":"t","commit":"c","none":null},"paths":{"local":"l","nas":"n","alias":"a"},'
        '"plugins_applied":[{"name":"p","note":"n"}],"created_at":null,"run_kind":"calibration"'
    )
    override = '{"id":"ov","problem_class":"orphan","ticket":1.50,"expires_at":null}'
    put(tmp_path, f'{{"schema_version":"1.8",{foreign},"sync_status":"pending","validation_overrides":[{override}]}}')
    writer.set_sync_status(tmp_path, "synced")
    path = tmp_path / ".exlab-wizard/creation.json"
    expected = f'{{"schema_version":"1.9",{foreign},"sync_status":"synced","validation_overrides":[{override}]}}'
    assert path.read_text() == expected


def test_setting_a_default_is_stored(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of(sync_status="blocked_by_validation"))
    assert writer.set_sync_status(tmp_path, "pending").sync_status == "pending"
    assert on_disk(tmp_path)["sync_status"] == "pending"


@pytest.mark.parametrize(
    ("before", "status", "after"),
    [
        ("pending", "blocked_by_validation", "blocked_by_validation"),
        ("failed", "blocked_by_validation", "blocked_by_validation"),
        ("synced", "blocked_by_validation", "synced"),
        ("cleaned", "blocked_by_validation", "cleaned"),
        ("blocked_by_validation", "synced", "synced"),
        ("synced", "cleaned", "cleaned"),
        ("pending", "failed", "failed"),
        ("synced", "pending", "pending"),
    ],
)
def test_only_a_finding_of_the_gate_yields_to_what_is_settled(
    tmp_path: Path, writer: CreationWriter, before: str, status: str, after: str
) -> None:
    put(tmp_path, text_of(sync_status=before))
    assert writer.set_sync_status(tmp_path, status).sync_status == after
    assert on_disk(tmp_path)["sync_status"] == after


def test_an_explicit_null_stays_when_the_status_is_written(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of(validation_overrides=None))
    writer.set_sync_status(tmp_path, "synced")
    assert on_disk(tmp_path)["validation_overrides"] is None


def test_what_does_not_change_is_not_written(tmp_path: Path, writer: CreationWriter) -> None:
    path = put(tmp_path, text_of(schema_version="1.9", sync_status="synced"))
    before = path.stat()
    writer.set_sync_status(tmp_path, "synced")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError(5, "no")])
def test_a_change_that_raises_leaves_the_file_byte_for_byte(
    tmp_path: Path, writer: CreationWriter, error: Exception
) -> None:
    path = put(tmp_path, text_of() + "\n\n")
    before = path.read_bytes()

    def mutate(document: Json) -> None:
        document.clear()
        raise error

    with pytest.raises(type(error), match="no"):
        writer.update(tmp_path, mutate)
    assert (path.read_bytes(), names(tmp_path)) == (before, ["creation.json", "creation.json.lock"])


def test_a_change_of_what_is_not_ours_is_refused(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of())
    with pytest.raises(ValueError, match="only schema_version, sync_status, validation_overrides"):
        writer.update(tmp_path, lambda document: document["paths"].clear())
    assert on_disk(tmp_path)["paths"]["nas"]


def test_a_change_cannot_lower_the_version_or_write_what_is_no_json(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of(schema_version="1.10"))
    assert writer.update(tmp_path, lambda document: document.update(schema_version="1.2")).schema_version == "1.10"
    with pytest.raises(CreationInvalidError):
        writer.update(tmp_path, lambda document: document.update(sync_status=object()))


def test_a_file_with_a_key_twice_is_read_but_never_written(tmp_path: Path, writer: CreationWriter) -> None:
    path = put(tmp_path, text_of()[:-1] + ',"created_by":"other"}')
    before = path.read_bytes()
    assert read_creation(tmp_path).duplicate_keys == ("created_by",)
    with pytest.raises(CreationDuplicateKeysError, match="created_by"):
        writer.set_sync_status(tmp_path, "synced")
    with pytest.raises(CreationDuplicateKeysError):
        writer.rendered(tmp_path, sync_status="synced")
    assert path.read_bytes() == before


def test_a_lock_that_stays_taken_is_a_debt(tmp_path: Path, writer: CreationWriter) -> None:
    path = put(tmp_path, text_of())
    with lock_file(path.with_name("creation.json.lock")), pytest.raises(CreationLockedError, match="tried again"):
        writer.set_sync_status(tmp_path, "synced")
    assert writer.set_sync_status(tmp_path, "synced").sync_status == "synced"


@pytest.mark.parametrize("step", ["lock_file", "write_atomic"])
def test_a_write_that_the_system_refuses_is_a_debt(
    tmp_path: Path, writer: CreationWriter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    put(tmp_path, text_of())
    monkeypatch.setattr(f"exlab_sync_tui.provenance.{'atomic' if step == 'lock_file' else 'creation'}.{step}", refuse)
    with pytest.raises(CreationUnwritableError, match="Read-only file system; the change is remembered"):
        writer.set_sync_status(tmp_path, "synced")
    assert on_disk(tmp_path)["sync_status"] == "pending"


def test_temp_files_of_a_killed_writer_are_tidied_up(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of()).with_name(".creation.json.00ff00ff.tmp").write_bytes(b"{")
    writer.set_sync_status(tmp_path, "synced")
    assert names(tmp_path) == ["creation.json", "creation.json.lock"]


def test_readers_and_writers_side_by_side_lose_nothing(tmp_path: Path) -> None:
    put(tmp_path, text_of())
    failures: list[BaseException] = []

    def write(who: str) -> None:
        writer = CreationWriter()
        for number in range(25):
            writer.add_override(tmp_path, problem_class="orphan", operator=who, reason=f"{number}", recorded_at=NOW)

    def read() -> None:
        for _ in range(100):
            read_creation(tmp_path)

    def guarded(work: Any, *args: str) -> None:
        try:
            work(*args)
        except BaseException as error:  # noqa: BLE001  # whatever it is, the test tells it
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=args) for args in ((write, "a"), (write, "b"), (read,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    told = [(entry["operator"], entry["reason"]) for entry in on_disk(tmp_path)["validation_overrides"]]
    assert sorted(told) == sorted((who, str(number)) for who in "ab" for number in range(25))


# the far copy


def test_the_far_copy_says_what_the_local_file_will_say(tmp_path: Path, writer: CreationWriter) -> None:
    nameless = {"problem_class": "orphan", "operator": "mira", "reason": "r"}
    path = put(tmp_path, text_of(schema_version="1.3", validation_overrides=[nameless, nameless]))
    before = path.read_bytes()
    rendered = writer.rendered(tmp_path, sync_status="synced")
    assert path.read_bytes() == before
    writer.set_sync_status(tmp_path, "synced")
    assert path.read_bytes() == rendered
    first, second = (entry["id"] for entry in json.loads(rendered)["validation_overrides"])
    assert first != second


def test_the_far_copy_of_a_file_that_says_so_already_is_the_file(tmp_path: Path, writer: CreationWriter) -> None:
    path = put(tmp_path, text_of(schema_version="1.9", sync_status="synced"))
    assert writer.rendered(tmp_path, sync_status="synced") == path.read_bytes()


# overrides


def test_an_override_is_appended_and_revoked(tmp_path: Path) -> None:
    ids = iter(["ov-1", "tb-1", "x", "y", "z"])
    writer = CreationWriter(new_id=lambda: next(ids))
    put(tmp_path, text_of(validation_overrides=None))
    found = writer.add_override(
        tmp_path,
        problem_class=Rule.ORPHAN,
        operator="mira",
        reason="vendor naming",
        recorded_at=NOW,
        expires_at=NOW.replace(year=2026),
    )
    assert active_classes(found.validation_overrides, NOW) == {"orphan"}
    found = writer.revoke_override(tmp_path, "ov-1", operator="kim", reason="fixed", recorded_at=NOW)
    assert active_classes(found.validation_overrides, NOW) == frozenset()
    assert on_disk(tmp_path)["validation_overrides"] == [
        {
            "id": "ov-1",
            "problem_class": "orphan",
            "operator": "mira",
            "recorded_at": "2025-06-02T12:00:00Z",
            "reason": "vendor naming",
            "expires_at": "2026-06-02T12:00:00Z",
            "revoked": False,
        },
        {
            "id": "tb-1",
            "revokes": "ov-1",
            "operator": "kim",
            "recorded_at": "2025-06-02T12:00:00Z",
            "reason": "fixed",
            "revoked": True,
        },
    ]
    for unsuitable in ("ov-1", "tb-1"):
        with pytest.raises(RefusedError):
            writer.revoke_override(tmp_path, unsuitable, operator="kim", reason="again", recorded_at=NOW)
    with pytest.raises(NotFoundError):
        writer.revoke_override(tmp_path, "nobody", operator="kim", reason="fixed", recorded_at=NOW)


@pytest.mark.parametrize(
    "lacking", [{"reason": " "}, {"operator": ""}, {"problem_class": ""}], ids=["reason", "operator", "class"]
)
def test_an_override_without_a_class_a_name_or_a_reason_is_refused(tmp_path: Path, lacking: dict[str, str]) -> None:
    put(tmp_path, text_of())
    given: Json = {"problem_class": "orphan", "operator": "mira", "reason": "r"} | lacking
    with pytest.raises(RefusedError):
        CreationWriter().add_override(tmp_path, recorded_at=NOW, **given)
    assert on_disk(tmp_path)["validation_overrides"] == []


def test_an_entry_without_an_id_gets_one_at_the_next_write(tmp_path: Path, writer: CreationWriter) -> None:
    put(tmp_path, text_of(validation_overrides=[{"problem_class": "orphan"}, {"id": "ov", "problem_class": "orphan"}]))
    (first, second) = writer.set_sync_status(tmp_path, "synced").validation_overrides
    assert (len(first["id"]), second["id"]) == (36, "ov")


# the first creation.json


def test_the_first_writer_wins(tmp_path: Path, writer: CreationWriter) -> None:
    assert writer.write_creation(tmp_path, DOCUMENT).sync_status == "pending"
    path = tmp_path / ".exlab-wizard/creation.json"
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        writer.write_creation(tmp_path, DOCUMENT | {"created_by": "other"})
    assert path.read_bytes() == before
    assert json.loads(before.decode()) == DOCUMENT


def test_a_document_that_could_not_be_read_again_is_not_written(tmp_path: Path, writer: CreationWriter) -> None:
    for document in (DOCUMENT | {"schema_version": "2.0"}, DOCUMENT | {"future": float("nan")}):
        with pytest.raises(CreationError):
            writer.write_creation(tmp_path, document)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_gone_has_no_first_creation_json(tmp_path: Path, writer: CreationWriter) -> None:
    with pytest.raises(CreationUnwritableError):
        writer.write_creation(tmp_path / "gone", DOCUMENT)


def test_the_module_offers_what_the_engine_needs() -> None:
    assert set(creation_module.__all__) == {"CREATION_NAME", "Creation", "CreationWriter", "read_creation"}
