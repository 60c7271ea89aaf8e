"""Which key does an SSH server show, which one is known, and how is the first one accepted by a person?

The tools of OpenSSH are asked: ``ssh-keyscan`` for what is shown, ``ssh-keygen`` for fingerprints.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ExlabSyncError, RefusedError
from exlab_sync_tui.settings.transports import RsyncSshTransport, SftpTransport
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.operate.doctor.patient import Machine
    from exlab_sync_tui.settings import Settings

    SshBlock = SftpTransport | RsyncSshTransport

_OFFERED = re.compile(r"^\d+ (SHA256:\S+) .*\((\S+)\)$", re.MULTILINE)
_KNOWN = re.compile(r"^\S+ (\S+) (SHA256:\S+)", re.MULTILINE)
_DEFAULT_PORT = 22
_SECONDS = "8"


@dataclass(frozen=True, slots=True)
class HostKeys:
    """Fingerprints as ``ED25519 SHA256:…``. ``lines`` are those that ``known_hosts`` would get."""

    name: str
    known_hosts: Path
    known: frozenset[str]
    offered: frozenset[str]
    lines: str

    @property
    def is_known(self) -> bool:
        """Whether the server shows a key that was accepted before."""
        return bool(self.known & self.offered)

    @property
    def has_changed(self) -> bool:
        """Whether it shows none of those that were accepted."""
        return bool(self.known and self.offered) and not self.is_known


def ssh_blocks(settings: Settings) -> Iterator[tuple[str, SshBlock]]:
    """The first instrument of each server that is reached by SSH, and how."""
    seen = set()
    for item in settings.equipment:
        block = item.transport
        if not isinstance(block, SftpTransport | RsyncSshTransport):
            continue
        server = (block.host, block.port, block.known_hosts)
        if server not in seen:
            seen.add(server)
            yield item.id, block


def known_as(block: SshBlock) -> str:
    """The host as ``known_hosts`` calls it: ``nas01``, or ``[nas01]:2222``."""
    return block.host if block.port == _DEFAULT_PORT else f"[{block.host}]:{block.port}"


def look_at(block: SshBlock, machine: Machine) -> HostKeys:
    """Ask the server and the file; nothing is offered where the server does not answer."""
    name = known_as(block)
    known = machine.ask(["ssh-keygen", "-l", "-F", name, "-f", str(block.known_hosts)])
    lines = machine.ask(["ssh-keyscan", "-T", _SECONDS, "-p", str(block.port), block.host])
    offered = machine.ask(["ssh-keygen", "-l", "-f", "-"], given=lines) if lines else ""
    return HostKeys(
        name=name,
        known_hosts=block.known_hosts,
        known=frozenset(f"{kind} {fingerprint}" for kind, fingerprint in _KNOWN.findall(known)),
        offered=frozenset(f"{kind} {fingerprint}" for fingerprint, kind in _OFFERED.findall(offered)),
        lines="".join(f"{line}\n" for line in lines.splitlines() if line and not line.startswith("#")),
    )


def trust(keys: HostKeys) -> None:
    """Write the keys that a person has accepted into ``known_hosts``, behind what is there.

    Raises ``RefusedError`` for a server whose key has changed, ``ExlabSyncError`` if the file cannot be written.
    """
    if keys.has_changed:
        raise RefusedError(
            f"{safe_text(keys.name)} was known by another key; a changed key is never accepted here. Once it is certain"
            f" that the change is right: ssh-keygen -f {safe_text(keys.known_hosts)} -R '{safe_text(keys.name)}'"
        )
    try:
        keys.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(keys.known_hosts, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        with os.fdopen(fd, "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            ends_a_line = file.read() in {b"", b"\n"}
            file.write(("" if ends_a_line else "\n").encode() + keys.lines.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ExlabSyncError(f"{safe_text(keys.known_hosts)} cannot be written: {error.strerror}.") from error
