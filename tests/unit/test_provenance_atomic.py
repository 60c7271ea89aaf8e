"""Is a file replaced whole or not at all, and is a lock a lock?"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from exlab_sync_tui.platform import fsync_folder, lock_file
from exlab_sync_tui.provenance.atomic import LockBusyError, is_temp_of, locked, remove_stale, write_atomic

ACL = "system.posix_acl_access"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, b"1")
    write_atomic(path, b"22")
    assert (path.read_bytes(), names(tmp_path)) == (b"22", ["a.json"])


def test_a_new_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_atomic(tmp_path / "a.json", b"1")
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_mode_and_group_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"1")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12345, 23456)
    before = path.stat()
    write_atomic(path, b"2", keep_mode_of=path)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_an_acl_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"1")
    entries = [(1, 6, 0xFFFFFFFF), (2, 4, 4711), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, ACL, acl)
    except OSError as error:
        pytest.skip(f"no ACLs in the folder for temporary files: {error.strerror}")
    write_atomic(path, b"2", keep_mode_of=path)
    assert os.getxattr(path, ACL) == acl


def test_an_owner_that_may_not_be_given_away_does_not_stop_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"1")
    path.chmod(0o604)
    asked = []

    def refuse(_: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    write_atomic(path, b"2", keep_mode_of=path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"2", 0o604)
    assert [owner for owner, _ in asked] == [path.stat().st_uid, -1]


def test_after_an_error_the_old_file_is_there_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a.json"])


def test_the_data_is_flushed_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    fsync, replace = os.fsync, Path.replace

    def flushed(fd: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    write_atomic(tmp_path / "a.json", b"1")
    assert steps == ["file", "rename", "folder"]


def test_only_our_own_old_temp_files_are_removed(tmp_path: Path) -> None:
    for name in (".a.json.0011.tmp", ".b.json.0011.tmp", "a.json.tmp", ".a.json.bak"):
        (tmp_path / name).touch()
    (tmp_path / ".a.json.folder.tmp").mkdir()
    remove_stale(tmp_path / "a.json")
    assert names(tmp_path) == [".a.json.bak", ".a.json.folder.tmp", ".b.json.0011.tmp", "a.json.tmp"]
    assert is_temp_of(".a.json.0011.tmp", "a.json")


def test_a_lock_is_waited_for_and_given_up(tmp_path: Path) -> None:
    waited: list[float] = []
    with (
        lock_file(tmp_path / "a.lock"),
        pytest.raises(LockBusyError, match="10 seconds"),
        locked(tmp_path / "a", wait=waited.append),
    ):
        raise AssertionError
    assert sum(waited) == pytest.approx(10, abs=0.1)


def test_a_lock_that_becomes_free_is_taken_and_its_file_stays(tmp_path: Path) -> None:
    holder = lock_file(tmp_path / "a.lock")
    with locked(tmp_path / "a", wait=lambda _: holder.release()), pytest.raises(BlockingIOError):
        lock_file(tmp_path / "a.lock")
    lock_file(tmp_path / "a.lock").release()


def test_a_lock_keeps_other_processes_out_and_dies_with_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = "import sys; from pathlib import Path; from exlab_sync_tui.platform import lock_file\n"
    code += "held = lock_file(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError) as caught:
            lock_file(path)
        assert caught.value.filename == str(path)
        child.kill()
    with lock_file(path) as lock:
        assert lock.fd >= 0
    lock.release()


def test_a_lock_file_of_another_user_can_be_locked_by_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    original = os.open

    def refuse_writing(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(name))
        return original(name, flags, mode)

    monkeypatch.setattr(os, "open", refuse_writing)
    with pytest.raises(PermissionError):
        lock_file(path)
    path.touch()
    with lock_file(path), pytest.raises(BlockingIOError):
        lock_file(path)


def test_a_lock_that_the_file_system_cannot_give_is_another_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_: int, __: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks") as caught:
        lock_file(tmp_path / "a.lock")
    assert not isinstance(caught.value, BlockingIOError)
    with pytest.raises(FileNotFoundError):
        lock_file(tmp_path / "gone" / "a.lock")


def test_a_folder_that_cannot_be_flushed_by_its_nature_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(number: int) -> None:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    answer(22)
    fsync_folder(tmp_path)
    answer(5)
    with pytest.raises(OSError, match="Input/output"):
        fsync_folder(tmp_path)
