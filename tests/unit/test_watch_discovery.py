"""Which folders are runs, and which run does a path name?"""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from exlab_sync_tui.errors import NotFoundError, UnknownEquipmentError, UsageError
from exlab_sync_tui.model.run import EquipmentFolder, Layout
from exlab_sync_tui.watch.discovery import discover, locate

_NEWEST = 2_000_000_000


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    return folder


def _exlab(lab: Path) -> EquipmentFolder:
    return EquipmentFolder("SPEC_02", lab / "SPEC_02", Layout.EXLAB)


def _plain(lab: Path, pattern: str = "*") -> EquipmentFolder:
    return EquipmentFolder("READER_01", lab, Layout.PLAIN, pattern)


def _folders(root: Path, *below: str) -> None:
    """Make the folders; the first one named is the oldest."""
    for name in below:
        (root / name).mkdir(parents=True, exist_ok=True)
    for age, name in enumerate(reversed(below)):
        os.utime(root / name, (_NEWEST - age, _NEWEST - age))


def _found(equipment: EquipmentFolder) -> list[str]:
    problems: list[str] = []
    runs = [str(run.below) for run in discover(equipment, problems.append)]
    assert not problems
    return runs


def test_runs_and_test_runs_of_every_project_are_found_oldest_first(lab: Path) -> None:
    equipment = _exlab(lab)
    _folders(equipment.root, "Kelp/Runs/Run_3", "Algae/TestRuns/TestRun_1", "Kelp/Runs/Run_1")
    assert _found(equipment) == ["Kelp/Runs/Run_3", "Algae/TestRuns/TestRun_1", "Kelp/Runs/Run_1"]


def test_runs_of_one_age_come_by_name(lab: Path) -> None:
    equipment = _exlab(lab)
    _folders(equipment.root, "P/Runs/Run_b", "P/Runs/Run_a")
    for name in "ab":
        os.utime(equipment.root / f"P/Runs/Run_{name}", (1, 1))
    assert _found(equipment) == ["P/Runs/Run_a", "P/Runs/Run_b"]


def test_a_run_knows_its_real_folder_and_its_place(lab: Path) -> None:
    equipment = _exlab(lab)
    _folders(equipment.root, "Kelp/Runs/Run_1")
    (run,) = discover(equipment, print)
    assert run.path == equipment.root / "Kelp/Runs/Run_1"
    assert run.below == PurePosixPath("Kelp/Runs/Run_1")
    assert (run.equipment_id, run.project) == ("SPEC_02", "Kelp")
    assert locate(run.path, [equipment]) == run


def test_a_wrong_name_or_place_is_a_candidate_so_that_the_gate_can_say_so(lab: Path) -> None:
    equipment = _exlab(lab)
    wrong = ["P/Runs/oops", "P/runs/Run_1", "P/Run_2", "P/Old runs/Run_3", "P/Session_4"]
    _folders(equipment.root, *wrong, "P/Session_4/.exlab-wizard", "P/Docs/figures")
    (equipment.root / "P/Session_4/.exlab-wizard/creation.json").write_text("{}")
    assert sorted(_found(equipment)) == sorted(wrong)


def test_what_is_no_project_and_no_run_is_passed_over(lab: Path) -> None:
    equipment = _exlab(lab)
    _folders(
        equipment.root,
        ".exlab-wizard/Runs/Run_1",
        "P/.exlab-wizard/Run_1",
        "P/Runs/.exlab-incoming",
        "P/Runs/Run_1/Runs",
    )
    (equipment.root / "readme.txt").write_text("")
    (equipment.root / "P/Runs/notes.txt").write_text("")
    assert _found(equipment) == ["P/Runs/Run_1"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["2024", "2025", "plate"]),
        ("20*/*", ["2024/run_1", "2025/run_2"]),
        ("20??/run_[12]", ["2024/run_1", "2025/run_2"]),
        ("**/run_*", ["2024/run_1", "2025/run_2", "plate/x/run_3"]),
        ("**", ["2024", "2025", "plate"]),
        ("plate/**/run_*", ["plate/x/run_3"]),
        ("plate/**/run_3/deep", ["plate/x/run_3/deep"]),
        ("2024/../plate", []),
    ],
)
def test_a_pattern_below_a_plain_folder_makes_runs(lab: Path, pattern: str, expected: list[str]) -> None:
    _folders(lab, "2024/run_1", "2025/run_2", "plate/x/run_3/deep", ".hidden/run_4", ".exlab-incoming", "2024/.run_5")
    (lab / "run_file").write_text("")
    equipment = _plain(lab, pattern)
    assert sorted(_found(equipment)) == expected
    for below in expected:
        assert str(locate(lab / below, [equipment]).below) == below


