"""How is an account on an SSH server reached? The options, and the argument list of the system's ``ssh``."""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_PORT = 22
"""Means "not said": a port in the user's own SSH configuration then counts."""

QUICK_CIPHER = "aes128-gcm@openssh.com"
_CPUINFO = Path("/proc/cpuinfo")
_HAS_AES = ("aes", "vaes")


@dataclass(frozen=True, slots=True)
class SshAccess:
    """One account. ``config`` is the user's SSH configuration (``None``: the usual one, if there is one).

    ``connect_seconds`` and ``alive_seconds`` bound how long a server that does not answer is waited for.
    """

    host: str
    user: str
    key: Path
    known_hosts: Path
    remote_path: str
    port: int = DEFAULT_PORT
    config: Path | None = None
    connect_seconds: int = 10
    alive_seconds: int = 15
    alive_count: int = 3

    @property
    def title(self) -> str:
        """``lab@nas01:/srv/lab``."""
        return safe_text(f"{self.user}@{self.shown_host}:{self.remote_path}")

    @property
    def shown_host(self) -> str:
        """The host as it stands before a colon: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def known_as(self) -> str:
        """The host as ``known_hosts`` calls it: ``nas01``, or ``[nas01]:2222``."""
        return self.host if self.port == DEFAULT_PORT else f"[{self.host}]:{self.port}"


def ssh_options(access: SshAccess) -> list[str]:
    """Options of the system's ``ssh`` that never ask anybody anything and accept no host that is not known."""
    told = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": option_path(access.known_hosts),
        "GlobalKnownHostsFile": "none",
        "UpdateHostKeys": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ConnectTimeout": str(access.connect_seconds),
        "ServerAliveInterval": str(access.alive_seconds),
        "ServerAliveCountMax": str(access.alive_count),
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "PermitLocalCommand": "no",
        "RequestTTY": "no",
        "Compression": "no",
        "LogLevel": "ERROR",
    }
    words = [] if access.config is None else ["-F", str(access.config)]
    for name, value in told.items():
        words += ["-o", f"{name}={value}"]
    if has_aes():
        words += ["-o", f"Ciphers=^{QUICK_CIPHER}"]
    if access.key.exists():
        words += ["-i", str(access.key)]
    if access.port != DEFAULT_PORT:
        words += ["-p", str(access.port)]
    return words


def ssh_command(access: SshAccess, remote: Sequence[str] = (), *, options: Sequence[str] = ()) -> list[str]:
    """The argument list that runs *remote*, which the account's shell takes as one line, with the system's ``ssh``."""
    return ["ssh", *ssh_options(access), *options, "-l", access.user, "--", access.host, *remote]


@functools.cache
def has_aes() -> bool:
    """Whether this processor encrypts AES by itself; then AES-GCM is by far the fastest cipher."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.machine().lower() in {"arm64", "x86_64", "amd64"}
    return any(flag in line.split() for line in lines if line.startswith(("flags", "Features")) for flag in _HAS_AES)


def option_path(path: Path) -> str:
    """A path as the value of an option of ``ssh``, which splits it at blanks and expands ``%``: both are literal."""
    return '"' + str(path).replace("%", "%%").replace('"', '\\"') + '"'
