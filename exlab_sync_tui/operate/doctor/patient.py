"""What does the doctor look at? Configuration, state folder and machine; a test can replace each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui import platform
from exlab_sync_tui.engine.reach import transport_for
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.settings.locations import SYSTEM_CONFIG
from exlab_sync_tui.transport.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.settings import Settings
    from exlab_sync_tui.settings.loading import LoadedSettings
    from exlab_sync_tui.settings.transports import TransportBlock
    from exlab_sync_tui.transport.base import Transport

_PATIENCE = 10.0


class Machine(Protocol):
    """What of this PC the checks ask."""

    def file_system(self, folder: Path) -> str:
        """The kind of file system that holds *folder*. Raises ``OSError``."""
        ...

    def space(self, folder: Path) -> tuple[int, int]:
        """Free and total bytes. Raises ``OSError``."""
        ...

    def tool(self, name: str) -> str:
        """The path of a program, or empty text."""
        ...

    def ask(self, words: Sequence[str], *, given: str = "") -> str:
        """What a program prints; empty text if it is missing, fails or takes too long. *given* is its input."""
        ...

    def kernel(self, name: str) -> int | None:
        """A figure below ``/proc/sys``, where there is such a thing."""
        ...

    def transport(self, block: TransportBlock) -> Transport:
        """The way to a destination. Raises ``RefusedError``."""
        ...


class ThisMachine:
    """The PC itself."""

    def file_system(self, folder: Path) -> str:
        fd = os.open(folder, os.O_RDONLY)
        try:
            return platform.file_system(fd)
        finally:
            os.close(fd)

    def space(self, folder: Path) -> tuple[int, int]:
        told = shutil.disk_usage(folder)
        return told.free, told.total

    def tool(self, name: str) -> str:
        return shutil.which(name) or ""

    def ask(self, words: Sequence[str], *, given: str = "") -> str:
        found = self.tool(words[0])
        if not found:
            return ""
        try:
            told = subprocess.run(
                [found, *words[1:]],
                capture_output=True,
                check=False,
                timeout=_PATIENCE,
                input=given.encode(),
                env={**os.environ, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return told.stdout.decode(errors="replace").strip() if told.returncode == 0 else ""

    def kernel(self, name: str) -> int | None:
        try:
            return int((Path("/proc/sys") / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def transport(self, block: TransportBlock) -> Transport:
        return transport_for(block, Limiter(None, SystemClock()), local=True)


@dataclass(frozen=True, slots=True)
class Patient:
    """One set-up. ``loaded`` is ``None`` where the configuration cannot be used; ``objections`` then say why.

    ``known_destinations`` are the ids that were adopted, by destination key, as far as the store can be read.
    """

    state: Path
    environ: Mapping[str, str]
    config: Path | None = None
    loaded: LoadedSettings | None = None
    objections: tuple[str, ...] = ()
    machine: Machine = field(default_factory=ThisMachine)
    clock: Clock = field(default_factory=SystemClock)
    group: str = "exlab"
    unit_folders: tuple[Path, ...] = ()

    @property
    def settings(self) -> Settings | None:
        """What is configured, if that is right."""
        return self.loaded.settings if self.loaded else None

    @property
    def system_wide(self) -> bool:
        """Whether this is the installation that all users of the PC share."""
        return self.config is not None and self.config.parent == SYSTEM_CONFIG.parent
