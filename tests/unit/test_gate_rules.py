"""What does the gate have against a name or a text?"""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.gate.rules import is_harmless, marks, mode_objections, name_objections, project_objections
from exlab_sync_tui.model.finding import Rule
from exlab_sync_tui.text import safe_text

_NAMES = st.text(
    alphabet=st.one_of(
        st.sampled_from(list('<>:"\\|?*{}%. \t\x1faAuUxXcCoOnN19é\udcff')),
        st.characters(exclude_characters="/\0"),
    ),
    min_size=1,
    max_size=40,
)
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port, n in product(("COM", "LPT"), range(1, 10)))}


def _rules(name: str) -> set[Rule]:
    return {objection.rule for objection in name_objections(name)}


@pytest.mark.parametrize(
    "name", ["data.raw", "a b.txt", "COM10.txt", "LPT0.a", ".hidden", "a}b", "50%", "naïve", "\udcff", "CONSOLE"]
)
def test_an_ordinary_name_passes(name: str) -> None:
    assert is_harmless(name)
    assert not _rules(name)


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ('a"b|c?d', {'"', "|", "?"}),
        ("a**b", {"*"}),
        ("a\nb\x1f", {"\n", "\x1f"}),
        ("trailing.", {"."}),
        ("trailing ", {" "}),
        ("a:b.", {":", "."}),
        ("a\\b", {"\\"}),
    ],
)
def test_each_illegal_character_of_a_name_is_told_once(name: str, tokens: set[str]) -> None:
    objections = list(name_objections(name))
    assert {objection.token for objection in objections} == tokens
    assert len(objections) == len(tokens)
    assert {objection.rule for objection in objections} == {Rule.ILLEGAL_FILESYSTEM_CHARACTER}


@pytest.mark.parametrize("name", ["con", "Aux.tar.gz", "nul", "LPT5.log", "com1", "PRN."])
def test_a_device_name_is_reserved_in_any_case(name: str) -> None:
    assert Rule.RESERVED_FILESYSTEM_NAME in _rules(name)


@given(_NAMES)
def test_the_quick_look_never_passes_what_a_rule_objects_to(name: str) -> None:
    wrong = (
        set(name) & set('<>:"\\|?*')
        or any(ord(character) < 32 for character in name)
        or name[-1] in ". "
        or name.partition(".")[0].upper() in _RESERVED
        or re.search(r"\{\{[^}]*\}\}|\{%[^%]*%\}", name)
    )
    assert bool(_rules(name)) == bool(wrong)
    if is_harmless(name):
        assert not wrong


@given(st.text(alphabet="{}%<>a_ 1\n", max_size=60))
def test_marks_are_those_that_the_documented_expressions_find(text: str) -> None:
    found = set(marks(text))
    jinja = re.findall(r"\{\{[^}]*\}\}", text) + re.findall(r"\{%[^%]*%\}", text)
    assert {token for rule, token in found if rule is Rule.LEFTOVER_JINJA_MARKER} == set(jinja)
    assert {token for rule, token in found if rule is Rule.UNRESOLVED_PLACEHOLDER_TOKEN} == set(
        re.findall("<[A-Za-z_][A-Za-z0-9_]*>", text)
    )


def test_a_text_of_nothing_but_openings_is_read_in_linear_time() -> None:
    """With the expressions as they are documented, this test would not end today."""
    assert not list(marks("{{" * 2**20 + "{%" * 2**20 + "<a" * 2**20))


def test_a_very_long_mark_is_shortened() -> None:
    ((_, token),) = marks("{{" + "x" * 10_000 + "}}")
    assert len(token) < 200


@pytest.mark.parametrize(
    ("kind", "leaf", "parent"),
    [
        ("experimental", "Run_1", "Runs"),
        ("test", "TestRun_1", "TestRuns"),
        (None, "Run_1", "Runs"),
        (None, "TestRun_1", "TestRuns"),
    ],
)
def test_kind_prefix_and_parent_that_agree_pass(kind: str | None, leaf: str, parent: str) -> None:
    assert not list(mode_objections(kind, leaf, parent))


@pytest.mark.parametrize(
    ("kind", "leaf", "parent"),
    [
        ("experimental", "TestRun_1", "TestRuns"),
        ("experimental", "Run_1", "TestRuns"),
        ("experimental", "run_1", "Runs"),
        ("test", "Run_1", "Runs"),
        ("test", "TestRun_1", "Runs"),
        ("calibration", "Run_1", "Runs"),
        (None, "Run_1", "TestRuns"),
        (None, "Session_4", "Kelp"),
    ],
)
def test_kind_prefix_and_parent_that_differ_are_one_objection(kind: str | None, leaf: str, parent: str) -> None:
    (objection,) = mode_objections(kind, leaf, parent)
    assert objection.rule is Rule.MODE_PREFIX_MISMATCH


@pytest.mark.parametrize("name", ["Kelp transcriptome", "2025-03 Ångström", "a.b"])
def test_a_safe_project_name_passes(name: str) -> None:
    assert not list(project_objections(name))


@pytest.mark.parametrize("name", [" Kelp", ".Kelp", "Kelp.", "Kelp ", "Kelp: one", "aux", "é" * 128, "."])
def test_an_unsafe_project_name_is_told(name: str) -> None:
    assert {objection.rule for objection in project_objections(name)} == {Rule.UNSAFE_PROJECT_NAME}


@given(_NAMES)
def test_no_detail_carries_a_control_character(name: str) -> None:
    for objection in (*name_objections(name), *project_objections(name), *mode_objections(name, name, name)):
        assert safe_text(objection.detail) == objection.detail
