"""What does a copying child do with one file, in every state that the far side may be in?"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui import platform
from exlab_sync_tui.transport.copier import large, page_cache, read
from exlab_sync_tui.transport.copier.read import READ_BACK, READ_BACK_CACHED
from exlab_sync_tui.transport.copier.send import Checker, Sender
from exlab_sync_tui.transport.copier.source import Source
from exlab_sync_tui.transport.copier.wire import Flow, Side
from exlab_sync_tui.tree.folder import Folder
from tests.contract.transport_lab import sha

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exlab_sync_tui.transport.copier.wire import Counts, FilePart, Outcome, Told

MIB = 1 << 20


class SilentPipe:
    """Takes what a child would tell; answers every question with leave for *portion* bytes."""

    def __init__(self, portion: int = 0) -> None:
        self.portion = portion
        self.asked = 0
        self.flow: Flow | None = None
        self.told = [0, 0, 0]

    def write(self, *frame: Any) -> None:
        if frame[0] == "at":
            self.hear(frame[1])
        if frame[0] == "ask":
            assert self.flow is not None
            self.asked += 1
            self.flow.grant(self.portion)

    def hear(self, counts: Counts) -> None:
        self.told = [before + more for before, more in zip(self.told, counts, strict=True)]


@dataclass
class Bench:
    """A run folder and an assembly, and the hands of one child."""

    near: Path
    far: Path
    pipe: SilentPipe = field(default_factory=SilentPipe)

    def __post_init__(self) -> None:
        self.flow = self.pipe.flow = Flow(self.pipe, limited=self.pipe.portion > 0)  # type: ignore[arg-type]

    def put(self, rel: str, data: bytes) -> FilePart:
        path = self.near / rel
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.part(rel)

    def part(self, rel: str) -> FilePart:
        info = (self.near / rel).lstat()
        return rel, info.st_size, info.st_mtime_ns, info.st_ino

    def leave(self, rel: str, data: bytes) -> Path:
        path = self.far / rel
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def send(self, *parts: FilePart) -> tuple[list[Outcome], Told | None]:
        with Folder.root(self.far) as far:
            sender = Sender(str(self.near), far, self.flow)
            try:
                return sender.send(parts)
            finally:
                sender.close()

    def check(self, *parts: FilePart) -> tuple[list[Outcome], Told | None]:
        with Folder.root(self.far) as far:
            checker = Checker(far, self.flow)
            try:
                return checker.check(parts)
            finally:
                checker.close()

    def sent_and_skipped(self) -> tuple[int, int]:
        """Bytes since the last call."""
        self.pipe.hear(self.flow.counts())
        (sent, skipped, _), self.pipe.told = self.pipe.told, [0, 0, 0]
        return sent, skipped


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    near, far = tmp_path / "Run_1", tmp_path / "assembly"
    near.mkdir()
    far.mkdir()
    return Bench(near, far)


@pytest.fixture(params=["small", "large"])
def size(request: pytest.FixtureRequest) -> int:
    return 3 * MIB + 777 if request.param == "small" else large.LARGE + 777


def test_the_time_is_kept_and_the_rights_are_left_to_the_destination(bench: Bench) -> None:
    part = bench.put("a", b"a")
    (bench.near / "a").chmod(0o700)
    os.utime(bench.near / "a", ns=(1, 1_234_567_890_123_456_700))
    bench.send(bench.part("a"))
    info = (bench.far / part[0]).stat()
    assert info.st_mtime_ns == 1_234_567_890_123_456_700
    assert not info.st_mode & 0o111


@pytest.mark.parametrize("there", [0, 1, 4_096, 1_000_001, MIB])
def test_a_beginning_is_continued(bench: Bench, size: int, there: int) -> None:
    data = os.urandom(size)
    part = bench.put("d/a", data)
    bench.leave("d/a", data[:there])
    outcomes, trouble = bench.send(part)
    assert trouble is None
    assert outcomes == [(sha(data), sha(data), READ_BACK)]
    assert bench.sent_and_skipped() == (size - there, there)
    assert (bench.far / "d/a").read_bytes() == data


def test_a_whole_file_is_not_even_touched(bench: Bench, size: int) -> None:
    data = os.urandom(size)
    part = bench.put("a", data)
    bench.send(part)
    before = (bench.far / "a").stat()
    bench.sent_and_skipped()
    assert bench.send(part)[0] == [(sha(data), sha(data), READ_BACK)]
    after = (bench.far / "a").stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert bench.sent_and_skipped() == (0, size)


def test_a_beginning_that_differs_is_sent_anew(bench: Bench, size: int) -> None:
    data = os.urandom(size)
    part = bench.put("a", data)
    bench.leave("a", data[: MIB - 1] + bytes([data[MIB - 1] ^ 1]))
    assert bench.send(part)[0] == [(sha(data), sha(data), READ_BACK)]
    assert bench.sent_and_skipped() == (size, 0)


def test_a_far_file_with_a_second_name_is_never_written_to(bench: Bench, size: int) -> None:
    data = os.urandom(size)
    part = bench.put("a", data)
    published = bench.leave("published", data[:MIB])
    os.link(published, bench.far / "a")
    assert bench.send(part)[0] == [(sha(data), sha(data), READ_BACK)]
    assert published.read_bytes() == data[:MIB]


@pytest.mark.parametrize("what", ["link", "folder", "fifo"])
def test_what_is_no_file_is_replaced_and_links_are_not_followed(bench: Bench, size: int, what: str) -> None:
    data = os.urandom(size)
    part = bench.put("a", data)
    elsewhere = bench.leave("elsewhere", b"theirs")
    if what == "link":
        (bench.far / "a").symlink_to(elsewhere)
    elif what == "folder":
        (bench.far / "a").mkdir()
    else:
        os.mkfifo(bench.far / "a")
    assert bench.send(part)[0] == [(sha(data), sha(data), READ_BACK)]
    assert elsewhere.read_bytes() == b"theirs"


def test_a_folder_with_something_in_it_is_not_removed(bench: Bench) -> None:
    part = bench.put("a", b"a")
    bench.leave("a/b", b"b")
    outcomes, trouble = bench.send(part)
    assert outcomes == []
    assert trouble is not None
    assert trouble[:3] == (Side.FAR, "a", errno.ENOTEMPTY)


def test_a_link_in_the_place_of_a_far_folder_is_refused(bench: Bench, tmp_path: Path) -> None:
    part = bench.put("d/a", b"a")
    (tmp_path / "outside").mkdir()
    (bench.far / "d").symlink_to(tmp_path / "outside")
    trouble = bench.send(part)[1]
    assert trouble is not None
    assert trouble[0] == Side.FOLDER
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("what", ["link", "folder", "fifo"])
def test_a_source_that_is_no_file_any_more_has_changed(bench: Bench, what: str) -> None:
    part = bench.put("a", b"a")
    (bench.near / "a").unlink()
    if what == "link":
        (bench.near / "a").symlink_to("/etc/hostname")
    elif what == "folder":
        (bench.near / "a").mkdir()
    else:
        os.mkfifo(bench.near / "a")
    trouble = bench.send(part)[1]
    assert trouble is not None
    assert trouble[0] == Side.CHANGED


@pytest.mark.parametrize("how", ["grows", "shrinks", "is replaced", "is removed", "is written to"])
def test_a_source_that_changes_while_it_is_read_is_noticed(
    bench: Bench, size: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = bench.put("a", bytes(size))
    path = bench.near / "a"
    plain = Source.read_into

    def meddle(source: Source, view: memoryview) -> int:
        monkeypatch.setattr(Source, "read_into", plain)
        if how == "grows":
            with path.open("ab") as file:
                file.write(b"more")
        elif how == "shrinks":
            os.truncate(path, 10)
        elif how == "is replaced":
            (bench.near / "b").write_bytes(bytes(size))
            os.utime(bench.near / "b", ns=(part[2], part[2]))
            (bench.near / "b").rename(path)
        elif how == "is removed":
            path.unlink()
        else:
            with path.open("r+b") as file:
                file.write(b"other")
            os.utime(path, ns=(part[2] + 1, part[2] + 1))
        return plain(source, view)

    monkeypatch.setattr(Source, "read_into", meddle)
    outcomes, trouble = bench.send((*part[:3], 0))
    assert outcomes == []
    assert trouble is not None
    assert trouble[0] == (Side.NEAR if how == "is removed" else Side.CHANGED)


def test_a_sparse_file_arrives_with_all_its_zeros(bench: Bench) -> None:
    with (bench.near / "sparse").open("wb") as file:
        file.truncate(large.LARGE + 5)
    outcomes, _ = bench.send(bench.part("sparse"))
    assert outcomes[0][0] == outcomes[0][1] == sha(bytes(large.LARGE + 5))


def test_a_name_that_the_destination_cannot_take_is_its_own_trouble(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = bench.put("a:b", b"a")
    plain = os.open

    def no_colons(path: Any, *rest: Any, **more: Any) -> int:
        if rest and rest[0] & os.O_CREAT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return plain(path, *rest, **more)

    monkeypatch.setattr(os, "open", no_colons)
    assert bench.send(part)[1] == (Side.NAME, "a:b", errno.EINVAL, "")


def test_a_destination_with_a_limit_for_files_is_named(bench: Bench, size: int) -> None:
    good, bad = bench.put("a", b"a"), bench.put("b", os.urandom(size))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    try:
        if size < large.LARGE:
            outcomes, trouble = bench.send(good, bad)
            assert outcomes == [(sha(b"a"), sha(b"a"), READ_BACK)]
        else:
            outcomes, trouble = bench.send(bad)
            assert outcomes == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert trouble == (Side.FAR, "b", errno.EFBIG, "")
    assert bench.send(bad)[1] is None
    assert bench.sent_and_skipped()[1] > 0


@pytest.fixture
def nobody() -> Iterator[tuple[Callable[[], None], Path]]:
    """A folder that everybody can enter, and a way to become nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    place = Path(tempfile.mkdtemp())
    place.chmod(0o777)
    yield lambda: os.seteuid(65_534), place
    os.seteuid(0)
    shutil.rmtree(place)


