"""Which host key does a server offer, and which one is known? Asked of ``ssh-keyscan`` and ``ssh-keygen``."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.ssh.words import host_key_error

if TYPE_CHECKING:
    from exlab_sync_tui.errors import TransportError
    from exlab_sync_tui.transport.ssh.access import SshAccess

_LINE = re.compile(r"\d+ (SHA256:\S+) .*\((\S+)\)$", re.MULTILINE)
_FOUND = re.compile(r"^\S+ (\S+) (SHA256:\S+)", re.MULTILINE)


async def look(access: SshAccess) -> TransportError:
    """The sentence about a host key that is unknown or changed, with both fingerprints; for the tools' own ``ssh``."""
    known, found = await asyncio.gather(
        _said("ssh-keygen", "-l", "-F", access.known_as, "-f", str(access.known_hosts)),
        _said("ssh-keyscan", "-T", str(access.connect_seconds), "-p", str(access.port), access.host),
    )
    offered = await _said("ssh-keygen", "-l", "-f", "-", given=found) if found else ""
    return host_key_error(
        access,
        expected=[f"{kind} {fingerprint}" for kind, fingerprint in _FOUND.findall(known)],
        offered=[f"{kind} {fingerprint}" for fingerprint, kind in _LINE.findall(offered)],
    )


async def _said(*command: str, given: str = "") -> str:
    """What a tool prints; nothing if it is not there."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    told, _ = await process.communicate(given.encode())
    return told.decode(errors="replace")
