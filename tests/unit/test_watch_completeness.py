"""When does a run count as finished?"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from exlab_sync_tui.errors import ConfigError, StoppedError
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.run import EquipmentFolder, Layout, RunFolder
from exlab_sync_tui.watch.completeness import CompletenessOptions, Look, SignalKind, look

_START = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
_FLAG = CompletenessOptions(SignalKind.SENTINEL_FILE, sentinel_filename="done.flag", settle_seconds=30)
_QUIET = CompletenessOptions(SignalKind.QUIESCENCE, settle_seconds=600)
_LIST = CompletenessOptions(SignalKind.MANIFEST, manifest_filename="list.json", settle_seconds=30)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = tmp_path / "lab" / "Run_1"
    folder.mkdir(parents=True)
    return RunFolder(folder, EquipmentFolder("X", tmp_path / "lab", Layout.PLAIN), PurePosixPath("Run_1"))


def _write(run: RunFolder, rel: str, text: str = "data", *, at: datetime = _START) -> Path:
    path = run.path / rel
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def _after(seconds: float) -> datetime:
    return _START + timedelta(seconds=seconds)


def _look(
    run: RunFolder, options: CompletenessOptions, seconds: float, before: Look | None = None, **more: Any
) -> Look:
    known: dict[str, Any] = {"fingerprint": before.fingerprint, "since": before.since} if before else {}
    return look(run, options, at=_after(seconds), **known, **more)


def test_a_run_with_its_flag_is_finished_once_it_was_still_for_the_settle_time(run: RunFolder) -> None:
    _write(run, "a.raw")
    _write(run, "done.flag", "")
    first = _look(run, _FLAG, 1)
    assert not first.finished
    assert first.due == _after(31)
    almost = _look(run, _FLAG, 30.5, first)
    assert not almost.finished
    assert almost.since == first.since
    last = _look(run, _FLAG, 31, almost)
    assert last.finished
    assert "`done.flag` is there" in last.sentence
    assert (last.files, last.size) == (2, 4)


def test_an_old_modification_time_proves_nothing(run: RunFolder) -> None:
    """Transports keep the times of the files they copy."""
    _write(run, "a.raw", at=_START - timedelta(days=400))
    _write(run, "done.flag", at=_START - timedelta(days=400))
    first = _look(run, _FLAG, 0)
    assert not first.finished
    assert first.sentence.startswith("seen for the first time")


def test_any_change_starts_the_settle_time_anew(run: RunFolder) -> None:
    _write(run, "done.flag")
    data = _write(run, "a.raw", "1")
    first = _look(run, _FLAG, 0)
    data.write_text("12")
    os.utime(data, (_START.timestamp(), _START.timestamp()))
    second = _look(run, _FLAG, 60, first)
    assert not second.finished
    assert second.since == _after(60)
    assert second.sentence.startswith("something changed since the last look")
    assert _look(run, _FLAG, 90, second).finished


def test_the_sentence_counts_what_changed_and_names_what_is_waited_for(run: RunFolder) -> None:
    first = _look(run, _FLAG, 0)
    _write(run, "a.raw", at=_after(40))
    _write(run, "b.raw", at=_after(46))
    second = _look(run, _FLAG, 60, first)
    assert second.sentence == "2 files changed 14 s ago; waiting for `done.flag`"
    assert second.kind is HoldKind.ACQUIRING
    assert second.due is None
    third = _look(run, _FLAG, 120, second)
    assert third.sentence == "nothing has changed for 1 min; waiting for `done.flag`"


def test_without_a_settle_time_one_look_is_enough(run: RunFolder) -> None:
    _write(run, "done.flag")
    assert _look(run, replace(_FLAG, settle_seconds=0), 0).finished


def test_quiescence_needs_nothing_but_stillness(run: RunFolder) -> None:
    _write(run, "a.raw")
    first = _look(run, _QUIET, 0)
    assert not _look(run, _QUIET, 599, first).finished
    last = _look(run, _QUIET, 600, first)
    assert last.finished
    assert last.sentence == "finished: nothing has changed for 10 min"


def test_our_own_cache_folder_never_counts_as_a_change(run: RunFolder) -> None:
    _write(run, "a.raw")
    first = _look(run, _QUIET, 0)
    _write(run, ".exlab-wizard/creation.json")
    assert _look(run, _QUIET, 600, first).finished


def test_litter_neither_changes_nor_keeps_a_run(run: RunFolder) -> None:
    _write(run, "a.raw")
    first = _look(run, _QUIET, 0)
    _write(run, "Thumbs.db")
    _write(run, "._a.tmp")
    last = _look(run, _QUIET, 600, first)
    assert last.finished
    assert last.files == 1


@pytest.mark.parametrize("name", ["a.partial", "sub/b.TMP", "~$report.xlsx", "x.lock"])
def test_a_busy_name_means_unfinished(run: RunFolder, name: str) -> None:
    _write(run, name)
    _write(run, "done.flag")
    first = _look(run, _FLAG, 0)
    second = _look(run, _FLAG, 60, first)
    assert not second.finished
    assert f"`{name}` is still being written" in second.sentence


def test_a_busy_folder_name_means_unfinished_too(run: RunFolder) -> None:
    (run.path / "stack.tmp").mkdir()
    (run.path / "other.tmp").mkdir()
    second = _look(run, _QUIET, 900, _look(run, _QUIET, 0))
    assert second.sentence == "`other.tmp` and 1 more is still being written, by its name"


def test_a_forgotten_busy_file_is_named_with_what_to_do_after_a_day(run: RunFolder) -> None:
    _write(run, "a.part")
    first = _look(run, _FLAG, 0)
    day_later = _look(run, _FLAG, 86_400, first)
    assert not day_later.finished
    assert "`a.part`" in day_later.sentence
    assert "rename or remove it" in day_later.sentence


def test_the_file_of_the_signal_itself_is_never_busy(run: RunFolder) -> None:
    _write(run, "done.lock")
    options = replace(_FLAG, sentinel_filename="done.lock")
    assert _look(run, options, 30, _look(run, options, 0)).finished


def test_no_busy_patterns_means_that_no_name_is_busy(run: RunFolder) -> None:
    _write(run, "a.tmp")
    options = replace(_QUIET, busy_patterns=())
    assert _look(run, options, 600, _look(run, options, 0)).finished


def test_a_list_of_files_is_fulfilled_before_the_run_is_finished(run: RunFolder) -> None:
    _write(run, "list.json", json.dumps({"files": [{"path": "a/b.raw", "size": 4}]}))
    waiting = _look(run, _LIST, 60, _look(run, _LIST, 0))
    assert "1 of the 1 file that `list.json` lists (`a/b.raw` is not there)" in waiting.sentence
    _write(run, "a/b.raw", "data")
    assert _look(run, _LIST, 150, _look(run, _LIST, 120, waiting)).finished


def test_a_clock_that_went_back_neither_finishes_a_run_nor_holds_it_for_ever(run: RunFolder) -> None:
    _write(run, "done.flag")
    first = _look(run, _FLAG, 7200)
    back = _look(run, _FLAG, 10, first)
    assert not back.finished
    assert back.since == _after(10)
    assert _look(run, _FLAG, 40, back).finished


def test_a_clock_that_went_back_behind_the_last_look_starts_the_waiting_anew(run: RunFolder) -> None:
    _write(run, "done.flag")
    first = _look(run, _FLAG, 0)
    back = _look(run, _FLAG, 100, first, seen=_after(3600))
    assert not back.finished
    assert back.since == _after(100)


def _refuse(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Let the system refuse to open *name*, as a share does while vendor software keeps the file."""
    real = os.open

    def refusing(path: Any, *args: Any, **kwargs: Any) -> int:
        if os.fspath(path).endswith(name):
            raise OSError(code, os.strerror(code), path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)


