"""How does the gate put its findings together?"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.gate import validator as validator_module
from exlab_sync_tui.gate.advice import advice, better_name, override_command
from exlab_sync_tui.gate.rules import name_objections
from exlab_sync_tui.gate.validator import GateOptions, Validator
from exlab_sync_tui.model.entry import Entry, EntryKind
from exlab_sync_tui.model.finding import Finding, OffendingKind, Rule, Tier
from exlab_sync_tui.model.run import EquipmentFolder, Layout, RunFolder
from exlab_sync_tui.provenance.creation import read_creation
from exlab_sync_tui.tree.walk import walk

_AT = datetime(2025, 6, 1, tzinfo=UTC)
_FIELDS = GateOptions(required_readme_fields=frozenset({"stain", "objective"}))


def _document(**more: Any) -> dict[str, Any]:
    plain = {
        "schema_version": "1.8",
        "level": "run",
        "lims_project": {"uid": "u", "short_id": "P-1", "name_at_creation": "Kelp", "source": "live"},
        "template": {"name": "t", "version": "1"},
        "paths": {"local": "/elsewhere", "nas": "//nas/x"},
    }
    return {key: value for key, value in {**plain, **more}.items() if value is not None}


def _exlab(base: Path, place: str = "Kelp/Runs/Run_1", **creation: Any) -> RunFolder:
    equipment = EquipmentFolder("SPEC_02", base / "SPEC_02", Layout.EXLAB)
    run = RunFolder(equipment.root / place, equipment, PurePosixPath(place))
    run.cache.mkdir(parents=True)
    (run.cache / "creation.json").write_text(json.dumps(_document(**creation)))
    project = equipment.root / run.below.parts[0] / ".exlab-wizard"
    project.mkdir(exist_ok=True)
    (project / "creation.json").write_text("{}")
    return run


def _plain(base: Path, place: str) -> RunFolder:
    run = RunFolder(base / place, EquipmentFolder("READER", base, Layout.PLAIN, "*/*"), PurePosixPath(place))
    run.path.mkdir(parents=True)
    return run


def _override(rule: Rule, **more: Any) -> dict[str, Any]:
    said = {
        "id": "o-1",
        "operator": "mira",
        "recorded_at": "2025-01-01T00:00:00Z",
        "reason": "vendor",
        "revoked": False,
    }
    return {**said, "problem_class": rule.value, **more}


def _judge(run: RunFolder, options: GateOptions | None = None, **more: Any) -> tuple[Finding, ...]:
    return Validator(options).judge(run, at=_AT, **more).findings


def test_a_clean_run_may_leave(tmp_path: Path) -> None:
    run = _exlab(tmp_path)
    (run.path / "a.raw").write_text("1")
    verdict = Validator().judge(run, at=_AT)
    assert (verdict.findings, verdict.blocking) == ((), ())


def test_findings_come_hard_first_then_by_rule_and_path_without_duplicates(tmp_path: Path) -> None:
    run = _exlab(tmp_path, "Kelp?/Runs/Run_1", lims_project=None)
    for name in ("z?.raw", "a*b*.raw", "<x>", "nul"):
        (run.path / name).write_text("")
    findings = _judge(run)
    assert [(finding.tier.value, finding.rule.value, finding.offending_path) for finding in findings] == [
        ("hard", "illegal_filesystem_character", "."),
        ("hard", "illegal_filesystem_character", "<x>"),
        ("hard", "illegal_filesystem_character", "<x>"),
        ("hard", "illegal_filesystem_character", "a*b*.raw"),
        ("hard", "illegal_filesystem_character", "z?.raw"),
        ("hard", "reserved_filesystem_name", "nul"),
        ("hard", "unresolved_placeholder_token", "<x>"),
        ("soft", "missing_required_field", ".exlab-wizard/creation.json"),
        ("soft", "unsafe_project_name", "."),
    ]
    assert len(set(findings)) == len(findings)
    assert all(finding.run_path == str(run.path) for finding in findings)


def test_the_same_run_gives_the_same_findings_whatever_the_order_of_its_entries(tmp_path: Path) -> None:
    run = _exlab(tmp_path)
    for name in ("b?", "a*", "{{ c }}"):
        (run.path / name).write_text("")
    entries = list(walk(run.path))
    assert _judge(run) == _judge(run, entries=entries) == _judge(run, entries=reversed([*entries, *entries]))


def test_an_examination_beside_another_walk_says_the_same(tmp_path: Path) -> None:
    run = _exlab(tmp_path, template={"name": "t", "version": "1", "source_path": str(tmp_path / "template")})
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "setup.ini.jinja").write_text("")
    (run.path / "setup.ini").write_text("<date>")
    (run.path / "sub:").mkdir()
    examination = Validator().examination(run, at=_AT)
    for entry in walk(run.path):
        examination.see(entry)
    verdict = examination.verdict()
    assert verdict == Validator().judge(run, at=_AT) == examination.verdict()
    kinds = {finding.offending_path: finding.offending_kind for finding in verdict.findings}
    assert kinds == {"setup.ini": OffendingKind.FILE_CONTENT, "sub:": OffendingKind.DIRECTORY_SEGMENT}


def test_the_place_is_judged_even_if_the_run_is_empty(tmp_path: Path) -> None:
    run = _exlab(tmp_path, "Kelp/Runs/TestRun_1")
    (finding,) = Validator().examination(run, at=_AT).verdict().blocking
    assert finding.rule is Rule.MODE_PREFIX_MISMATCH


def test_given_entries_and_creation_nothing_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _exlab(tmp_path)
    creation = read_creation(run.path)

    def not_again(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(validator_module, "walk", not_again)
    monkeypatch.setattr(validator_module, "read_creation", not_again)
    (finding,) = _judge(run, entries=[Entry("a?", EntryKind.LINK)], creation=creation)
    assert finding.offending_kind is OffendingKind.FILE_NAME


def test_an_override_lifts_its_rule_until_it_expires(tmp_path: Path) -> None:
    override = _override(Rule.ILLEGAL_FILESYSTEM_CHARACTER, expires_at="2025-06-01T00:00:00Z")
    run = _exlab(tmp_path, validation_overrides=[override])
    (run.path / "a?").write_text("")
    early = Validator().judge(run, at=_AT - timedelta(seconds=1))
    assert [finding.override_active for finding in early.findings] == [True]
    assert not early.blocking
    assert Validator().judge(run, at=_AT + timedelta(seconds=1)).blocking


@pytest.mark.parametrize(
    ("status", "synced", "marked"), [("synced", False, True), ("pending", True, True), ("pending", False, False)]
)
def test_findings_of_a_run_that_has_left_are_marked(tmp_path: Path, status: str, synced: bool, marked: bool) -> None:
    run = _exlab(tmp_path, sync_status=status)
    (run.path / "a?").write_text("")
    (finding,) = _judge(run, synced=synced)
    assert finding.synced_under_prior_policy is marked


def test_an_unreadable_creation_is_an_orphan_and_lifts_nothing(tmp_path: Path) -> None:
    run = _exlab(tmp_path)
    (run.cache / "creation.json").write_text("{")
    (run.path / "a?").write_text("")
    illegal, orphan = _judge(run)
    assert illegal.blocks
    assert orphan.rule is Rule.ORPHAN
    assert "cannot be read" in orphan.rule_detail


def test_a_project_without_creation_is_an_orphan_too(tmp_path: Path) -> None:
    run = _exlab(tmp_path)
    (tmp_path / "SPEC_02/Kelp/.exlab-wizard/creation.json").unlink()
    (finding,) = _judge(run)
    assert (finding.rule, finding.tier, finding.offending_path) == (Rule.ORPHAN, Tier.SOFT, ".")
    assert "project" in finding.rule_detail


def test_a_plain_run_is_judged_from_its_own_folder_down(tmp_path: Path) -> None:
    run = _plain(tmp_path, "day: one/plate?1")
    findings = _judge(run, _FIELDS)
    assert [(finding.rule, finding.matched_token) for finding in findings] == [(Rule.ILLEGAL_FILESYSTEM_CHARACTER, "?")]


def test_a_plain_run_uses_the_records_that_it_has(tmp_path: Path) -> None:
    run = _plain(tmp_path, "day/plate?")
    run.cache.mkdir()
    (run.cache / "creation.json").write_text(
        json.dumps(_document(validation_overrides=[_override(Rule.ILLEGAL_FILESYSTEM_CHARACTER)]))
    )
    (run.cache / "readme_fields.json").write_text(json.dumps({"core_fields": {"objective": "63x"}}))
    findings = _judge(run, _FIELDS)
    assert [(finding.rule, finding.override_active) for finding in findings] == [
        (Rule.ILLEGAL_FILESYSTEM_CHARACTER, True),
        (Rule.MISSING_REQUIRED_FIELD, False),
    ]


@pytest.mark.parametrize(
    ("readme", "missing"),
    [
        ({"template_fields": {"stain": "DAPI"}, "core_fields": {"objective": 0}}, []),
        ({"custom_fields": [{"label": "stain", "value": "x"}], "config_fields": {"objective": False}}, []),
        ({"core_fields": {"objective": "  "}, "template_fields": {"stain": []}}, ["objective", "stain"]),
        (
            {"core_fields": {"objective": None}, "custom_fields": [{"label": 3, "value": "x"}, 4]},
            ["objective", "stain"],
        ),
        ({"core_fields": [], "custom_fields": {}, "system_fields": {"stain": "x"}}, ["objective"]),
        ([], ["objective", "stain"]),
        (None, ["objective", "stain"]),
    ],
)
def test_required_fields_are_there_and_say_something(tmp_path: Path, readme: Any, missing: list[str]) -> None:
    run = _exlab(tmp_path)
    if readme is not None:
        (run.cache / "readme_fields.json").write_text(json.dumps(readme))
    findings = _judge(run, _FIELDS)
    assert [finding.matched_token for finding in findings] == missing
    assert {finding.offending_path for finding in findings} <= {".exlab-wizard/readme_fields.json"}


def test_readme_fields_that_cannot_be_read_have_no_fields(tmp_path: Path) -> None:
    run = _exlab(tmp_path)
    (run.cache / "readme_fields.json").write_text("{")
    assert all("is not JSON" in finding.rule_detail for finding in _judge(run, _FIELDS))
    (run.cache / "readme_fields.json").unlink()
    (run.cache / "readme_fields.json").mkdir()
    assert all("Is a directory" in finding.rule_detail for finding in _judge(run, _FIELDS))


@pytest.mark.parametrize(("version", "told"), [("1.4", False), ("1.5", True), ("1.10", True)])
def test_a_missing_lims_project_is_told_since_schema_1_5(tmp_path: Path, version: str, told: bool) -> None:
    findings = _judge(_exlab(tmp_path, schema_version=version, lims_project=None))
    assert [finding.matched_token for finding in findings] == (["lims_project"] if told else [])


def test_a_rendered_file_that_cannot_be_read_is_an_error_not_a_pass(tmp_path: Path) -> None:
    run = _exlab(tmp_path, template={"name": "t", "version": "1", "source_path": str(tmp_path)})
    (tmp_path / "a.txt.jinja").write_text("")
    with pytest.raises(FileNotFoundError):
        _judge(run, entries=[Entry("a.txt", EntryKind.FILE, 3)])


def test_only_small_rendered_regular_files_with_the_right_extension_are_opened(tmp_path: Path) -> None:
    run = _exlab(tmp_path, template={"name": "t", "version": "1", "source_path": str(tmp_path)})
    for name in ("a.txt", "b.raw", "c.TXT", "d.txt"):
        (tmp_path / f"{name}.jinja").write_text("")
    options = GateOptions(content_scan_max_bytes=10, content_scan_extensions=("TXT",))
    (run.path / "c.TXT").write_text("<a>")
    entries = [Entry("a.txt", EntryKind.FILE, 11), Entry("b.raw", EntryKind.FILE, 1), Entry("d.txt", EntryKind.LINK, 1)]
    assert not _judge(run, options, entries=entries)
    (finding,) = _judge(run, options, entries=[Entry("c.TXT", EntryKind.FILE, 3)])
    assert finding.offending_path == "c.TXT"


def test_a_million_wrong_names_are_counted_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator_module, "_KEPT_PER_RULE", 3)
    findings = _judge(_exlab(tmp_path), entries=(Entry(f"{n}?", EntryKind.FILE) for n in range(10)))
    assert [finding.offending_path for finding in findings] == [".", "0?", "1?", "2?"]
    assert "7 more findings" in findings[0].rule_detail
    assert advice(findings[0]).startswith("Rename what these findings list, or")


def test_advice_names_a_better_name_and_the_override_to_type(tmp_path: Path) -> None:
    run = _exlab(tmp_path, "Kelp/Runs/Run_<date>")
    (run.path / "sub").mkdir()
    (run.path / "sub" / "{{ plate }}.raw").write_text("")
    said = {finding.matched_token: advice(finding) for finding in _judge(run)}
    command = f"exlab-sync override add '{run.path}'"
    assert said["{{ plate }}"] == (
        f"Rename sub/{{{{ plate }}}}.raw to plate.raw, or let it pass with "
        f'`{command} leftover_jinja_marker --reason "…"`.'
    )
    assert said["<date>"].startswith("Rename the folder Run_<date> to Run_date, or let it pass with ")


def test_advice_for_a_segment_above_names_that_segment(tmp_path: Path) -> None:
    (finding,) = [found for found in _judge(_exlab(tmp_path, "nul/Runs/Run_1")) if found.blocks]
    assert advice(finding).startswith("Rename the folder nul to nul_, or")


def test_advice_for_content_and_mode_and_every_soft_rule(tmp_path: Path) -> None:
    content = Finding(
        Rule.UNRESOLVED_PLACEHOLDER_TOKEN, Tier.HARD, "/r", "a.ini", OffendingKind.FILE_CONTENT, "<date>", "detail"
    )
    assert advice(content).startswith("Fill in `<date>` in a.ini, or")
    (mode,) = _judge(_exlab(tmp_path, "Kelp/Runs/oops"))
    assert advice(mode).startswith("Move the run to Runs/Run_…")
    for rule in (Rule.ORPHAN, Rule.MISSING_REQUIRED_FIELD, Rule.MALFORMED_YAML_FRONT_MATTER, Rule.UNSAFE_PROJECT_NAME):
        assert advice(Finding(rule, Tier.SOFT, "/r", ".", OffendingKind.DIRECTORY_SEGMENT, "", "")).endswith(".")


def test_advice_never_drives_the_terminal() -> None:
    hostile = "/lab/\x1b[31m\n$(reboot)"
    finding = Finding(
        Rule.ILLEGAL_FILESYSTEM_CHARACTER, Tier.HARD, hostile, "\x1b", OffendingKind.FILE_NAME, "\x1b", ""
    )
    assert "\x1b" not in advice(finding)
    assert override_command(finding).startswith("exlab-sync override add RUN illegal_")


@given(
    st.text(alphabet=st.characters(exclude_characters="/\0"), min_size=1, max_size=30)
    | st.sampled_from(["<<a>>", "{{<a>}}", "nul. ", "{{ a }}{% b %}", "..."])
)
def test_a_better_name_has_nothing_against_it(name: str) -> None:
    assert not list(name_objections(better_name(name)))


def test_the_gate_makes_no_file(tmp_path: Path) -> None:
    run = _exlab(tmp_path)
    before = sorted(os.walk(tmp_path))
    _judge(run, _FIELDS)
    assert sorted(os.walk(tmp_path)) == before
