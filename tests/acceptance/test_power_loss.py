"""A power cut between two system calls: is everything on the disk before the rename that makes it visible?

The calls of the real program and its children are traced; no disk has to be switched off.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, write_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CALLS = "openat,rename,renameat,renameat2,mkdir,mkdirat,write,pwrite64,ftruncate,fsync,fdatasync,syncfs"
_LINE = re.compile(r"(?P<process>\d+) +(?P<call>\w+)\((?P<words>.*)\) += (?P<result>-?\d+)(?P<rest>.*)")
_UNFINISHED = re.compile(r"(?P<process>\d+) +(?P<begin>\w+\(.*?) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(?P<process>\d+) +<\.\.\. \w+ resumed>(?P<end>.*)")
_PATH_OF_FD = re.compile(r"\d+<([^>]*)>")
_AT = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>, "((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class Disk:
    """What a power cut would leave: names and contents that nobody has flushed are in danger.

    ``unflushed`` are files with bytes, ``unnamed`` folders with names, that have not been flushed since.
    """

    root: str
    unflushed: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    renames: list[tuple[str, str, set[str]]] = field(default_factory=list)

    def see(self, call: str, words: str, rest: str) -> None:
        if call == "syncfs":
            self.unflushed.clear()
            self.unnamed.clear()
        elif call in {"fsync", "fdatasync"}:
            path = _PATH_OF_FD.match(words)
            assert path
            self.unflushed.discard(path[1])
            self.unnamed.discard(path[1])
        elif call in {"write", "pwrite64", "ftruncate"}:
            path = _PATH_OF_FD.match(words)
            if path and self._is_far(path[1]):
                self.unflushed.add(path[1])
        elif call == "openat" and "O_CREAT" in words:
            path = _PATH_OF_FD.match(rest.strip()) or re.match(r"<([^>]*)>", rest)
            if path and self._is_far(path[1]):
                self.unflushed.add(path[1])
                self.unnamed.add(_parent(path[1]))
        elif call in {"mkdirat", "mkdir"}:
            for folder, name in _AT.findall(words):
                if self._is_far(folder):
                    self.unnamed |= {folder, f"{folder}/{name}"}
        elif call.startswith("rename"):
            self._rename(words)

    def _rename(self, words: str) -> None:
        found = _AT.findall(words)
        if len(found) != 2 or not self._is_far(found[0][0]):
            return
        old, new = (f"{folder}/{name}" for folder, name in found)
        inside = {path for path in self.unflushed | self.unnamed if path == old or path.startswith(old + "/")}
        self.renames.append((old, new, inside))
        for paths in (self.unflushed, self.unnamed):
            moved = {path for path in paths if path == old or path.startswith(old + "/")}
            paths.difference_update(moved)
            paths.update(new + path[len(old) :] for path in moved)
        self.unnamed |= {_parent(old), _parent(new)}

    def _is_far(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root + "/")


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def calls(trace: Path) -> Iterator[re.Match[str]]:
    """Finished calls in the order of their ends; a flush counts only when it has returned."""
    waiting: dict[str, str] = {}
    for line in trace.read_text(errors="surrogateescape").splitlines():
        whole = line
        if begun := _UNFINISHED.fullmatch(line):
            waiting[begun["process"]] = begun["begin"]
            continue
        if resumed := _RESUMED.fullmatch(line):
            whole = f"{resumed['process']} {waiting.pop(resumed['process'], '')}{resumed['end']}"
        found = _LINE.fullmatch(whole)
        if found and not found["result"].startswith("-"):
            yield found


def traced(lab: Lab) -> Disk:
    """Run the program once under strace; what a disk below the NAS would have lived through."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = lab.root / "trace"
    words = ["strace", "-f", "-y", "-qq", "-s", "512", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(trace)]
    done = subprocess.run([*words, *lab.command("run", "--once")], capture_output=True, text=True, check=False)
    if "PTRACE" in done.stderr and "Operation not permitted" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stdout + done.stderr
    disk = Disk(str(lab.nas))
    for found in calls(trace):
        disk.see(found["call"], found["words"], found["rest"])
    return disk


