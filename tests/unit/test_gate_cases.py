"""Does the gate judge the worked examples as they say? One test per case of ``data/gate_cases.json``."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from exlab_sync_tui.gate.validator import GateOptions, Validator
from exlab_sync_tui.model.run import EquipmentFolder, Layout, RunFolder

_DATA = json.loads(Path(__file__).with_name("data").joinpath("gate_cases.json").read_text("utf-8"))
_AT = datetime(2025, 6, 1, tzinfo=UTC)
_MIB = 1024**2


def _content(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if "b64" in value:
        return base64.b64decode(value["b64"])
    return b"".join(text.encode() * times for text, times in value["parts"])


def _creation(case: dict[str, Any], run: Path, rel: str, template: Path) -> dict[str, Any]:
    tokens = json.dumps(_DATA["creation"]).replace("@RUN", "/".join(run.parts)).replace("@REL", rel)
    creation: dict[str, Any] = json.loads(tokens)
    creation["template"]["source_path"] = str(template)
    for key, value in case.get("creation", {}).items():
        merges = isinstance(value, dict) and isinstance(creation.get(key), dict)
        creation[key] = {**creation[key], **value} if merges else value
    for key in case.get("creation_drop", []):
        del creation[key]
    return creation


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _build(case: dict[str, Any], base: Path) -> RunFolder:
    rel = case.get("run", _DATA["run"])
    lab, template = base / case.get("root_suffix", "lab"), base / "templates" / "spectro_run"
    run = lab / rel
    run.mkdir(parents=True)
    template.mkdir(parents=True)
    for name, value in case.get("files", {}).items():
        _write(run / name, _content(value))
        _write(template / (f"{name}.jinja" if name in case.get("rendered", []) else name), b"")
    for name in case.get("dirs", []):
        (run / name).mkdir(parents=True)
    equipment_id, *below = PurePosixPath(rel).parts
    equipment = EquipmentFolder(equipment_id, lab / equipment_id, Layout.EXLAB)
    if not case.get("no_creation"):
        creation = json.dumps(_creation(case, run, rel, template)).encode()
        _write(run / ".exlab-wizard" / "creation.json", creation)
    if case.get("project_creation", True):
        _write(equipment.root / below[0] / ".exlab-wizard" / "creation.json", b"{}")
    if "readme_fields" in case:
        _write(run / ".exlab-wizard" / "readme_fields.json", json.dumps(case["readme_fields"]).encode())
    return RunFolder(run, equipment, PurePosixPath(*below))


def _options(case: dict[str, Any]) -> GateOptions:
    config = case.get("config", {})
    required = frozenset(field["id"] for field in case.get("readme_policy", []) if field.get("required"))
    plain = GateOptions()
    return GateOptions(
        content_scan_max_bytes=int(config.get("content_scan_max_mib", 5) * _MIB),
        content_scan_extensions=tuple(config.get("content_scan_extensions", plain.content_scan_extensions)),
        required_readme_fields=required,
    )


@pytest.mark.parametrize("case", _DATA["cases"], ids=lambda case: case["id"])
def test_the_gate_judges_as_the_example_says(case: dict[str, Any], tmp_path: Path) -> None:
    run = _build(case["input"], tmp_path)
    before = sorted(os.walk(tmp_path))

    verdict = Validator(_options(case["input"])).judge(run, at=_AT)

    found = {(f.rule.value, f.tier.value, f.blocks, f.offending_path) for f in verdict.findings}
    expected = case["expected"]
    assert found == {tuple(finding) for finding in expected["findings"]}
    assert sorted({finding.rule.value for finding in verdict.blocking}) == expected["blocking"]
    assert sorted(os.walk(tmp_path)) == before
