"""What does a walk need to know and to hold? Values handed from the assembly to the lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.engine.board import Board
    from exlab_sync_tui.engine.bus import Bus
    from exlab_sync_tui.engine.holds import HoldKeeper
    from exlab_sync_tui.gate.validator import Validator
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.evidence import EvidenceLevel
    from exlab_sync_tui.model.run import EquipmentFolder
    from exlab_sync_tui.provenance.creation import CreationWriter
    from exlab_sync_tui.queue.store import JobStore
    from exlab_sync_tui.transport.base import Transport, TransportResult
    from exlab_sync_tui.verify.verifier import Verifier
    from exlab_sync_tui.watch.completeness import CompletenessOptions


class PushCallable(Protocol):
    """An injected transfer (``FORMATS.md`` §10)."""

    async def __call__(self, local: Path, *, bwlimit_kibps: int | None) -> TransportResult:
        """Send the folder *local*, at most *bwlimit_kibps* KiB/s."""
        ...


class HashsumCallable(Protocol):
    """Injected far digests (``FORMATS.md`` §10)."""

    async def __call__(self, run_dir: Path) -> dict[str, str]:
        """Relative POSIX path → SHA-256 (hex) of every far file of the run *run_dir*."""
        ...


class RateSource(Protocol):
    """The bandwidth limit at this moment, by the clock on the wall."""

    def __call__(self) -> int | None:
        """KiB/s, ``None`` for no limit."""
        ...


@dataclass(frozen=True, slots=True)
class Injected:
    """Callables that replace the configured transport for one instrument."""

    push: PushCallable | None = None
    hashsum: HashsumCallable | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one instrument's runs go. ``key`` is the same for instruments that share a destination.

    ``root`` is the remote root as it is configured (its last segment decides whether the equipment id is a folder);
    ``equipment_id`` is the first instrument that goes there, for commands shown to a person.
    ``unready`` is a sentence if this kind of destination cannot be used at all.
    """

    key: str
    title: str
    root: str
    equipment_id: str
    injected: Injected
    rate: RateSource
    unready: str = ""
    transport: Transport | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument as the engine sees it."""

    folder: EquipmentFolder
    label: str
    destination: Destination
    completeness: CompletenessOptions
    litter: Sequence[str]
    stall_seconds: float

    @property
    def id(self) -> str:
        """The equipment id."""
        return self.folder.equipment_id


@dataclass(frozen=True, slots=True)
class Identities:
    """Who we are, injected so that a test can be somebody (``ARCHITECTURE.md`` decision 9)."""

    host: str
    user: str
    version: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that every lane shares."""

    store: JobStore
    clock: Clock
    bus: Bus
    board: Board
    holds: HoldKeeper
    validator: Validator
    creation: CreationWriter
    verifier: Verifier
    minimum: EvidenceLevel
    records_folder: Path
    identities: Identities

    def now(self) -> datetime:
        """The present instant."""
        return self.clock.now()