def test_a_name_that_is_not_text_is_found_and_located(lab: Path) -> None:
    path = os.fsdecode(os.fsencode(lab) + b"/run_\xff")
    Path(path).mkdir()
    (run,) = discover(_plain(lab), print)
    assert locate(Path(path), [_plain(lab)]) == run
    assert os.fsencode(run.path).endswith(b"/run_\xff")


def test_an_instrument_folder_that_is_missing_is_a_problem(lab: Path) -> None:
    problems: list[str] = []
    assert not list(discover(_exlab(lab), problems.append))
    assert len(problems) == 1
    assert "does not exist" in problems[0]


def test_a_folder_that_cannot_be_listed_is_a_problem_and_the_others_go_on(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    equipment = _exlab(lab)
    _folders(equipment.root, "Kelp/Runs/Run_1", "Algae/Runs/Run_2")
    real = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("Kelp/Runs"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    problems: list[str] = []
    assert [str(run.below) for run in discover(equipment, problems.append)] == ["Algae/Runs/Run_2"]
    assert len(problems) == 1
    assert "Kelp/Runs cannot be listed: Permission denied" in problems[0]


@pytest.mark.parametrize(("code", "told"), [(errno.EIO, 1), (errno.ENOENT, 0)])
def test_a_run_that_cannot_be_looked_at_is_a_problem_unless_it_is_gone(
    lab: Path, monkeypatch: pytest.MonkeyPatch, code: int, told: int
) -> None:
    _folders(lab, "run_1", "run_2")
    real = os.lstat

    def refusing(path: Any, **more: Any) -> os.stat_result:
        if str(path).endswith("run_1"):
            raise OSError(code, os.strerror(code), path)
        return real(path, **more)

    monkeypatch.setattr(os, "lstat", refusing)
    problems: list[str] = []
    assert [str(run.below) for run in discover(_plain(lab), problems.append)] == ["run_2"]
    assert len(problems) == told


def test_a_container_that_vanishes_under_way_is_no_problem(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _folders(lab, "2024/run_1")
    real = os.scandir

    def gone(path: Any) -> Any:
        if str(path).endswith("2024"):
            raise FileNotFoundError(errno.ENOENT, "gone", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert not _found(_plain(lab, "*/*"))


def test_links_are_not_followed_and_one_that_leads_out_is_told(lab: Path, tmp_path: Path) -> None:
    _folders(lab, "run_1")
    (tmp_path / "elsewhere").mkdir()
    (lab / "alias").symlink_to("run_1")
    (lab / "dangling").symlink_to("nowhere")
    (lab / "out").symlink_to(tmp_path / "elsewhere")
    problems: list[str] = []
    assert [str(run.below) for run in discover(_plain(lab), problems.append)] == ["run_1"]
    assert len(problems) == 1
    assert "outside the instrument's folder" in problems[0]


def test_every_spelling_of_a_folder_is_one_run(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    equipment = _exlab(lab)
    _folders(equipment.root, "P/Runs/Run_1")
    (tmp_path / "mirror").symlink_to(lab)
    (lab / "latest").symlink_to("SPEC_02/P/Runs/Run_1")
    monkeypatch.chdir(equipment.root / "P")
    run = locate(equipment.root / "P/Runs/Run_1", [equipment])
    for spelling in (
        "Runs/Run_1/",
        "../P/Runs/../Runs/Run_1",
        tmp_path / "mirror/SPEC_02/P/Runs/Run_1",
        lab / "latest",
    ):
        assert locate(Path(spelling), [equipment]) == run


def test_an_instrument_configured_through_a_link_owns_the_real_runs(lab: Path, tmp_path: Path) -> None:
    _folders(lab / "SPEC_02", "P/Runs/Run_1")
    (tmp_path / "mirror").symlink_to(lab)
    linked = _exlab(tmp_path / "mirror")
    (run,) = discover(linked, print)
    assert run.path == lab / "SPEC_02/P/Runs/Run_1"
    assert locate(lab / "SPEC_02/P/Runs/Run_1", [linked]) == run


def test_the_instrument_with_the_longest_folder_owns_a_run(lab: Path) -> None:
    _folders(lab, "inner/run_1")
    outer, inner = _plain(lab, "*/*"), EquipmentFolder("INNER", lab / "inner", Layout.PLAIN)
    assert locate(lab / "inner/run_1", [outer, inner]).equipment_id == "INNER"
    assert locate(lab / "inner/run_1", [inner, outer]).equipment_id == "INNER"


def test_a_look_alike_folder_beside_an_instrument_is_not_its_own(lab: Path) -> None:
    _folders(lab, "SPEC_02/P/Runs/Run_1", "SPEC_02_old/P/Runs/Run_1", "backup/SPEC_02/P/Runs/Run_1")
    for stranger in ("SPEC_02_old", "backup/SPEC_02"):
        with pytest.raises(UnknownEquipmentError, match=r"SPEC_02: .*lab/SPEC_02"):
            locate(lab / stranger / "P/Runs/Run_1", [_exlab(lab)])
    with pytest.raises(UnknownEquipmentError, match="there is none"):
        locate(lab, [])


def test_a_run_in_a_wrong_place_of_its_project_is_located_for_the_gate(lab: Path) -> None:
    equipment = _exlab(lab)
    _folders(equipment.root, "Kelp/Session_4", "Kelp/runs/Run_1")
    assert str(locate(equipment.root / "Kelp/Session_4", [equipment]).below) == "Kelp/Session_4"
    assert str(locate(equipment.root / "Kelp/runs/Run_1", [equipment]).below) == "Kelp/runs/Run_1"


@pytest.mark.parametrize(
    ("below", "said"),
    [
        ("", "name one of the runs in it"),
        ("P", "project's folder"),
        ("P/Runs", "holds the runs"),
        ("P/Runs/Run_1/raw", "lies inside the run .*Run_1;"),
        ("P/Runs/Run_1/.exlab-wizard", "holds no run"),
        ("P/.exlab-wizard", "holds no run"),
        ("P/Session_4/raw", "lies inside the run .*Session_4;"),
        ("P/Session_4/raw/deep", "lies inside the run .*Session_4;"),
    ],
)
def test_a_place_where_no_run_lies_is_refused_with_what_to_name(lab: Path, below: str, said: str) -> None:
    equipment = _exlab(lab)
    _folders(
        equipment.root, "P/Runs/Run_1/raw", "P/Runs/Run_1/.exlab-wizard", "P/.exlab-wizard", "P/Session_4/raw/deep"
    )
    (equipment.root / "P/Session_4/.exlab-wizard").mkdir()
    (equipment.root / "P/Session_4/.exlab-wizard/creation.json").write_text("{}")
    with pytest.raises(UsageError, match=said):
        locate(equipment.root / below, [equipment])


@pytest.mark.parametrize(
    ("below", "said"),
    [
        ("2024", "run_pattern is `20\\*/run_\\*`"),
        ("2024/other", "is no run"),
        ("2024/run_1/raw", "lies inside the run 2024/run_1;"),
        ("2024/.run_2", "hidden"),
    ],
)
def test_a_plain_folder_that_the_pattern_does_not_match_is_refused(lab: Path, below: str, said: str) -> None:
    _folders(lab, "2024/run_1/raw", "2024/other", "2024/.run_2")
    with pytest.raises(UsageError, match=said):
        locate(lab / below, [_plain(lab, "20*/run_*")])


def test_what_is_no_folder_is_not_found(lab: Path) -> None:
    (lab / "file").write_text("")
    (lab / "loop").symlink_to("loop")
    for path in (lab / "missing", lab / "file", lab / "loop", Path("a\0b")):
        with pytest.raises(NotFoundError):
            locate(path, [_plain(lab)])
