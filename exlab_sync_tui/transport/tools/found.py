"""Is the tool there that a transport needs, and is it new enough? What to type if it is not."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by the name of its command, its oldest version that will do, and the package that brings it."""

    command: str
    oldest: Version
    package: str


RCLONE = Tool("rclone", (1, 60, 0), "rclone")
RSYNC = Tool("rsync", (3, 2, 3), "rsync")
SSH = Tool("ssh", (7, 6, 0), "openssh-client")


def path_of(tool: Tool, which: Callable[[str], str | None] = shutil.which) -> str:
    """Where the tool is; ``SET_UP`` with the command that installs it if it is nowhere."""
    found = which(tool.command)
    if found is None:
        raise TransportError(
            f"{tool.command} is not installed on this PC. Install it: `sudo apt install {tool.package}`, or the package"
            " of that name on your system; runs wait and go on by themselves.",
            TransportErrorKind.SET_UP,
        )
    return found


def version_in(told: str) -> Version | None:
    """The first version number in what a tool says of itself."""
    match = _VERSION.search(told)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def refuse_too_old(tool: Tool, version: Version | None) -> None:
    """``SET_UP`` if this version of the tool will not do; one that does not tell its version is given a try."""
    if version is not None and version < tool.oldest:
        raise TransportError(
            f"{tool.command} {_words(version)} on this PC is too old; {_words(tool.oldest)} or newer is needed. Upgrade"
            f" it: `sudo apt install --only-upgrade {tool.package}`, or take it from its makers; runs wait and go on by"
            " themselves.",
            TransportErrorKind.SET_UP,
        )


def _words(version: Version) -> str:
    return ".".join(map(str, version))