def test_a_run_is_on_the_disk_before_it_is_visible(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=130, large_mib=36)
    (run / "an empty folder").mkdir()
    disk = traced(lab)
    final = str(lab.nas / lab.place(run))
    [(_, _, in_danger)] = [one for one in disk.renames if one[1] == final]
    assert not in_danger
    assert not disk.unflushed
    assert not {path for path in disk.unnamed if "/.exlab-incoming" not in path}, "the parent is flushed after it"


def test_additions_are_on_the_disk_before_they_are_visible(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_run(lab.local / "Run_A", small=3)
    assert lab.run("run", "--once").returncode == 0
    (run / "report" / "deep").mkdir(parents=True)
    (run / "report" / "deep" / "late.csv").write_text("a;b\n")
    (run / "another.csv").write_text("c;d\n")
    disk = traced(lab)
    final = str(lab.nas / lab.place(run))
    visible = [(new, in_danger) for _, new, in_danger in disk.renames if new.startswith(final + "/")]
    assert {new for new, _ in visible} >= {f"{final}/report/deep/late.csv", f"{final}/another.csv"}
    assert [new for new, in_danger in visible if in_danger] == []
    assert visible[-1][0].endswith("/receipt.json"), "the receipt comes last"
    assert not disk.unflushed
    assert not {path for path in disk.unnamed if "/.exlab-incoming" not in path}


def test_the_watch_sees_a_rename_that_comes_too_early(tmp_path: Path) -> None:
    """Without this, the tests above could pass because nothing is recognised."""
    disk = Disk("/nas")
    disk.see("openat", '7</nas/in>, "a", O_WRONLY|O_CREAT', "</nas/in/a>")
    disk.see("write", '8</nas/in/a>, "x", 1', "")
    disk.see("fsync", "8</nas/in/a>", "")
    disk.see("write", '8</nas/in/a>, "x", 1', "")
    disk.see("renameat2", '7</nas/in>, "a", 9</nas>, "b", RENAME_NOREPLACE', "")
    assert disk.renames == [("/nas/in/a", "/nas/b", {"/nas/in/a"})]
    assert disk.unflushed == {"/nas/b"}
    assert disk.unnamed == {"/nas/in", "/nas"}


def test_the_mark_is_on_the_disk_before_the_first_local_file_goes(tmp_path: Path) -> None:
    """A power cut must never find a local file gone and the store without knowing why.

    The engine's sign of life may be on its way to the disk at that moment, but not each time.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    assert any(_is_flushed_first(tmp_path / str(attempt)) for attempt in range(3)), (
        "something that the store was told is not on the disk yet"
    )


def _is_flushed_first(root: Path) -> bool:
    """Whether nothing that the store was told was still on its way when local files went."""
    lab = Lab(root).prepare().set("nas_cleanup", min_verify_passes=1, min_age_hours=0)
    run = write_run(lab.local / "Run_A", small=3)
    trace = lab.root / "trace"
    traced_calls = "unlink,unlinkat,rmdir,write,pwrite64,fsync,fdatasync"
    words = ["strace", "-f", "-y", "-qq", "-s", "64", "-e", f"trace={traced_calls}"]
    words += ["-e", "signal=none", "-o", str(trace)]
    done = subprocess.run([*words, *lab.command("run", "--once")], capture_output=True, text=True, check=False)
    if "PTRACE" in done.stderr and "Operation not permitted" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path for path in run.rglob("*") if path.is_file()] == []
    log, unflushed, in_order, gone, folders = str(lab.state / "queue.db-wal"), False, True, 0, set()
    for found in calls(trace):
        path = _PATH_OF_FD.match(found["words"])
        if path and path[1] == log:
            unflushed = found["call"] in {"write", "pwrite64"}
        elif found["call"].startswith("unlink") and str(run) in found["words"]:
            in_order &= not unflushed
            gone += 1
            folders.add(_AT.findall(found["words"])[0][0])
        elif found["call"] == "fsync" and path:
            folders.discard(path[1])
    assert gone == 6, "five files, and their folder"
    assert folders == set(), "a power cut would bring deleted files back into a run that is called cleaned"
    return in_order
