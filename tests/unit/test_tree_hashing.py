"""Is a digest given only for a file that held still?"""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import StoppedError, TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.tree import hashing
from exlab_sync_tui.tree.folder import Folder
from exlab_sync_tui.tree.hashing import TreeHasher, hash_file, hash_tree, source_error
from exlab_sync_tui.tree.snapshot import records
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def record(root: Path, rel: str) -> FileRecord:
    return next(known for known in records(walk(root)) if known.rel == rel)


def refusal(root: Path, known: FileRecord) -> TransportErrorKind:
    with pytest.raises(TransportError) as caught:
        hash_file(root, known)
    return caught.value.error_kind


def test_every_file_of_a_tree_gets_its_digest_in_order(tmp_path: Path) -> None:
    content = {f"d{number % 7}/f{number:03}": os.urandom(number) for number in range(300)}
    for rel, data in content.items():
        (tmp_path / rel).parent.mkdir(exist_ok=True)
        (tmp_path / rel).write_bytes(data)
    known = list(records(walk(tmp_path)))
    found = list(hash_tree(tmp_path, known, workers=2))
    assert found == [each._replace(sha256=hashlib.sha256(content[each.rel]).digest()) for each in known]


def test_a_file_larger_than_the_buffer(tmp_path: Path) -> None:
    data = os.urandom(hashing.BUFFER * 2 + 1)
    (tmp_path / "big").write_bytes(data)
    assert hash_file(tmp_path, record(tmp_path, "big")).sha256 == hashlib.sha256(data).digest()


def test_no_files_have_no_digests(tmp_path: Path) -> None:
    assert list(hash_tree(tmp_path, [])) == []


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    known = record(tmp_path, "a")
    assert refusal(tmp_path, known._replace(size=2)) is TransportErrorKind.CHANGED
    assert refusal(tmp_path, known._replace(mtime_ns=1)) is TransportErrorKind.CHANGED
    assert refusal(tmp_path, known._replace(inode=known.inode + 1)) is TransportErrorKind.CHANGED
    assert hash_file(tmp_path, known._replace(inode=0)).sha256 == hashlib.sha256(b"1").digest()


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _replace(path: Path) -> None:
    info = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"2")
    os.utime(other, ns=(info.st_atime_ns, info.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [_grow, _replace])
def test_a_change_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    known = record(tmp_path, "a")._replace(inode=0)
    original = Folder.open_regular

    class Meddled(io.FileIO):
        def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
            count = super().readinto(buffer)
            if not count:
                change(path)
            return count

    def open_regular(folder: Folder, name: str) -> io.FileIO:
        with original(folder, name) as file:
            return Meddled(os.dup(file.fileno()))

    monkeypatch.setattr(Folder, "open_regular", open_regular)
    assert refusal(tmp_path, known) is TransportErrorKind.CHANGED


def test_what_is_no_file_any_more_has_changed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"1")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        assert refusal(tmp_path, FileRecord(name, 1, 1)) is TransportErrorKind.CHANGED


def test_a_gone_file_or_folder_has_vanished(tmp_path: Path) -> None:
    assert refusal(tmp_path, FileRecord("gone", 1, 1)) is TransportErrorKind.LOCAL_FILE_VANISHED
    assert refusal(tmp_path, FileRecord("gone/a", 1, 1)) is TransportErrorKind.LOCAL_FILE_VANISHED
    with pytest.raises(TransportError) as caught:
        list(hash_tree(tmp_path / "gone", [FileRecord("a", 1, 1)]))
    assert caught.value.error_kind is TransportErrorKind.LOCAL_FILE_VANISHED


def test_a_vanished_folder_does_not_lead_the_next_file_astray(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    known = record(tmp_path, "a")
    with TreeHasher(tmp_path) as hasher:
        with pytest.raises(TransportError):
            hasher.hash(FileRecord("gone/a", 1, 1))
        assert hasher.hash(known).sha256 == hashlib.sha256(b"1").digest()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Permission denied"), TransportErrorKind.LOCKED),
        (OSError(26, "Text file busy"), TransportErrorKind.LOCKED),
        (FileNotFoundError(2, "No such file"), TransportErrorKind.LOCAL_FILE_VANISHED),
        (OSError(5, "Input/output error"), TransportErrorKind.UNKNOWN),
    ],
)
def test_an_error_of_the_source_has_its_class_and_names_the_file(error: OSError, kind: TransportErrorKind) -> None:
    found = source_error(error, "a\x1b[0m.raw")
    assert found.error_kind is kind
    assert str(found).startswith("a\\x1b[0m.raw ")


def test_what_was_hashed_before_an_error_is_given(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    known = [record(tmp_path, "a")] * 128 + [FileRecord("gone", 1, 1)]
    found = hash_tree(tmp_path, known, workers=1)
    assert [next(found).rel for _ in range(128)] == ["a"] * 128
    with pytest.raises(TransportError):
        next(found)


def test_cancelling_stops_in_the_middle_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(StoppedError):
        hash_file(tmp_path, record(tmp_path, "a"), cancelled=lambda: True)


def test_an_abandoned_tree_stops_its_threads(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"1")
    known = list(records(walk(tmp_path))) * 200
    found = hash_tree(tmp_path, known, workers=2, cancelled=lambda: False)
    assert next(found).sha256
    found.close()  # type: ignore[attr-defined]
