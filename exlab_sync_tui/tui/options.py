"""What does the console have to be told? Small values; whoever opens it makes them from the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.wiring import far_root
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.settings import Settings

_SHARE = re.compile(r"^(?:[/\\]{2}|[a-z]+://)([^/\\]+)")
_NAMED_AT_MOST = 2


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """How to look and who asks: ``console`` of the settings, and the operator's name for the history.

    ``config`` and ``store_path``: where one more instrument is written; ``None`` where that makes no sense.
    """

    operator: str
    theme: str = "auto"
    keymap: Mapping[str, str] = field(default_factory=dict)
    ascii: bool = False
    config: Path | None = None
    store_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument: the folder it writes to, the far root of its runs, and what people call that place."""

    id: str
    folder: str
    far_root: str = ""
    far_name: str = "the NAS"


@dataclass(frozen=True, slots=True)
class Cleanup:
    """When a local copy may go: after so many passes, and so many hours after it was verified."""

    passes: int = 2
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Lab:
    """The instruments of this PC, in the order of the configuration; ``cleanup``: ``None`` keeps every local copy."""

    instruments: tuple[Instrument, ...] = ()
    cleanup: Cleanup | None = None

    @property
    def far_roots(self) -> dict[str, str]:
        """By instrument: below which folder its runs are put."""
        return {one.id: one.far_root for one in self.instruments}

    @property
    def far_names(self) -> str:
        """Where the runs go, in few words; safe to show."""
        names = list(dict.fromkeys(safe_text(one.far_name) for one in self.instruments))
        if len(names) > _NAMED_AT_MOST:
            return f"{len(names)} destinations"
        return " and ".join(names) or "the destination"

    def behind(self, hold: Hold) -> tuple[Instrument, ...]:
        """The instruments whose runs go to the destination that *hold* is laid on; its key is ``kind:root``."""
        root = hold.key.partition(":")[2]
        return tuple(one for one in self.instruments if one.id == hold.equipment_id or (root and one.far_root == root))


def lab_of(settings: Settings) -> Lab:
    """The lab as the configuration describes it."""
    block = settings.nas_cleanup if settings.cleanup_enabled else None
    return Lab(
        tuple(Instrument(one.id, str(one.folder), far_root(one), _name_of(one.nas_root)) for one in settings.equipment),
        Cleanup(block.min_verify_passes, block.min_age_hours) if block is not None else None,
    )


def _name_of(nas_root: str) -> str:
    """The host of ``//nas01/lab`` or ``smb://nas01/lab``; anything else as it is."""
    found = _SHARE.match(nas_root)
    return found[1] if found else nas_root
