"""Do renaming, flushing and cache-free reading do what they promise on this system, and where it offers less?"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui import platform
from exlab_sync_tui.transport.copier import page_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _WithoutExclusiveRename:
    """The C library over a file system, such as NFS, that has no exclusive rename."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

        return refuse


@pytest.fixture(params=["native", "fallback", "fallback without links"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "native":
        monkeypatch.setattr(platform, "libc", _WithoutExclusiveRename)
    if request.param == "fallback without links":

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_a_rename_to_a_free_name_moves(tmp_path: Path, folder: int, renaming: None, what: str) -> None:
    old = tmp_path / "old"
    if what == "file":
        old.write_bytes(b"x")
    elif what == "folder":
        old.mkdir()
    else:
        old.symlink_to("nowhere")
    platform.rename_new("old", "new", old_dir=folder, new_dir=folder)
    assert not os.path.lexists(old)
    assert os.path.lexists(tmp_path / "new")


@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("there", ["file", "empty folder", "folder", "link"])
def test_a_rename_never_replaces(tmp_path: Path, renaming: None, what: str, there: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir() if what == "folder" else old.write_bytes(b"x")
    if there == "file":
        new.write_bytes(b"theirs")
    elif there == "link":
        new.symlink_to("nowhere")
    else:
        new.mkdir()
        if there == "folder":
            (new / "theirs").touch()
    inode = new.lstat().st_ino
    with pytest.raises(FileExistsError):
        platform.rename_new(str(old), str(new))
    assert old.exists()
    assert new.lstat().st_ino == inode


def test_renaming_what_is_not_there_says_so(tmp_path: Path, renaming: None) -> None:
    with pytest.raises(FileNotFoundError):
        platform.rename_new(str(tmp_path / "old"), str(tmp_path / "new"))


def test_the_file_system_of_a_descriptor_is_known(folder: int) -> None:
    proc = os.open("/proc", os.O_RDONLY)
    try:
        assert platform.file_system(proc) == "proc"
        assert platform.on_own_mount(proc)
    finally:
        os.close(proc)
    root = os.open("/", os.O_RDONLY)
    try:
        assert not platform.on_own_mount(root)
    finally:
        os.close(root)
    assert platform.file_system(folder) not in {"", "proc"}
    assert platform.file_system(-1) == ""


def test_flushing_a_file_system_reports_what_went_wrong(folder: int) -> None:
    platform.flush_file_system(folder)
    platform.flush_folder(folder)
    platform.flush_folder(None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        platform.flush_file_system(-1)


@pytest.mark.parametrize(
    ("release", "kind", "enough"),
    [
        ("6.1.0-18-amd64", "ext4", True),
        ("5.8-rc1", "nfs4", True),
        ("5.7.19", "ext4", False),
        ("4.18.0-553.el8", "xfs", False),
        ("6.1.0", "cifs", False),
        ("6.1.0", "fuse.sshfs", False),
    ],
)
def test_one_flush_for_all_is_trusted_only_where_it_reaches_and_reports(
    monkeypatch: pytest.MonkeyPatch, release: str, kind: str, enough: bool
) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "pc", release, "#1", "x86_64")))
    monkeypatch.setattr(platform, "file_system", lambda _: kind)
    assert platform.can_flush_at_once(3) is enough
    assert not platform.can_flush_at_once(None)


def test_dropped_pages_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    fd = os.open(tmp_path / "a", os.O_RDONLY)
    try:
        assert os.read(fd, 1) == b"\0"
        assert page_cache._is_cached(fd, 0, 100_000)
        if platform.file_system(fd) in {"ext4", "xfs", "btrfs"}:
            assert page_cache.drop_cached(fd, 0, 100_000)
        monkeypatch.setattr(os, "posix_fadvise", lambda *_: None)
        os.pread(fd, 100_000, 0)
        assert not page_cache.drop_cached(fd, 0, 100_000)
        assert page_cache._is_cached(-1, 0, 100_000), "what cannot be asked counts as cached"
    finally:
        os.close(fd)


def test_an_account_without_a_name_is_called_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 11111")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert platform.user_name() == str(os.getuid())
