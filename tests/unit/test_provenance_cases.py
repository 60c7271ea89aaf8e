"""Do the worked examples of the cache folder hold? One test per case of ``data/provenance_cases.json``."""

from __future__ import annotations

import copy
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exlab_sync_tui import errors
from exlab_sync_tui.provenance.creation import CREATION_NAME, CreationWriter, read_creation
from exlab_sync_tui.provenance.manifest import parse_manifest

_DATA: dict[str, Any] = json.loads(
    Path(__file__).with_name("data").joinpath("provenance_cases.json").read_text("utf-8")
)


def cases(group: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", _DATA[group], ids=lambda case: case["id"])


def put(run: Path, document: dict[str, Any]) -> Path:
    place = run / ".exlab-wizard" / CREATION_NAME
    place.parent.mkdir()
    place.write_text(json.dumps(document))
    return place


def example(case: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(_DATA["creation"]) | case.get("set", {})
    if "version" in case:
        document["schema_version"] = case["version"]
    for key in case.get("drop", ()):
        del document[key]
    return document


def ours_apart(document: dict[str, Any]) -> str:
    """All but what we may change, with its order, nulls and numbers as they stand there."""
    return json.dumps({key: value for key, value in document.items() if key not in {"schema_version", "sync_status"}})


def written(run: Path, document: dict[str, Any]) -> dict[str, Any]:
    """What is on disk after ``synced`` was written."""
    place = put(run, document)
    assert CreationWriter().set_sync_status(run, "synced") == read_creation(run)
    data = place.read_bytes()
    assert data.decode("utf-8")
    after: dict[str, Any] = json.loads(data)
    assert after["sync_status"] == "synced"
    return after


@cases("versions")
def test_a_version_is_read_or_refused(tmp_path: Path, case: dict[str, Any]) -> None:
    if "error" in case:
        place = put(tmp_path, example(case))
        before = place.read_bytes()
        for act in (read_creation, lambda run: CreationWriter().set_sync_status(run, "synced")):
            with pytest.raises(getattr(errors, case["error"])):
                act(tmp_path)
        assert place.read_bytes() == before
        return
    assert written(tmp_path, example(case))["schema_version"] == case["after"]


@cases("absent")
def test_a_part_may_be_absent_unless_nothing_can_be_known_without_it(tmp_path: Path, case: dict[str, Any]) -> None:
    document = example(case)
    if "error" in case:
        put(tmp_path, document)
        with pytest.raises(getattr(errors, case["error"])):
            read_creation(tmp_path)
        return
    assert ours_apart(written(tmp_path, document)) == ours_apart(document)


@pytest.mark.parametrize("value", _DATA["values"], ids=repr)
@cases("kept")
def test_an_unknown_key_survives_at_any_depth(tmp_path: Path, case: dict[str, Any], value: object) -> None:
    document = example(case)
    place: Any = document
    for step in case["path"][:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    place[case["path"][-1]] = value
    assert ours_apart(written(tmp_path, document)) == ours_apart(document)


@cases("unknown")
def test_an_unknown_value_is_no_error_and_is_kept(tmp_path: Path, case: dict[str, Any]) -> None:
    place = put(tmp_path, example(case))
    (key, value), *_ = case["set"].items()
    assert getattr(read_creation(tmp_path), key) == value
    CreationWriter().add_override(
        tmp_path, problem_class="orphan", operator="mira", reason="r", recorded_at=datetime(2025, 6, 1, tzinfo=UTC)
    )
    assert json.loads(place.read_bytes())[key] == value


@cases("statuses")
def test_a_status_follows_another(tmp_path: Path, case: dict[str, Any]) -> None:
    document = example({"set": {"sync_status": case["from"]}} if case["from"] else {"drop": ["sync_status"]})
    put(tmp_path, document)
    if case["to"]:
        CreationWriter().set_sync_status(tmp_path, case["to"])
    assert read_creation(tmp_path).sync_status == case["after"]


@cases("manifests")
def test_a_manifest_is_read(case: dict[str, Any]) -> None:
    manifest = parse_manifest(case["text"].encode())
    assert (manifest.entries, len(manifest.skipped)) == (case["map"], case.get("skipped", 0))


_OVERRIDE = frozenset({"id", "problem_class", "revokes", "revoked", "expires_at", "recorded_at", "operator", "reason"})
_KNOWN = frozenset(_DATA["creation"]) | _OVERRIDE
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
)
_MORE = st.dictionaries(st.text().filter(lambda key: key not in _KNOWN), _JSON, min_size=1, max_size=2)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(more=_MORE, place=st.sampled_from(["top", "paths", "template", "override"]), minor=st.integers(0, 40))
def test_whatever_another_program_adds_survives_a_write(more: dict[str, Any], place: str, minor: int) -> None:
    document = example({"version": f"1.{minor}"})
    places = {"top": document, "override": document["validation_overrides"][0]}
    (places | document)[place].update(more)
    with tempfile.TemporaryDirectory() as folder:
        after = written(Path(folder), document)
    assert ours_apart(after) == ours_apart(document)
    assert after["schema_version"] == f"1.{max(minor, 9)}"
