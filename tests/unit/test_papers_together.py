"""Is what went wrong with one paper of a run told, and not what that did to the others on their way?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.testing import FakeTransport
from tests.unit.sim_lab import INSTRUMENTS, WeekLab, breathe

if TYPE_CHECKING:
    from pathlib import Path


class FullForReceipts(FakeTransport):
    """The receipt finds no room; the manifest is still on its way then, and would not come to an end by itself."""

    manifest_was_let_go = False

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        if rel.endswith("receipt.json"):
            raise TransportError("nas01 is full.", TransportErrorKind.NO_SPACE)
        if rel.endswith("checksums.sha256"):
            try:
                await asyncio.Event().wait()
            finally:
                self.manifest_was_let_go = True
        await super().write_text(folder, rel, data)


async def test_the_first_trouble_is_told_and_the_others_are_let_go(tmp_path: Path) -> None:
    lab, full = WeekLab(tmp_path), FullForReceipts(title="nas01")
    client = lab.client(make=lambda _: full)
    async with client:
        await client.enqueue(lab.write_run(INSTRUMENTS[0], "Run_full"))
        while not (holds := [it for it in await client.store.holds() if it.scope is HoldScope.DESTINATION]):
            await breathe()
        assert [hold.kind for hold in holds] == [HoldKind.NO_SPACE]
        assert full.manifest_was_let_go
        assert not any(rel.endswith("receipt.json") for rel in full.files)