def test_an_unreadable_source_and_a_forbidden_destination_are_told_apart(
    nobody: tuple[Callable[[], None], Path],
) -> None:
    become_nobody, place = nobody
    bench = Bench(place / "near", place / "far")
    bench.near.mkdir()
    bench.far.mkdir()
    secret, plain = bench.put("secret", b"s"), bench.put("plain", b"p")
    (bench.near / "secret").chmod(0o600)
    bench.far.chmod(0o755)
    become_nobody()
    assert bench.send(plain)[1] == (Side.FAR, "plain", errno.EACCES, "")
    os.seteuid(0)
    bench.far.chmod(0o777)
    become_nobody()
    assert bench.send(secret)[1] == (Side.NEAR, "secret", errno.EACCES, "")


def test_paths_beyond_every_limit_are_walked(bench: Bench) -> None:
    names = [f"{level:03}" + "x" * 200 for level in range(40)]
    folder = Folder.root(bench.near)
    for name in names:
        os.mkdir(name, dir_fd=folder.fd)
        folder = folder.sub(name)
    fd = os.open("deep", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder.fd)
    os.write(fd, b"down here")
    info = os.fstat(fd)
    os.close(fd)
    rel = "/".join([*names, "deep"])
    assert bench.send((rel, 9, info.st_mtime_ns, info.st_ino)) == (
        [(sha(b"down here"), sha(b"down here"), READ_BACK)],
        None,
    )
    assert bench.check((rel, 9, 0, 0))[0][0][1] == sha(b"down here")


