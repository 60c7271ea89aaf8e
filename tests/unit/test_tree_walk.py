"""Does a walk tell everything that lies in a run, in order, without leaving it?"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exlab_sync_tui.errors import StoppedError
from exlab_sync_tui.model.entry import Entry, EntryKind
from exlab_sync_tui.tree import folder as folder_module
from exlab_sync_tui.tree.folder import Folder
from exlab_sync_tui.tree.walk import walk

LITTER = ("Thumbs.db", "desktop.ini", ".DS_Store", "._*")


@pytest.fixture(params=["by descriptor", "by path"])
def addressing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of looking names up: the second is that of systems without ``dir_fd``."""
    if request.param == "by path":
        monkeypatch.setattr(folder_module, "BY_DESCRIPTOR", False)


def make(root: Path, *rels: str) -> Path:
    for rel in rels:
        path = root / rel
        if rel.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rel.encode("utf-8", "surrogateescape"))
    return root


def rels(root: Path, *, keep_cache: bool = False) -> list[str]:
    return [entry.rel for entry in walk(root, keep_cache=keep_cache)]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("addressing")
def test_everything_comes_in_the_order_of_its_path_bytes(tmp_path: Path) -> None:
    make(tmp_path, "a/x", "a-b", "a.c", "a/y/z", "a0", "B", "é/1", "z")
    assert rels(tmp_path) == ["B", "a", "a-b", "a.c", "a/x", "a/y", "a/y/z", "a0", "z", "é", "é/1"]


def test_undecodable_names_stand_where_their_bytes_put_them(tmp_path: Path) -> None:
    make(tmp_path, os.fsdecode(b"\xff"), os.fsdecode(b"\x80"), "\U0001f9ea", "\uffee", "a")
    assert [os.fsencode(rel) for rel in rels(tmp_path)] == sorted(os.fsencode(path.name) for path in tmp_path.iterdir())


_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.sampled_from("-. 0A"),
    min_size=1,
    max_size=4,
).filter(lambda name: name not in (".", ".."))


@given(paths=st.lists(st.lists(_names, min_size=1, max_size=3), max_size=12))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_come_sorted_and_complete(tmp_path_factory: pytest.TempPathFactory, paths: list[list[str]]) -> None:
    root = tmp_path_factory.mktemp("tree")
    made: set[str] = set()
    for parts in paths:
        path = root.joinpath(*parts)
        if any(root.joinpath(*parts[:depth]).is_file() for depth in range(1, len(parts))) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        made |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    found = rels(root, keep_cache=True)
    assert set(found) == made
    assert [os.fsencode(rel) for rel in found] == sorted(os.fsencode(rel) for rel in made)


@pytest.mark.usefixtures("addressing")
def test_each_kind_is_told_apart_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "secret")
    run = make(tmp_path / "run", "file", "folder/inside", "hollow/")
    (run / "out").symlink_to(outside)
    (run / "lost").symlink_to("no/where")
    os.mkfifo(run / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(run / "socket"))
        found = {entry.rel: entry for entry in walk(run)}
    assert {rel: entry.kind for rel, entry in found.items()} == {
        "file": EntryKind.FILE,
        "folder": EntryKind.FOLDER,
        "folder/inside": EntryKind.FILE,
        "hollow": EntryKind.FOLDER,
        "lost": EntryKind.LINK,
        "out": EntryKind.LINK,
        "pipe": EntryKind.SPECIAL,
        "socket": EntryKind.SPECIAL,
    }
    assert (found["out"].target, found["lost"].target) == (str(outside), "no/where")
    assert (found["hollow"].empty, found["folder"].empty) == (True, False)
    info = (run / "file").stat()
    assert found["file"] == Entry("file", EntryKind.FILE, 4, info.st_mtime_ns, info.st_ino)
    assert [rel for rel, entry in found.items() if entry.is_data] == ["file", "folder/inside"]


