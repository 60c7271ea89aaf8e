"""Are the digests of a far tool read right, whatever the files are called?"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.transport.ssh import hashing
from exlab_sync_tui.transport.ssh.hashing import FarHasher, NoHasherError, parsed
from tests.sshd import Sshd, SshdOptions, needs_sshd

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [b"a", b"-rf", b"new\nline", b"back\\slash", b"\xff\xfe", b" blanks ", b"$(reboot) '\"`", b"x" * 255, b"d/deep"]


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_an_escaped_name_and_one_that_looks_like_an_answer_are_read_right() -> None:
    one, two = digest(b"1").hex().encode(), digest(b"2").hex().encode()
    sly = b"./x\n" + two + b" *./y"
    answer = one + b" *" + sly + b"\n" + b"\\" + two + b"  ./new\\nline\n"
    assert parsed(answer, [sly, b"./gone", b"./new\nline"]) == [digest(b"1"), None, digest(b"2")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "nas"
    (root / "d").mkdir(parents=True)
    (root / "probe").write_bytes(b"probe")
    for name in NAMES:
        (root / os.fsdecode(name)).write_bytes(name)
    return root


@needs_sshd
@pytest.mark.parametrize("tool", ["", *hashing.TOOLS])
async def test_every_tool_of_the_far_side_gives_the_digests_of_hostile_names(
    tmp_path: Path, root: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tool:
        if shutil.which(tool.split(maxsplit=1)[0]) is None:
            pytest.skip(f"{tool.split(maxsplit=1)[0]} is not installed")
        monkeypatch.setattr(hashing, "TOOLS", (tool,))
    with Sshd(tmp_path / "sshd") as server:
        hasher = await FarHasher.open(server.access(root), str(root), "probe", b"probe")
        asked = [NAMES[0], b"gone", *NAMES[1:], b"d"]
        expected = [digest(NAMES[0]), None, *map(digest, NAMES[1:]), None]
        assert await hasher.digests(asked) == expected
        assert await hasher.digests([]) == []
        assert await hasher.digests(asked * 300) == expected * 300
        await hasher.close()
        await hasher.close()


@needs_sshd
async def test_an_account_without_commands_has_no_hasher(tmp_path: Path, root: Path) -> None:
    with Sshd(tmp_path / "sshd", SshdOptions(sftp_only=True)) as server, pytest.raises(NoHasherError):
        await FarHasher.open(server.access(root), str(root), "probe", b"probe")


@needs_sshd
async def test_a_folder_that_is_elsewhere_for_the_shell_is_not_guessed(tmp_path: Path, root: Path) -> None:
    with Sshd(tmp_path / "sshd") as server, pytest.raises(NoHasherError, match="not where SFTP shows it"):
        await FarHasher.open(server.access(root), "/elsewhere", "probe", b"probe")
