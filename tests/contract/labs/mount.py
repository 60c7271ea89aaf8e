"""A lab over a local folder in the place of a mounted share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.contract.transport_lab import FarOnDisk, Lab, mounted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def open_lab(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """The far side lies in ``folder/nas``."""
    far_root = folder / "nas"
    far_root.mkdir()
    lab = Lab(source, mounted(far_root), FarOnDisk(far_root))
    try:
        yield lab
    finally:
        await lab.transport.close()
