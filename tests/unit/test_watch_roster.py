"""Only folders that changed are listed again, and no change is missed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.run import EquipmentFolder, Layout
from exlab_sync_tui.watch import roster as module
from exlab_sync_tui.watch.discovery import folders
from exlab_sync_tui.watch.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.watch.discovery import Problem

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)


class Listings:
    """The folders that were listed since the last look."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    def take(self) -> list[str]:
        seen, self._seen = sorted(self._seen), []
        return seen

    def listed(self, root: str, below: str, problem: Problem) -> Iterator[str]:
        self._seen.append(below)
        return folders(root, below, problem)


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> Listings:
    watched = Listings()
    monkeypatch.setattr(module, "folders", watched.listed)
    monkeypatch.setattr(module, "_keeps_stamps", lambda _: True)
    return watched


def no_problem(sentence: str) -> None:
    raise AssertionError(sentence)


def plain(root: Path, pattern: str = "*") -> Roster:
    return Roster(EquipmentFolder("PLAIN_01", root, Layout.PLAIN, pattern))


def names(roster: Roster, *, settled_too: bool = False) -> list[str]:
    batches = roster.batches(2, settled_too=settled_too)
    return sorted(os.path.relpath(path, roster.containers[0]) for batch in batches for path in batch)


def settle_all(roster: Roster) -> None:
    for batch in list(roster.batches(100)):
        for path in batch:
            roster.settle(path)


def test_a_container_at_rest_is_listed_once(tmp_path: Path, listings: Listings) -> None:
    (tmp_path / "a").mkdir()
    roster = plain(tmp_path)
    roster.refresh(no_problem, at=NOW)
    roster.refresh(no_problem, at=LATER)
    assert listings.take() == ["", ""], "a stamp that is as young as the listing proves nothing"
    roster.refresh(no_problem, at=LATER)
    assert listings.take() == []
    (tmp_path / "b").mkdir()
    roster.refresh(no_problem, at=LATER)
    assert listings.take() == [""]
    assert names(roster) == ["a", "b"]


def test_a_container_whose_time_was_set_back_is_listed_again(tmp_path: Path, listings: Listings) -> None:
    roster = plain(tmp_path)
    roster.refresh(no_problem, at=LATER)
    before = tmp_path.stat()
    (tmp_path / "copied").mkdir()
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    roster.refresh(no_problem, at=LATER)
    assert names(roster) == ["copied"]


def test_where_stamps_are_not_kept_every_refresh_lists(
    tmp_path: Path, listings: Listings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_keeps_stamps", lambda _: False)
    roster = plain(tmp_path)
    for _ in range(3):
        roster.refresh(no_problem, at=LATER)
    assert listings.take() == ["", "", ""]


def test_a_settled_run_stays_settled_until_it_is_reopened_or_nothing_is_believed(
    tmp_path: Path, listings: Listings
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    roster = plain(tmp_path)
    roster.refresh(no_problem, at=NOW)
    settle_all(roster)
    (tmp_path / "c").mkdir()
    roster.refresh(no_problem, at=NOW)
    assert names(roster) == ["c"]
    assert (roster.count, roster.settled_count) == (3, 2)
    roster.reopen(str(tmp_path / "a"))
    assert names(roster) == ["a", "c"]
    assert roster.is_settled(str(tmp_path / "b"))
    assert not roster.is_settled(str(tmp_path / "a"))
    roster.refresh(no_problem, at=NOW, thorough=True)
    assert names(roster) == ["a", "b", "c"]


def test_a_run_that_is_gone_is_no_longer_known(tmp_path: Path, listings: Listings) -> None:
    (tmp_path / "a").mkdir()
    roster = plain(tmp_path)
    roster.refresh(no_problem, at=NOW)
    settle_all(roster)
    (tmp_path / "a").rmdir()
    roster.refresh(no_problem, at=NOW)
    assert not roster.knows(str(tmp_path / "a"))
    roster.settle(str(tmp_path / "a"))
    roster.reopen(str(tmp_path / "elsewhere" / "a"))
    assert names(roster, settled_too=True) == []
    assert roster.runs([str(tmp_path / "a"), "/elsewhere"], no_problem) == []


def test_projects_are_always_listed_because_a_run_may_get_its_papers_later(tmp_path: Path, listings: Listings) -> None:
    place = tmp_path / "Kelp" / "misplaced"
    place.mkdir(parents=True)
    (tmp_path / "Kelp" / "Runs" / "Run_1").mkdir(parents=True)
    roster = Roster(EquipmentFolder("EXLAB_01", tmp_path, Layout.EXLAB))
    roster.refresh(no_problem, at=LATER)
    assert names(roster) == ["Kelp/Runs/Run_1"]
    (place / ".exlab-wizard").mkdir()
    (place / ".exlab-wizard" / "creation.json").write_text("{}")
    listings.take()
    roster.refresh(no_problem, at=LATER)
    assert names(roster) == ["Kelp/Runs/Run_1", "Kelp/misplaced"]
    assert listings.take() == ["Kelp"]


def test_portions_go_round_all_settled_runs(tmp_path: Path, listings: Listings) -> None:
    for name in "abcde":
        (tmp_path / name).mkdir()
    roster = plain(tmp_path)
    roster.refresh(no_problem, at=NOW)
    assert roster.portion(3) == []
    settle_all(roster)
    roster.reopen(str(tmp_path / "e"))
    seen = [path for _ in range(4) for path in roster.portion(2)]
    assert sorted(set(seen)) == [str(tmp_path / name) for name in "abcd"]
    assert len(seen) == 8
    assert len(roster.portion(100)) == 4


def test_a_container_that_cannot_be_listed_now_keeps_its_runs(
    tmp_path: Path, listings: Listings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p" / "a").mkdir(parents=True)
    roster = plain(tmp_path, "*/*")
    roster.refresh(no_problem, at=NOW)

    def refused(root: str, below: str, problem: Problem) -> Iterator[str]:
        if below == "p":
            problem("p cannot be listed")
            return iter(())
        return folders(root, below, problem)

    monkeypatch.setattr(module, "folders", refused)
    problems: list[str] = []
    roster.refresh(problems.append, at=NOW)
    assert problems == ["p cannot be listed"]
    assert names(roster) == ["p/a"]
    monkeypatch.setattr(module, "folders", listings.listed)
    roster.refresh(no_problem, at=NOW)
    assert listings.take() == ["", "", "p", "p"]


def test_an_instrument_folder_that_is_missing_is_a_problem_and_its_runs_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    (folder / "a").mkdir(parents=True)
    roster = plain(folder)
    roster.refresh(no_problem, at=NOW)
    folder.rename(tmp_path / "unplugged")
    problems: list[str] = []
    roster.refresh(problems.append, at=NOW)
    assert "does not exist" in problems[0]
    assert roster.count == 0
    (tmp_path / "unplugged").rename(folder)
    roster.refresh(no_problem, at=NOW)
    assert names(roster) == ["a"]


def test_runs_come_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate("bca"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    roster = plain(tmp_path)
    roster.refresh(no_problem, at=NOW)
    runs = roster.runs([path for batch in roster.batches(10) for path in batch], no_problem)
    assert [run.path.name for run in runs] == ["a", "c", "b"]
    assert str(runs[0].below) == "a"