def test_fresh_digests_are_of_what_is_there(bench: Bench) -> None:
    bench.leave("longer", b"a" * 5_000)
    bench.leave("shorter", b"a" * 10)
    bench.leave("d/empty", b"")
    (bench.far / "link").symlink_to("longer")
    outcomes, trouble = bench.check(
        ("longer", 4_096, 0, 0), ("shorter", 4_096, 0, 0), ("d/empty", 0, 0, 0), ("link", 1, 0, 0), ("d", 1, 0, 0)
    )
    assert trouble is None
    assert [far for _, far, _ in outcomes] == [sha(b"a" * 5_000), sha(b"a" * 10), sha(b""), None, None]


def no_direct(*_: Any, **__: Any) -> int:
    raise OSError(errno.EINVAL, "Invalid argument")


def test_without_a_way_past_the_cache_the_pages_are_dropped_and_that_is_checked(
    bench: Bench, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_cache, "open_past_cache", no_direct)
    data = os.urandom(size)
    outcomes, _ = bench.send(bench.put("a", data))
    assert outcomes[0][:2] == (sha(data), sha(data))
    monkeypatch.setattr(page_cache, "_is_cached", lambda *_: True)
    outcomes, _ = bench.send(bench.put("b", data))
    assert outcomes == [(sha(data), sha(data), READ_BACK_CACHED)]


