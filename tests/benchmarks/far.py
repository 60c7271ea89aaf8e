"""What stands at the other end of a benchmark that is not a mounted share, and what would a person type for it?"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.sshd import Sshd, SshdOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Block = dict[str, object]

_HERE = "find . -type f -exec openssl dgst -sha256 -r {} + | LC_ALL=C sort"


@dataclass(frozen=True, slots=True)
class Typed:
    """A few lines that a careful person types: copy, then hash both sides at the same time.

    ``copy``, ``here`` and ``there`` are shell commands in which ``$source`` and ``$copy`` are the two folders.
    """

    name: str
    tools: Sequence[str]
    copy: str
    here: str
    there: str

    @property
    def missing(self) -> list[str]:
        """Tools that this machine does not have."""
        return [tool for tool in self.tools if shutil.which(tool) is None]

    def run(self, source: Path, copy: Path, scratch: Path) -> float:
        """Seconds until both lists of digests are known to be the same. Raises ``CalledProcessError``."""
        here, there = (shlex.quote(str(scratch / name)) for name in ("here.sha256", "there.sha256"))
        script = (
            f"set -euo pipefail; source={shlex.quote(str(source))}; copy={shlex.quote(str(copy))}; {self.copy}; "
            f"({self.here}) > {here} & other=$!; ({self.there}) > {there}; wait $other; "
            f"cmp {here} {there}; test -s {here}"
        )
        start = time.perf_counter()
        subprocess.run(["bash", "-c", script], check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class FarEnd:
    """The peers, and the block of the config for a destination folder."""

    peers: Sequence[Typed]
    block: Callable[[Path], Block]


@contextmanager
def rclone_local(folder: Path) -> Iterator[FarEnd]:
    """A remote of type local."""
    with _rclone(folder, ["type = local"], "rclone copy (folder) + rclone hashsum both sides", "") as far:
        yield far


@contextmanager
def rclone_sftp(folder: Path) -> Iterator[FarEnd]:
    """A remote of type sftp over an SSH server on the loopback."""
    with Sshd(folder / "sshd", _quiet(folder)) as server:
        sections = [
            "type = sftp",
            f"host = {server.host}",
            f"port = {server.port}",
            f"user = {server.user}",
            f"key_file = {server.key}",
            f"known_hosts_file = {server.known_hosts}",
        ]
        name = "rclone copy (sftp) + rclone hashsum both sides"
        with _rclone(folder, sections, name, "--download") as far:
            yield far


@contextmanager
def _rclone(folder: Path, sections: list[str], name: str, how: str) -> Iterator[FarEnd]:
    config = folder / "rclone.conf"
    config.write_text("\n".join(("[nas]", *sections)) + "\n")
    tool = f"rclone --config {shlex.quote(str(config))}"
    typed = Typed(
        name,
        ("rclone",),
        copy=f'{tool} copy --ignore-checksum "$source" "nas:$copy"',
        here=f'{tool} hashsum sha256 "$source" | LC_ALL=C sort',
        there=f'{tool} hashsum sha256 {how} "nas:$copy" | LC_ALL=C sort',
    )

    def block(nas: Path) -> Block:
        return {
            "type": "rclone",
            "rclone_remote": "nas",
            "rclone_remote_path": str(nas),
            "rclone_config": str(config),
        }

    yield FarEnd([typed], block)


@contextmanager
def rsync_ssh(folder: Path) -> Iterator[FarEnd]:
    """rsync over ssh to an account that runs commands."""
    with Sshd(folder / "sshd", _quiet(folder)) as server:
        options = (
            f"ssh -F /dev/null -i {server.key} -p {server.port} -o UserKnownHostsFile={server.known_hosts}"
            " -o BatchMode=yes -o Ciphers=aes128-gcm@openssh.com"
        )
        who = f"{server.user}@{server.host}"
        typed = Typed(
            "rsync -aW gcm + openssl dgst both sides",
            ("rsync", "ssh", "openssl"),
            copy=f'rsync -aW -e {shlex.quote(options)} "$source/" "{who}:$copy/"',
            here=f'cd "$source"; {_HERE}',
            there=f'{options} {who} "cd $copy && {_HERE}"',
        )

        def block(nas: Path) -> Block:
            return {
                "type": "rsync_ssh",
                "ssh_target": who,
                "port": server.port,
                "ssh_key_path": str(server.key),
                "known_hosts": str(server.known_hosts),
                "remote_path": str(nas),
            }

        yield FarEnd([typed], block)


def _quiet(folder: Path) -> SshdOptions:
    """What this PC's own shell does at a login is not what is measured, on neither side."""
    return SshdOptions(environ={"HOME": folder}, agreement="")


FAR_ENDS = {"rclone": rclone_local, "rclone-sftp": rclone_sftp, "rsync": rsync_ssh}
"""By the name of ``--transport``."""