def test_only_the_runs_own_cache_folder_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, ".exlab-wizard/creation.json", "deep/.exlab-wizard/data", "a")
    assert rels(tmp_path) == ["a", "deep", "deep/.exlab-wizard", "deep/.exlab-wizard/data"]
    assert rels(tmp_path, keep_cache=True)[:2] == [".exlab-wizard", ".exlab-wizard/creation.json"]


def test_a_file_that_only_has_the_cache_folders_name_is_data(tmp_path: Path) -> None:
    assert rels(make(tmp_path, ".exlab-wizard")) == [".exlab-wizard"]


def test_litter_is_marked_in_any_case_and_leaves_a_folder_empty(tmp_path: Path) -> None:
    make(tmp_path, "THUMBS.DB", "._a", "a.raw", "deep/Desktop.ini", "Thumbs.db.bak", "._folder/x")
    found = {entry.rel: entry for entry in walk(tmp_path, litter=LITTER)}
    assert {rel for rel, entry in found.items() if entry.litter} == {"THUMBS.DB", "._a", "deep/Desktop.ini"}
    assert found["deep"].empty
    assert not found["._folder"].empty


def test_a_tree_deeper_than_paths_and_descriptors_reach_is_walked(tmp_path: Path) -> None:
    depth, name = 1_200, "level"
    folder = Folder.root(tmp_path)
    try:
        for _ in range(depth):
            os.mkdir(name, dir_fd=folder.fd)
            os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=folder.fd))
            with folder:
                folder = folder.sub(name)
        kinds = [entry.kind for entry in walk(tmp_path)]
    finally:
        folder.close()
        subprocess.run(["rm", "-rf", tmp_path / name], check=True)  # pytest's own tidying recurses too deeply
    assert (kinds.count(EntryKind.FOLDER), kinds.count(EntryKind.FILE)) == (depth, depth)


def test_a_vanished_run_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        rels(tmp_path / "gone")
    assert caught.value.filename == str(tmp_path / "gone")


def test_a_folder_that_vanishes_meanwhile_is_an_error_that_names_it(tmp_path: Path) -> None:
    make(tmp_path, "a!", "a/x")
    steps = walk(tmp_path)
    assert [next(steps).rel, next(steps).rel] == ["a", "a!"]
    (tmp_path / "a/x").unlink()
    (tmp_path / "a").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        next(steps)
    assert caught.value.filename == f"{tmp_path}/a"


@pytest.mark.usefixtures("addressing")
def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "secret")
    run = make(tmp_path / "run", "a!", "a/")
    steps = walk(run)
    assert [next(steps).rel, next(steps).rel] == ["a", "a!"]
    (run / "a").rmdir()
    (run / "a").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        next(steps)


def test_a_file_that_vanishes_meanwhile_was_never_seen(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", "c")
    steps = walk(tmp_path)
    assert next(steps).rel == "a"
    (tmp_path / "b").unlink()
    assert [entry.rel for entry in steps] == ["c"]


def test_a_cancelled_walk_does_not_look_complete(tmp_path: Path) -> None:
    make(tmp_path, *(f"f{number}" for number in range(600)))
    answers = iter([False, True])
    before = open_descriptors()
    with pytest.raises(StoppedError):
        list(walk(tmp_path, cancelled=lambda: next(answers)))
    assert open_descriptors() == before


def test_an_abandoned_walk_leaves_no_descriptor_open(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c/d", "a/b/e")
    before = open_descriptors()
    steps = walk(tmp_path)
    for _ in range(4):
        next(steps)
    del steps
    assert open_descriptors() == before


def test_a_closed_folder_never_means_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "file")
    monkeypatch.chdir(tmp_path)
    folder = Folder.root(tmp_path)
    folder.close()
    folder.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        folder.open_file("file")


def test_inodes_need_not_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert [entry.inode for entry in walk(tmp_path, inodes=False)] == [0]
