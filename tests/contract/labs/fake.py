"""A lab over the fake that ships with the package."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from exlab_sync_tui.testing import FakeTransport
from tests.contract.transport_lab import FarInMemory, Lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def open_lab(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """The far side lies in memory."""
    fake = FakeTransport()
    yield Lab(source, fake, FarInMemory(fake))
