"""What does the systemd unit say? One text from the settings (systemd.service(5), systemd.exec(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OURS = "# Written by `exlab-sync service install`"
"""The first words of every unit that may be replaced or removed."""

_ODD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HARDENED = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "SystemCallArchitectures=native",
)
_WALLED = (
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "CapabilityBoundingSet=",
    "SystemCallFilter=@system-service",
)


@dataclass(frozen=True, slots=True)
class UnitOptions:
    """What the unit is made from. ``user`` and ``group`` are for the system's manager; a user's own unit has none.

    ``writable`` are the folders that the service writes to: state, instruments, mounted destinations.
    """

    command: Sequence[str]
    user: str = ""
    group: str = ""
    state: Path | None = None
    writable: Sequence[Path] = ()

    @property
    def for_system(self) -> bool:
        """Whether it is a unit of the system's manager."""
        return bool(self.user)


def render_unit(options: UnitOptions) -> str:
    """The unit file. Raises ``RefusedError`` for a path that no unit can name."""
    unit = [
        "Description=exlab-sync moves finished instrument runs to the NAS and proves every byte",
        "After=network-online.target remote-fs.target time-sync.target" if options.for_system else "",
        "Wants=network-online.target" if options.for_system else "",
        "StartLimitIntervalSec=600",
        "StartLimitBurst=10",
    ]
    service = [
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={' '.join(_word(part) for part in options.command)}",
        "Restart=on-failure",
        "RestartSec=10",
        "# usage and configuration: trying again would not help",
        "RestartPreventExitStatus=2 7",
        "# the engine gives a sign of life while its event loop turns and its store answers",
        "WatchdogSec=60",
        "TimeoutStopSec=90",
        "UMask=0002",
        "# the instrument comes first",
        "Nice=5",
        *_account(options),
        *_HARDENED,
        *_walls(options),
    ]
    wanted_by = "multi-user.target" if options.for_system else "default.target"
    sections = [("Unit", unit), ("Service", service), ("Install", [f"WantedBy={wanted_by}"])]
    text = "\n".join(f"[{name}]\n" + "\n".join(line for line in lines if line) + "\n" for name, lines in sections)
    return f"{OURS}; change the configuration and install again.\n\n{text}"


def _account(options: UnitOptions) -> list[str]:
    if not options.for_system:
        return []
    return [f"User={_plain(options.user)}", f"Group={_plain(options.group or options.user)}"]


def _walls(options: UnitOptions) -> list[str]:
    """A user's manager cannot put up walls everywhere, so only the system's unit has them."""
    if not options.for_system:
        return []
    # "-": a share that is not mounted yet must not keep the service from starting
    writable = [f"ReadWritePaths={_path(place, missing_is_fine=True)}" for place in dict.fromkeys(options.writable)]
    return [*_WALLED, *writable]


def _plain(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
        raise RefusedError(f"{safe_text(text)} is no name of a user or a group.")
    return text


def _word(text: str) -> str:
    """One word of a command line: quoted, no specifier, no variable."""
    _refuse_odd(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s\"';]", text) or not text else escaped


def _path(place: Path, *, missing_is_fine: bool) -> str:
    text = str(place)
    _refuse_odd(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    mark = "-" if missing_is_fine else ""
    return f'"{mark}{escaped}"' if re.search(r"[\s\"']", text) else f"{mark}{escaped}"


def _refuse_odd(text: str) -> None:
    if _ODD.search(text):
        raise RefusedError(f"{safe_text(text)} has a character that no systemd unit can name; rename it.")
