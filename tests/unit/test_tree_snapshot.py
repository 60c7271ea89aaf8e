"""Is every difference between a tree and its records seen, and nothing else?"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.model.entry import Entry, EntryKind, FileRecord
from exlab_sync_tui.tree.snapshot import Change, What, changes, fingerprint, records, same
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

_sizes = st.dictionaries(st.text("ab\udc80\uffee-/", min_size=1, max_size=3), st.integers(0, 2), max_size=8)


def _entries(sizes: dict[str, int]) -> list[Entry]:
    return [Entry(rel, EntryKind.FILE, sizes[rel]) for rel in sorted(sizes, key=os.fsencode)]


@given(before=_sizes, after=_sizes)
def test_a_merge_finds_what_a_comparison_of_all_names_finds(before: dict[str, int], after: dict[str, int]) -> None:
    found = list(changes(records(_entries(before)), _entries(after)))
    expected = dict.fromkeys(before.keys() - after.keys(), What.GONE)
    expected |= dict.fromkeys(after.keys() - before.keys(), What.ADDED)
    expected |= {rel: What.CHANGED for rel in before.keys() & after.keys() if before[rel] != after[rel]}
    assert found == [Change(rel, expected[rel]) for rel in sorted(expected, key=os.fsencode)]


def test_only_data_files_count_as_changes(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"1")
    old = list(records(walk(tmp_path)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("a.raw")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    assert list(changes(old, walk(tmp_path, litter=["Thumbs.db"]))) == []
    assert list(changes(old, walk(tmp_path))) == [Change("Thumbs.db", What.ADDED)]


def test_size_time_and_inode_make_a_file_the_same() -> None:
    record = FileRecord("a", 3, 5, 7)
    assert same(record, 3, 5, 7)
    assert same(record, 3, 5, 0)
    assert same(replace(record, inode=0), 3, 5, 9)
    assert not same(record, 4, 5, 7)
    assert not same(record, 3, 6, 7)
    assert not same(record, 3, 5, 8)


def test_a_fingerprint_changes_with_anything_but_litter(tmp_path: Path) -> None:
    litter = ["Thumbs.db"]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.raw").write_bytes(b"1")
    (tmp_path / "link").symlink_to("x")

    def now() -> str:
        return fingerprint(walk(tmp_path, litter=litter))

    still = now()
    assert now() == still
    (tmp_path / "deep/Thumbs.db").write_bytes(b"t")
    assert now() == still
    seen = {still}
    os.utime(tmp_path / "deep/a.raw", ns=(1, 1))
    seen.add(now())
    (tmp_path / "deep/a.raw").write_bytes(b"12")
    os.utime(tmp_path / "deep/a.raw", ns=(1, 1))
    seen.add(now())
    (tmp_path / "new").mkdir()
    seen.add(now())
    info = (tmp_path / "link").lstat()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("y")
    os.utime(tmp_path / "link", ns=(info.st_mtime_ns, info.st_mtime_ns), follow_symlinks=False)
    seen.add(now())
    assert len(seen) == 5
