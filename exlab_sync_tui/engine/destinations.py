"""Which destinations are there, and may they be written to? The operator's side of the identity marker (§7)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.reach import destination_key, transport_for
from exlab_sync_tui.engine.statelock import take_state_folder
from exlab_sync_tui.errors import NotFoundError, RefusedError, TransportError
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.text import utc
from exlab_sync_tui.transport.base import Identity
from exlab_sync_tui.transport.limiter import Limiter

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui.settings import Equipment, Settings
    from exlab_sync_tui.transport.base import Transport


@dataclass(frozen=True, slots=True)
class AdoptOutcome:
    """``created`` is false when the marker was there already and is now ours to use."""

    identity_id: str
    title: str
    created: bool


@dataclass(frozen=True, slots=True)
class DestinationReport:
    """One destination as it answers now; ``problem`` is a sentence, empty if there is none. Space in bytes.

    ``manner`` says how runs travel there and are proved, where there is more than one way.
    """

    equipment_id: str
    title: str
    identity_id: str | None
    free_bytes: int | None
    total_bytes: int | None
    problem: str = ""
    manner: str = ""


async def adopt(settings: Settings, equipment_id: str, *, local: bool, store_path: Path) -> AdoptOutcome:
    """Write the identity marker of an instrument's destination, or accept the one that is there, and remember it.

    A path that is not a mount point is refused unless *local*. Raises ``NotFoundError``, ``RefusedError``,
    ``TransportError``, ``EngineRunningError``.
    """
    item = next((one for one in settings.equipment if one.id == equipment_id), None)
    if item is None:
        known = ", ".join(one.id for one in settings.equipment) or "none"
        raise NotFoundError(f"There is no instrument {equipment_id} in the configuration; it has: {known}.")
    transport = _transport(item, local=local)
    lock = take_state_folder(store_path.parent)
    try:
        state = await transport.probe()
        fresh = Identity(str(uuid.uuid4()), utc(SystemClock().now()))
        identity = state.identity or await transport.adopt(fresh)
        await _remember(store_path, destination_key(item.transport), identity.id)  # type: ignore[arg-type]  # it has a transport
    finally:
        await transport.close()
        lock.release()
    return AdoptOutcome(identity.id, transport.title, created=identity == fresh)


async def show(settings: Settings) -> list[DestinationReport]:
    """Probe every instrument's destination once."""
    return [await _report(item) for item in settings.equipment]


async def _report(item: Equipment) -> DestinationReport:
    try:
        transport = _transport(item, local=True)
    except RefusedError as error:
        return DestinationReport(item.id, item.nas_root, None, None, None, str(error))
    try:
        state = await transport.probe()
    except TransportError as error:
        return DestinationReport(item.id, transport.title, None, None, None, str(error))
    finally:
        await transport.close()
    missing = "" if state.identity else f"not adopted yet: run `exlab-sync destination adopt {item.id}`"
    identity = state.identity.id if state.identity else None
    space = (state.free_bytes, state.total_bytes)
    return DestinationReport(item.id, transport.title, identity, *space, missing, state.capabilities.manner)


def _transport(item: Equipment, *, local: bool) -> Transport:
    if item.transport is None:
        raise RefusedError(f"{item.id} has sync_mode stage: ExLab-Wizard moves its runs, it has no destination here.")
    return transport_for(item.transport, Limiter(None, SystemClock()), local=local)


async def _remember(store_path: Path, key: str, identity_id: str) -> None:
    store = SQLiteStore(store_path)
    await store.open()
    try:
        await store.note(f"destination:{key}", identity_id)
    finally:
        await store.close()
