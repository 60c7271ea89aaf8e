"""The hands that delete: what is recorded and unchanged goes, and nothing else can be reached."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.cleanup import release
from exlab_sync_tui.cleanup.release import Hands, RunFolderGoneError
from exlab_sync_tui.errors import UnsafePathError
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.tree.snapshot import records
from exlab_sync_tui.tree.walk import walk
from tests.checker import check_untouched, snapshot_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run beside other things that must not be touched."""
    folder = tmp_path / "lab" / "Run_A"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.raw").write_text("alpha")
    (folder / "deep" / "b.raw").write_text("beta")
    (folder / "deep" / "er" / "c.raw").write_text("gamma")
    (tmp_path / "lab" / "Run_B").mkdir()
    (tmp_path / "lab" / "Run_B" / "a.raw").write_text("alpha")
    return folder


def recorded(run: Path) -> list[FileRecord]:
    return list(records(walk(run)))


def left(run: Path) -> list[str]:
    return sorted(str(path.relative_to(run)) for path in run.rglob("*"))


class TestFiles:
    def test_what_is_recorded_goes_one_by_one_and_its_folders_after_it(self, run: Path) -> None:
        others = snapshot_tree(run.parent / "Run_B")
        with Hands(run) as hands:
            assert hands.unlink(recorded(run))
            assert left(run) == ["deep", "deep/er"]
            hands.remove_folders(["deep/er"])
        assert left(run) == []
        assert (hands.tally.files, hands.tally.size, hands.tally.is_whole) == (3, 14, True)
        assert not check_untouched(others, run.parent / "Run_B")

    def test_a_new_file_stays_with_its_folders(self, run: Path) -> None:
        known = recorded(run)
        (run / "deep" / "er" / "new.raw").write_text("late")
        with Hands(run) as hands:
            hands.unlink(known)
            hands.remove_folders(["deep/er", "deep"])
        assert left(run) == ["deep", "deep/er", "deep/er/new.raw"]
        assert hands.tally.is_whole

    @pytest.mark.parametrize("change", ["content", "time", "inode", "folder", "link"])
    def test_a_file_that_is_not_as_recorded_stays(self, run: Path, change: str) -> None:
        known = recorded(run)
        file = run / "a.raw"
        was = file.stat()
        if change == "content":
            file.write_text("alpha and more")
        elif change == "time":
            os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
        elif change == "inode":
            twin = run / "twin"
            twin.write_text("alpha")
            os.utime(twin, ns=(was.st_atime_ns, was.st_mtime_ns))
            twin.replace(file)
        elif change == "folder":
            file.unlink()
            file.mkdir()
        else:
            file.unlink()
            file.symlink_to(run.parent / "Run_B" / "a.raw")
        with Hands(run) as hands:
            hands.unlink(known)
        assert os.path.lexists(file)
        assert (run.parent / "Run_B" / "a.raw").read_text() == "alpha"
        assert hands.tally.changed == ["a.raw"]
        assert not hands.tally.is_whole
        assert hands.tally.files == 2

    def test_what_is_gone_already_is_no_fault(self, run: Path) -> None:
        known = recorded(run)
        (run / "deep" / "b.raw").unlink()
        (run / "deep" / "er" / "c.raw").unlink()
        (run / "deep" / "er").rmdir()
        with Hands(run) as hands:
            hands.unlink(known)
        assert (hands.tally.files, hands.tally.gone, hands.tally.is_whole) == (1, 2, True)

    def test_a_refusal_is_told_with_the_systems_words(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.unlink

        def refuse(path: str, *, dir_fd: int | None = None) -> None:
            if path == "b.raw":
                raise OSError(errno.EBUSY, "Device or resource busy")
            real(path, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", refuse)
        with Hands(run) as hands:
            hands.unlink(recorded(run))
        assert hands.tally.refused == [("deep/b.raw", "Device or resource busy")]
        assert hands.tally.files == 2

    def test_it_stops_between_two_files(self, run: Path) -> None:
        stops = iter([False, True])
        with Hands(run, stopped=lambda: next(stops)) as hands:
            assert not hands.unlink(recorded(run))
        assert hands.tally.files == 1


class TestNothingElse:
    @pytest.mark.parametrize("rel", ["../Run_B/a.raw", "/etc/hostname", "deep/../../Run_B/a.raw", "", "deep//b.raw"])
    def test_no_record_leads_out_of_the_run(self, run: Path, rel: str) -> None:
        with Hands(run) as hands, pytest.raises(UnsafePathError):
            hands.unlink([FileRecord(rel, 5, 0)])
        assert (run.parent / "Run_B" / "a.raw").exists()

    def test_a_folder_that_became_a_link_is_not_followed(self, run: Path) -> None:
        known = [record for record in recorded(run) if record.rel.startswith("deep/")]
        elsewhere = run.parent / "elsewhere"
        (run / "deep").rename(elsewhere)
        (run / "deep").symlink_to(elsewhere)
        with Hands(run) as hands:
            hands.unlink(known)
            hands.remove_folders(["deep"])
        assert sorted(hands.tally.changed) == ["deep/b.raw", "deep/er/c.raw"]
        assert (elsewhere / "b.raw").exists()
        assert (elsewhere / "er" / "c.raw").exists()

    def test_a_run_that_became_a_link_is_refused(self, run: Path) -> None:
        elsewhere = run.parent / "moved"
        run.rename(elsewhere)
        run.symlink_to(elsewhere)
        with pytest.raises(RunFolderGoneError):
            Hands(run)

    def test_a_run_that_is_gone_is_told(self, run: Path) -> None:
        with pytest.raises(RunFolderGoneError):
            Hands(run.parent / "Run_C")

    def test_folders_with_something_in_them_stay(self, run: Path) -> None:
        (run / "empty").mkdir()
        with Hands(run) as hands:
            hands.remove_folders(["empty", "deep/er", "never/was"])
        assert left(run) == ["a.raw", "deep", "deep/b.raw", "deep/er", "deep/er/c.raw"]
        assert hands.tally.is_whole


class TestLinks:
    def test_a_link_goes_if_it_points_where_it_did_and_its_target_stays(self, run: Path) -> None:
        (run / "out").symlink_to("../Run_B/a.raw")
        (run / "other").symlink_to("elsewhere")
        with Hands(run) as hands:
            hands.unlink_links({"out": "../Run_B/a.raw", "other": "a.raw", "a.raw": "x", "gone": "y"})
        assert not os.path.lexists(run / "out")
        assert os.path.lexists(run / "other")
        assert sorted(hands.tally.changed) == ["a.raw", "other"]
        assert (run.parent / "Run_B" / "a.raw").exists()


class TestCache:
    def test_files_of_which_the_bytes_were_read_back_go_and_the_folder_with_the_last(self, run: Path) -> None:
        cache = run / ".exlab-wizard"
        cache.mkdir()
        (cache / "receipt.json").write_bytes(b"{}")
        (cache / "log").write_bytes(b"grown since")
        with Hands(run) as hands:
            hands.unlink_read_back(
                {".exlab-wizard/receipt.json": b"{}", ".exlab-wizard/log": b"grown", ".exlab-wizard/gone": b""}
            )
            hands.remove_folders([], cache_too=True)
            assert hands.tally.changed == [".exlab-wizard/log"]
            (cache / "log").unlink()
            hands.remove_folders([".exlab-wizard"])
            assert cache.exists(), "only if it was asked for"
            hands.remove_folders([], cache_too=True)
        assert not cache.exists()

    def test_a_file_that_grew_in_between_stays(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache = run / ".exlab-wizard"
        cache.mkdir()
        (cache / "log").write_bytes(b"one")
        real = os.stat

        def later(path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
            if path == "log":
                (cache / "log").write_bytes(b"two!")
            return real(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

        monkeypatch.setattr(os, "stat", later)
        with Hands(run) as hands:
            hands.unlink_read_back({".exlab-wizard/log": b"one"})
        monkeypatch.undo()
        assert (cache / "log").read_bytes() == b"two!"
        assert hands.tally.changed == [".exlab-wizard/log"]


def test_without_descriptors_paths_are_joined(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "BY_DESCRIPTOR", False)
    monkeypatch.setattr("exlab_sync_tui.tree.folder.BY_DESCRIPTOR", False)
    with Hands(run) as hands:
        hands.unlink(recorded(run))
        hands.remove_folders(["deep/er"])
    assert left(run) == []


def test_a_folder_that_cannot_be_removed_for_another_reason_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "empty").mkdir()

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rmdir", refuse)
    with Hands(run) as hands:
        hands.remove_folders(["empty"])
    assert hands.tally.refused == [("empty", "Permission denied")]