def test_a_file_system_that_takes_the_flag_and_refuses_the_read_is_read_plainly(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = os.preadv, list[Any]()

    def refuse_once(*arguments: Any) -> int:
        if len(arguments) == 3 and not calls:  # the far read: whether the source is in the cache is asked with a flag
            calls.append(arguments)
            raise OSError(errno.EINVAL, "Invalid argument")
        return plain(*arguments)

    monkeypatch.setattr(os, "preadv", refuse_once)
    monkeypatch.setattr(page_cache, "_is_cached", lambda *_: False)
    data = os.urandom(3 * MIB)
    assert bench.send(bench.put("a", data))[0] == [(sha(data), sha(data), READ_BACK)]


def held(path: Path) -> float:
    """How much of a file is in this PC's cache, by pieces of 1 MiB in which any page is: 0 to 1."""
    size = path.stat().st_size
    fd = os.open(path, os.O_RDONLY)
    try:
        pieces = [page_cache._is_cached(fd, start, min(MIB, size - start)) for start in range(0, size, MIB)]
    finally:
        os.close(fd)
    return sum(pieces) / len(pieces)


def forgotten(path: Path) -> bool:
    """Get a file out of the cache; whether this file system can do that and tell."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return page_cache.drop_cached(fd, 0, path.stat().st_size)
    finally:
        os.close(fd)


def test_what_only_passes_through_does_not_stay_in_memory(bench: Bench) -> None:
    part = bench.put("a", os.urandom(large.LARGE + 5))
    if not forgotten(bench.near / "a"):
        pytest.skip("this file system keeps what it has in memory")
    bench.send(part)
    assert held(bench.near / "a") < 0.2, "the kernel may keep what another processor has at hand"
    assert held(bench.far / "a") < 0.2


def test_what_was_in_memory_before_stays_there(bench: Bench) -> None:
    part = bench.put("a", os.urandom(large.LARGE + 5))
    assert held(bench.near / "a") == 1
    bench.send(part)
    assert held(bench.near / "a") == 1


@pytest.mark.parametrize(
    ("kind", "rung"), [("fuse.sshfs", READ_BACK_CACHED), ("fuseblk", READ_BACK), ("tmpfs", READ_BACK)]
)
def test_what_a_program_serves_may_come_from_that_programs_cache(
    bench: Bench, kind: str, rung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "file_system", lambda _: kind)
    assert bench.send(bench.put("a", b"a"))[0] == [(sha(b"a"), sha(b"a"), rung)]


def test_every_file_is_flushed_by_itself_where_one_call_is_not_enough(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(platform, "can_flush_at_once", lambda _: False)
    monkeypatch.setattr(platform, "flush_file", flushed.append)
    bench.send(bench.put("a", b"a"), bench.put("b", b"b"))
    assert len(flushed) == 2


def test_a_flush_that_fails_proves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(platform, "can_flush_at_once", lambda _: True)
    monkeypatch.setattr(platform, "flush_file_system", fail)
    outcomes, trouble = bench.send(bench.put("a", b"a"), bench.put("b", b"b"))
    assert outcomes == []
    assert trouble == (Side.FAR, "", errno.EIO, "")


def test_a_limit_is_asked_for_every_byte_on_both_ways(bench: Bench, size: int) -> None:
    bench = Bench(bench.near, bench.far, SilentPipe(portion=40_000))
    data = os.urandom(size)
    assert bench.send(bench.put("a", data))[0] == [(sha(data), sha(data), READ_BACK)]
    assert bench.pipe.asked >= 2 * size // 40_000


def test_bytes_that_differ_on_the_far_side_are_not_proven(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read.FarReader.digest

    def damage_first(reader: read.FarReader, folder: Folder, name: str, *rest: Any) -> tuple[bytes, str]:
        with (bench.far / name).open("r+b") as file:
            file.write(b"X")
        return plain(reader, folder, name, *rest)

    monkeypatch.setattr(read.FarReader, "digest", damage_first)
    outcomes, trouble = bench.send(bench.put("a", b"abc"))
    assert trouble is None
    assert outcomes == [(sha(b"abc"), sha(b"Xbc"), READ_BACK)]


def test_a_large_file_cut_short_on_the_far_side_is_a_trouble(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    part = bench.put("a", bytes(large.LARGE))
    plain = read.FarFile.read

    def cut(file: read.FarFile, offset: int, length: int) -> memoryview:
        return plain(file, offset, length) if offset < 4 * MIB else memoryview(b"")

    monkeypatch.setattr(read.FarFile, "read", cut)
    outcomes, trouble = bench.send(part)
    assert outcomes == [] or outcomes[0][0] != outcomes[0][1]
    assert outcomes or trouble == (Side.FAR, "a", errno.EIO, "")


assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN, "Python ignores it, so a limit is an error and not the end"
