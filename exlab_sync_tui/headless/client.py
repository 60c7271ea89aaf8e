"""How is an engine made from the settings? The one place for verbs, service and demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.client import NASSyncClient
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.operate.wiring import gate_options
from exlab_sync_tui.provenance.creation import CreationWriter

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.settings import Settings


def make_client(
    settings: Settings,
    store_path: Path,
    *,
    operator: str = "",
    start_lanes: bool = True,
    clock: Clock | None = None,
) -> NASSyncClient:
    """An engine that is not started yet; without *start_lanes* it acts and moves nothing.

    With a *clock* of its own it cannot be attached to.
    """
    return NASSyncClient(
        config=settings,
        queue_db=store_path,
        validator=Validator(gate_options(settings)),
        cache_creation=CreationWriter(),
        operator=operator or None,
        start_lanes=start_lanes,
        clock=clock,
    )
