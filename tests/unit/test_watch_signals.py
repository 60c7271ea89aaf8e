"""Which lists of files are believed?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import UnsafePathError
from exlab_sync_tui.model.entry import Entry, EntryKind
from exlab_sync_tui.watch import signals
from exlab_sync_tui.watch.signals import FileList, Quiet, Sentinel, parse_file_list

if TYPE_CHECKING:
    from pathlib import Path

_FILE, _LINK = EntryKind.FILE, EntryKind.LINK


def _bytes(document: object) -> bytes:
    return json.dumps(document).encode()


def test_both_forms_of_a_list_are_read() -> None:
    files = [{"path": "a/b.raw", "size": 123}, {"path": "./c", "size": 0, "md5": "…"}]
    assert parse_file_list(_bytes({"files": files})) == parse_file_list(_bytes(files)) == {"a/b.raw": 123, "c": 0}


def test_a_byte_order_mark_and_undecodable_names_are_read() -> None:
    assert parse_file_list(b'\xef\xbb\xbf[{"path": "\xff.raw", "size": 1}]') == {"\udcff.raw": 1}


def test_what_lies_in_our_own_cache_folder_is_not_waited_for() -> None:
    assert parse_file_list(_bytes([{"path": ".exlab-wizard/creation.json", "size": 1}])) == {}


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "", "a//b", "a\0b", "a/./b"])
def test_a_path_that_leaves_the_run_is_refused(path: str) -> None:
    with pytest.raises(UnsafePathError):
        parse_file_list(_bytes([{"path": path, "size": 1}]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[" * 200_000,
        b"3",
        _bytes({"fil": []}),
        _bytes({"files": {}}),
        _bytes(["a"]),
        _bytes([{"size": 1}]),
        _bytes([{"path": 3, "size": 1}]),
        _bytes([{"path": "a"}]),
        _bytes([{"path": "a", "size": "1"}]),
        _bytes([{"path": "a", "size": True}]),
        _bytes([{"path": "a", "size": -1}]),
        _bytes([{"path": "a", "size": 1.5}]),
        _bytes([{"path": "a", "size": 1}, {"path": "a", "size": 2}]),
    ],
)
def test_what_is_no_list_of_files_is_a_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        parse_file_list(data)


def test_a_list_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "MAX_LIST_BYTES", 10)
    with pytest.raises(ValueError, match="too large"):
        parse_file_list(b"[" + b" " * 10 + b"]")


def test_a_list_is_fulfilled_by_regular_files_of_the_right_size(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_bytes(
        _bytes([{"path": "a", "size": 5}, {"path": "b", "size": 6}, {"path": "c", "size": 7}])
    )
    files = FileList(tmp_path, "list.json")
    assert not files.absent()
    assert "3 of the 3 files" in files.missing()
    assert "`a` is not there" in files.missing()
    files.see(Entry("a", _FILE, 5))
    files.see(Entry("b", _FILE, 4))
    files.see(Entry("c", _LINK, 7))
    files.see(Entry("other", _FILE, 1))
    assert files.missing() == "2 of the 3 files that `list.json` lists (`b` has 4 of 6 bytes)"
    files.see(Entry("b", _FILE, 6))
    files.see(Entry("c", _FILE, 7))
    assert not files.missing()


def test_a_link_in_the_place_of_a_listed_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_bytes(_bytes([{"path": "a", "size": 5}]))
    files = FileList(tmp_path, "list.json")
    files.see(Entry("a", _LINK, 5))
    assert "`a` is no file" in files.missing()


def test_an_absent_half_written_or_hostile_list_is_waited_for(tmp_path: Path) -> None:
    assert FileList(tmp_path, "list.json").missing() == "`list.json`"
    (tmp_path / "list.json").write_bytes(b'[{"path":')
    assert "is not JSON (yet)" in FileList(tmp_path, "list.json").missing()
    (tmp_path / "list.json").write_bytes(_bytes([{"path": "../x", "size": 1}]))
    assert "does not stay inside its folder" in FileList(tmp_path, "list.json").absent()


def test_a_sentinel_is_a_regular_file(tmp_path: Path) -> None:
    assert Sentinel(tmp_path, "done").absent() == "`done`"
    (tmp_path / "done").mkdir()
    assert "no regular file" in Sentinel(tmp_path, "done").missing()
    (tmp_path / "done").rmdir()
    (tmp_path / "done").symlink_to("elsewhere")
    assert "no regular file" in Sentinel(tmp_path, "done").missing()
    (tmp_path / "done").unlink()
    (tmp_path / "done").write_bytes(b"")
    sentinel = Sentinel(tmp_path, "done")
    sentinel.see(Entry("done", _FILE))
    assert not sentinel.missing()


def test_quiescence_waits_for_nothing() -> None:
    quiet = Quiet()
    quiet.see(Entry("a", _FILE))
    assert not quiet.absent() + quiet.missing()
