"""Is the SSH server of the tests what they take it for?"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.sshd import Sshd, SshdOptions, needs_sshd

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_sshd


def ask(server: Sshd, *words: str, tool: str = "ssh", said: str = "") -> subprocess.CompletedProcess[str]:
    """Log in with the server's own key and nothing of this machine's configuration."""
    port = "-P" if tool == "sftp" else "-p"
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]
    command = [tool, *options, "-o", f"UserKnownHostsFile={server.known_hosts}", "-i", str(server.key)]
    place = f"{server.user}@{server.host}"
    return subprocess.run(
        [*command, port, str(server.port), place, *words], input=said, capture_output=True, text=True, check=False
    )


def test_a_command_runs_there(tmp_path: Path) -> None:
    with Sshd(tmp_path) as server:
        assert ask(server, "echo", "here").stdout == "here\n"


def test_another_host_key_is_refused_and_known_again_once_it_is_written_down(tmp_path: Path) -> None:
    with Sshd(tmp_path) as server:
        server.renew_host_key()
        assert "HOST IDENTIFICATION HAS CHANGED" in ask(server, "true").stderr
        server.write_known_hosts()
        assert ask(server, "true").returncode == 0


def test_another_key_is_refused(tmp_path: Path) -> None:
    with Sshd(tmp_path / "a") as server, Sshd(tmp_path / "b") as other:
        server.key = other.key
        assert "Permission denied" in ask(server, "true").stderr


def test_an_account_for_files_alone_sees_its_folder_as_the_root_and_runs_no_command(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "marker").touch()
    with Sshd(tmp_path / "sshd", SshdOptions(sftp_only=True, chroot=root)) as server:
        assert "marker" in ask(server, tool="sftp", said="ls -1 /\n").stdout
        assert "This service allows sftp connections only" in ask(server, "true").stdout


def test_a_command_of_the_key_takes_the_place_of_every_other(tmp_path: Path) -> None:
    with Sshd(tmp_path, SshdOptions(key_options='restrict,command="echo only this"')) as server:
        assert ask(server, "echo", "that").stdout == "only this\n"


def test_sessions_are_cut_and_the_server_goes_on(tmp_path: Path) -> None:
    with Sshd(tmp_path) as server:
        waiting = subprocess.Popen(
            [
                *("ssh", "-F", "none", "-o", f"UserKnownHostsFile={server.known_hosts}", "-i", str(server.key)),
                *("-p", str(server.port), f"{server.user}@{server.host}", "echo in; exec cat"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"in\n"
        assert server.cut_sessions() > 0
        waiting.communicate()
        assert waiting.returncode == 255
        assert ask(server, "true").returncode == 0
