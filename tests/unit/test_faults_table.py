"""The table of faults names tests that exist, and says what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance import faults
from tests.acceptance.faults import INVARIANTS, ROWS, Row
from tests.acceptance.kills import JUDGED, Kills
from tests.checker import Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("node", sorted({node for row in ROWS for node in row.tests}))
def test_every_test_that_a_row_names_is_there(node: str) -> None:
    file, _, name = node.partition("::")
    text = (_ROOT / file).read_text(encoding="utf-8")
    assert not name or f"class {name}:" in text or f"def {name}(" in text


def test_every_invariant_has_a_row() -> None:
    seen = {name for row in ROWS for name in (row.asserted | (JUDGED if row.play else frozenset()))}
    assert seen >= set(INVARIANTS)


def test_what_the_judge_objects_to_is_shown_and_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad(_: Path, _full: bool) -> Kills:  # a row's signature
        kills = Kills(met=3)
        kills.note("step 7", [Violation("S1", "Run_A/a.raw", "was deleted and the NAS does not have it"), "unnamed"])
        return kills

    def good(_: Path, _full: bool) -> Kills:  # a row's signature
        return Kills(met=2)

    def suite(_: Sequence[str], *, full: bool) -> tuple[str, list[str]]:
        return "4 tests", []

    rows = (Row("a bad one", bad), Row("a good one", good, ("tests/x.py",), frozenset({"S9"})))
    monkeypatch.setattr(faults, "ROWS", rows)
    monkeypatch.setattr(faults, "_run_tests", suite)
    assert faults.main([]) == 1
    told = capsys.readouterr()
    head, _, first, second, total = told.out.splitlines()
    assert head.split() == ["fault", "kills", *INVARIANTS, "suite"]
    assert first.split()[3:] == ["3", "NO", "ok", "ok", "ok", "ok", "ok", "ok", "-", "-", "NO", "-"]
    assert second.split()[3:] == ["2", *["ok"] * 7, "-", "t", "ok", "4", "tests"]
    assert total.startswith("5 kills met a living program")
    assert "was deleted and the NAS does not have it" in told.err
    assert faults.main(["--only", "good"]) == 0
