"""What stands at the other end of a benchmark over SFTP, perhaps behind a slow line, and what do people type for it?"""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.benchmarks.far import FarEnd, Typed
from tests.proxy import Proxy
from tests.sshd import Sshd, SshdOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.far import Block

ROUND_TRIP = 0.05
"""Seconds until an answer comes over the slow line."""

_QUICK = "-o Ciphers=aes128-gcm@openssh.com"


@contextmanager
def sftp(folder: Path) -> Iterator[FarEnd]:
    """An account that runs commands, on the loopback."""
    with Sshd(folder / "sshd", _quiet(folder)) as server:
        yield _end(server, server.port, "sftp")


@contextmanager
def sftp_delayed(folder: Path) -> Iterator[FarEnd]:
    """The same account behind a line with a delay, for all alike."""
    with Sshd(folder / "sshd", _quiet(folder)) as server, Proxy(server.port, delay=ROUND_TRIP / 2) as proxy:
        server.also_known_at(proxy.port)
        yield _end(server, proxy.port, "sftp 50 ms")


def _end(server: Sshd, port: int, way: str) -> FarEnd:
    options = f"-F none -o BatchMode=yes -o UserKnownHostsFile={server.known_hosts} -i {server.key} -p {port}"
    who = f"{server.user}@{server.host}"
    remote = shlex.quote(
        f":sftp,host={server.host},port={port},user={server.user},key_file='{server.key}'"
        f",known_hosts_file='{server.known_hosts}':"
    )
    rclone = "rclone --config /dev/null"

    def typed(name: str, copy: str, digest: str) -> Typed:
        listed = f"find . -type f -exec {digest} {{}} + | LC_ALL=C sort"
        there = f'ssh {_QUICK} {options} {who} "cd $copy && {listed}"'
        return Typed(f"{way}: {name} both sides", ("rsync", "ssh"), copy, f'cd "$source"; {listed}', there)

    peers = [
        typed("rsync -a + sha256sum", f'rsync -a -e "ssh {options}" "$source/" "{who}:$copy/"', "sha256sum"),
        typed(
            "rsync -aW gcm + openssl dgst",
            f'rsync -aW -e "ssh {_QUICK} {options}" "$source/" "{who}:$copy/"',
            "openssl dgst -sha256 -r",
        ),
        Typed(
            f"{way}: rclone copy + rclone hashsum both sides",
            ("rclone",),
            copy=f'{rclone} copy "$source" {remote}"$copy"',
            here=f'{rclone} hashsum sha256 "$source" | LC_ALL=C sort',
            there=f'{rclone} hashsum sha256 --download {remote}"$copy" | LC_ALL=C sort',
        ),
    ]

    def block(nas: Path) -> Block:
        return {
            "type": "sftp",
            "ssh_target": who,
            "port": port,
            "ssh_key_path": str(server.key),
            "known_hosts": str(server.known_hosts),
            "remote_path": str(nas),
        }

    return FarEnd(peers, block)


def _quiet(folder: Path) -> SshdOptions:
    """What this PC's own shell does at a login is not what is measured, on neither side."""
    return SshdOptions(environ={"HOME": folder}, agreement="")


FAR_ENDS = {"sftp": sftp, "sftp-delayed": sftp_delayed}
"""By the name of ``--transport``."""
