"""Can ``sha256sum`` check what we write, and do we read what it writes?"""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.provenance.manifest import manifest_lines, parse_manifest, render_manifest
from exlab_sync_tui.tree.hashing import hash_tree
from exlab_sync_tui.tree.snapshot import records
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

A, B = "a" * 64, "b" * 64


def record(rel: str, digest: bytes = b"\xab" * 32) -> FileRecord:
    return FileRecord(rel, 1, 1, sha256=digest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (f"{A}  a.raw\r\n{B}  b.raw\r\n", {"a.raw": A, "b.raw": B}),
        (f"{A}  a\u2028b.raw\n", {"a\u2028b.raw": A}),
        (f"{A}  a\x0cb\x85c.raw\n", {"a\x0cb\x85c.raw": A}),
        (f"{A}  a.raw\n{B}  b.raw", {"a.raw": A, "b.raw": B}),
        (f"{A.upper()} *a.raw\n", {"a.raw": A}),
        (f"{A}   leading blank\n", {" leading blank": A}),
        (f"{A}  a\\b\n", {"a\\b": A}),
        (f"\\{A}  a\\\\b\\nc\\rd\n", {"a\\b\nc\rd": A}),
        (f"{A}  ./-\n", {"-": A}),
    ],
)
def test_a_manifest_is_read(text: str, expected: dict[str, str]) -> None:
    found = parse_manifest(text.encode())
    assert (found.entries, found.skipped) == (expected, ())


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"{A} a.raw",
        f"{A}\ta.raw",
        f"{A}  ",
        f"{A[1:]}  a.raw",
        f"{A}0  a.raw",
        f" {A}  a",
        "# note",
        f"\\{A}  a\\tb",
    ],
)
def test_any_other_line_is_skipped_and_told(line: str) -> None:
    found = parse_manifest(f"{B}  b.raw\n{line}\n".encode())
    assert found.entries == {"b.raw": B}
    assert [sentence[:6] for sentence in found.skipped] == ["Line 2"]


def test_a_skipped_line_cannot_drive_the_terminal() -> None:
    (sentence,) = parse_manifest(b"\x1b[2J" + b"x" * 500).skipped
    assert "\\x1b[2J" in sentence
    assert len(sentence) < 200


def test_a_second_checksum_for_a_name_does_not_replace_the_first() -> None:
    found = parse_manifest(f"{A}  a\n{A}  a\n{B}  a\n".encode())
    assert found.entries == {"a": A}
    assert found.skipped == ("Line 3 gives another checksum for a and was skipped.",)


def test_the_lines_are_sorted_by_code_point() -> None:
    names = ["\U0001f9ea", "\uffee", "é", "a/b", "a-b", "Z"]
    written = render_manifest(map(record, names)).decode().splitlines()
    assert [line[66:] for line in written] == sorted(names)


def test_no_files_make_an_empty_manifest() -> None:
    assert render_manifest([]) == b""


@pytest.mark.parametrize(
    "records_",
    [[record("b"), record("a")], [record("a"), record("a")], [FileRecord("a", 1, 1)]],
    ids=["out of order", "twice", "no digest"],
)
def test_a_manifest_that_must_not_exist_is_refused(records_: list[FileRecord]) -> None:
    with pytest.raises(ValueError, match=r"in the manifest|no digest"):
        list(manifest_lines(records_))


_names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda raw: b"\0" not in raw and not raw.startswith(b"./"))
    .map(os.fsdecode)
)


@given(digests=st.dictionaries(_names, st.binary(min_size=32, max_size=32), max_size=6))
def test_any_bytes_in_a_name_survive(digests: dict[str, bytes]) -> None:
    written = render_manifest(FileRecord(rel, 0, 0, sha256=digest) for rel, digest in digests.items())
    found = parse_manifest(written)
    assert found.skipped == ()
    assert found.entries == {rel: digest.hex() for rel, digest in digests.items()}
    assert [line for line in written.split(b"\n") if b"\r" in line] == []


HOSTILE = [
    b"plain.raw",
    b"-",
    b"-rf",
    b" leading and trailing ",
    b"back\\slash",
    b"new\nline",
    b"carriage\rreturn",
    b"ends in cr\r",
    b"\xff\xfe not utf-8",
    b"[/red]$(reboot)",
    b"\x1b[2J",
    "a\u2028b".encode(),
    b"*star",
    b"n" * 255,
    b"deep/er/file",
]


@pytest.fixture(scope="module", autouse=True)
def _known_to_sha256sum(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Before coreutils 9 a carriage return in a name was not escaped, neither when writing nor when reading."""
    folder = tmp_path_factory.mktemp("cr")
    (folder / "a\rb").touch()
    said = subprocess.run(["sha256sum", "a\rb"], cwd=folder, capture_output=True, check=True).stdout
    if not said.startswith(b"\\"):
        HOSTILE[:] = [name for name in HOSTILE if b"\r" not in name]


def test_the_real_sha256sum_accepts_it(tmp_path: Path) -> None:
    for name in HOSTILE:
        path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118  # a Path has no bytes
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(name)
    known = list(hash_tree(tmp_path, records(walk(tmp_path))))
    manifest = tmp_path / ".exlab-wizard" / "checksums.sha256"
    manifest.parent.mkdir()
    manifest.write_bytes(b"".join(manifest_lines(known)))
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", ".exlab-wizard/checksums.sha256"],
        cwd=tmp_path,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert checked.stdout.count(b": OK") == len(HOSTILE)


def test_what_sha256sum_writes_is_read(tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in HOSTILE if b"/" not in name and name != b"-"]
    for name in names:
        (tmp_path / name).write_bytes(os.fsencode(name))
    written = subprocess.run(["sha256sum", "--", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    found = parse_manifest(written)
    assert found.skipped == ()
    assert found.entries == {name: hashlib.sha256(os.fsencode(name)).hexdigest() for name in names}
