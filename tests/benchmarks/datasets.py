"""Which files are measured? Data sets A, B and C of ``PERFORMANCE.md``, in full and in a quick size."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KIB, MIB = 1 << 10, 1 << 20
_BLOCK = 1 * MIB


@dataclass(frozen=True, slots=True)
class DataSet:
    """``files`` files of ``size`` bytes each, spread evenly over ``folders`` folders."""

    name: str
    files: int
    size: int
    folders: int = 1

    @property
    def total(self) -> int:
        """Bytes in all."""
        return self.files * self.size

    @property
    def title(self) -> str:
        """``B: 20,000 x 16 KiB``."""
        amount = f"{self.size // MIB:,} MiB" if self.size >= MIB else f"{self.size / KIB:g} KiB"
        return f"{self.name}: {self.files:,} x {amount}"


FULL = (DataSet("A", 1, 2048 * MIB), DataSet("B", 20_000, 16 * KIB, 200), DataSet("C", 200, 10 * MIB))
QUICK = (DataSet("A", 1, 256 * MIB), DataSet("B", 4_000, 16 * KIB, 40), DataSet("C", 40, 10 * MIB))


def make(data: DataSet, folder: Path) -> None:
    """Fill *folder* with incompressible content that differs from file to file and is the same each time."""
    rng = random.Random(data.name)
    for number in range(data.files):
        place = folder / f"part_{number * data.folders // data.files:03d}" if data.folders > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        with (place / f"file_{number:05d}.raw").open("wb") as file:
            for start in range(0, data.size, _BLOCK):
                file.write(rng.randbytes(min(_BLOCK, data.size - start)))
