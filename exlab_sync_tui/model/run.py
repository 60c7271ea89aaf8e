"""Which folder is a run, and whose is it?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

CACHE_FOLDER = ".exlab-wizard"
"""The run's own provenance folder, at the top of the run only (``FORMATS.md`` §1)."""


class Layout(StrEnum):
    """How runs lie below an instrument's folder."""

    EXLAB = "exlab"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class EquipmentFolder:
    """Where one instrument writes: ``root`` is ``<local_root>/<id>`` for ``exlab``, ``<local_root>`` for ``plain``."""

    equipment_id: str
    root: Path
    layout: Layout
    run_pattern: str = "*"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run: its real folder (resolved, so that aliases are one run) and its place below the instrument's folder."""

    path: Path
    equipment: EquipmentFolder
    below: PurePosixPath

    @property
    def equipment_id(self) -> str:
        """Id of the instrument that owns the run."""
        return self.equipment.equipment_id

    @property
    def cache(self) -> Path:
        """The run's own ``.exlab-wizard`` folder, whether it exists or not."""
        return self.path / CACHE_FOLDER

    @property
    def project(self) -> str:
        """The first segment below the instrument's folder; empty for a plain run that lies directly in it."""
        return self.below.parts[0] if len(self.below.parts) > 1 else ""

    @property
    def writes_locally(self) -> bool:
        """Whether provenance is written into the run folder (``plain`` folders are left as they are, §1)."""
        return self.equipment.layout is Layout.EXLAB
