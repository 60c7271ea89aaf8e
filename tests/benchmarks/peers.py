"""What would a careful person type instead? Copy tools, each with a SHA-256 of both sides and a comparison."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_DIGESTS = {
    "sha256sum": "find . -type f -exec sha256sum {} + | sort",
    "openssl": "find . -type f -exec openssl dgst -sha256 -r {} + | sort",
    "rclone": "rclone --config /dev/null hashsum sha256 . | sort",
}
_COPIES = {
    "cp": "cp -a {source} {copy}",
    "rsync": "rsync -a {source}/ {copy}",
    "rclone": "rclone --config /dev/null copy {source} {copy}",
}
_VERSIONS = {
    "cp": ("cp", "--version"),
    "sha256sum": ("sha256sum", "--version"),
    "openssl": ("openssl", "version"),
    "rsync": ("rsync", "--version"),
    "rclone": ("rclone", "version"),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to copy and check by hand: ``copy`` and ``digest`` name the tools."""

    copy: str
    digest: str

    @property
    def name(self) -> str:
        """As ``PERFORMANCE.md`` calls it."""
        copy = {"cp": "cp -a", "rsync": "rsync -a", "rclone": "rclone copy"}[self.copy]
        digest = {"sha256sum": "sha256sum", "openssl": "openssl dgst", "rclone": "rclone hashsum"}[self.digest]
        return f"{copy} + {digest} both sides"

    @property
    def missing(self) -> list[str]:
        """Tools that this machine does not have."""
        return [tool for tool in dict.fromkeys((self.copy, self.digest)) if shutil.which(tool) is None]

    def run(self, source: Path, copy: Path, scratch: Path) -> float:
        """Copy, then hash both sides at the same time and compare: seconds in all. Raises ``CalledProcessError``.

        The lists of digests are written below *scratch*.
        """
        here, there = (shlex.quote(str(scratch / name)) for name in ("here.sha256", "there.sha256"))
        places = {"source": shlex.quote(str(source)), "copy": shlex.quote(str(copy))}
        digest = _DIGESTS[self.digest]
        script = (
            f"set -euo pipefail; {_COPIES[self.copy].format(**places)}; "
            f"(cd {places['source']}; {digest} > {here}) & other=$!; "
            f"(cd {places['copy']}; {digest} > {there}); wait $other; cmp {here} {there}; test -s {here}"
        )
        start = time.perf_counter()
        subprocess.run(["bash", "-c", script], check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - start


MOUNT = (
    Peer("cp", "sha256sum"),
    Peer("cp", "openssl"),
    Peer("rsync", "sha256sum"),
    Peer("rclone", "rclone"),
)
"""The peers of the mounted share, the two with a target first."""


def versions() -> dict[str, str]:
    """The first line that each tool says about itself; missing ones are left out."""
    found = {}
    for tool, command in _VERSIONS.items():
        if shutil.which(tool):
            said = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
            found[tool] = said.splitlines()[0].strip()
    return found
