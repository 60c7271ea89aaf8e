"""Is every difference between a tree and its records seen, and nothing else?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.tree.snapshot import fingerprint, same
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from pathlib import Path


def test_size_time_and_inode_make_a_file_the_same() -> None:
    record = FileRecord("a", 3, 5, 7)
    assert same(record, 3, 5, 7)
    assert same(record, 3, 5, 0)
    assert same(record._replace(inode=0), 3, 5, 9)
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