def test_a_file_that_cannot_be_opened_keeps_the_run_and_is_named(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rel in ("ok.raw", "sub/held.raw", "sub/ok.raw", "sub2/held.raw"):
        _write(run, rel)
    first = _look(run, _QUIET, 0)
    _refuse(monkeypatch, "held.raw", errno.EACCES)
    held = _look(run, _QUIET, 600, first)
    assert not held.finished
    assert held.kind is HoldKind.LOCKED
    assert held.sentence.startswith("`sub/held.raw` and 1 more cannot be read (Permission denied)")
    monkeypatch.undo()
    assert _look(run, _QUIET, 660, held).finished


def test_files_are_not_opened_before_a_look_can_be_the_last(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(run, "held.raw")
    _refuse(monkeypatch, "held.raw", errno.EACCES)
    early = _look(run, _QUIET, 10, _look(run, _QUIET, 0))
    assert early.kind is HoldKind.ACQUIRING
    without_flag = _look(run, _FLAG, 99, _look(run, _FLAG, 0))
    assert without_flag.sentence.endswith("waiting for `done.flag`")


def test_a_folder_that_cannot_be_read_keeps_the_run(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(run, "kept/a.raw")
    first = _look(run, _QUIET, 0)
    _refuse(monkeypatch, "kept", errno.EACCES)
    torn = _look(run, _QUIET, 600, first)
    assert torn.kind is HoldKind.LOCKED
    assert "kept cannot be read (Permission denied)" in torn.sentence
    assert not torn.fingerprint
    monkeypatch.undo()
    assert not _look(run, _QUIET, 1200, torn).finished


def test_a_file_that_goes_away_under_the_look_is_a_change(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(run, "a.raw")
    first = _look(run, _QUIET, 0)
    _refuse(monkeypatch, "a.raw", errno.ENOENT)
    torn = _look(run, _QUIET, 600, first)
    assert torn.kind is HoldKind.ACQUIRING
    assert "went away" in torn.sentence
    assert not torn.fingerprint


def test_a_run_that_is_gone_is_an_error(run: RunFolder) -> None:
    run.path.rmdir()
    with pytest.raises(FileNotFoundError):
        _look(run, _FLAG, 0)


def test_a_look_can_be_stopped(run: RunFolder) -> None:
    _write(run, "a.raw")
    with pytest.raises(StoppedError):
        _look(run, _QUIET, 0, cancelled=lambda: True)


def test_hostile_names_are_made_visible(run: RunFolder) -> None:
    _write(run, "\x1b[31m.tmp")
    assert "\x1b" not in _look(run, _QUIET, 60, _look(run, _QUIET, 0)).sentence


@pytest.mark.parametrize("signal", [SignalKind.SENTINEL_FILE, SignalKind.MANIFEST])
def test_a_signal_without_its_file_name_is_refused(signal: SignalKind) -> None:
    with pytest.raises(ConfigError, match="_filename"):
        CompletenessOptions(signal)
