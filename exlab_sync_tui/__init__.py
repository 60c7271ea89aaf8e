"""exlab-sync: moves finished instrument runs to a NAS, proves every byte, and says so.

The public names of ``FORMATS.md`` §10 are imported when they are first used: a verb pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exlab_sync_tui.engine.client import NASSyncClient
    from exlab_sync_tui.errors import ExlabSyncError, TransportError, TransportErrorKind
    from exlab_sync_tui.gate.validator import GateOptions, Validator
    from exlab_sync_tui.model.evidence import EvidenceLevel
    from exlab_sync_tui.model.finding import Finding
    from exlab_sync_tui.model.job import SyncHandleState, SyncJobHandle, SyncJobRow, SyncJobState
    from exlab_sync_tui.model.verdict import VerifyResult
    from exlab_sync_tui.provenance.creation import CreationWriter
    from exlab_sync_tui.settings import Equipment, Settings
    from exlab_sync_tui.transport.base import TransportResult
    from exlab_sync_tui.verify.verifier import Verifier

_HOME = {
    "CreationWriter": "provenance.creation",
    "Equipment": "settings",
    "EvidenceLevel": "model.evidence",
    "ExlabSyncError": "errors",
    "Finding": "model.finding",
    "GateOptions": "gate.validator",
    "NASSyncClient": "engine.client",
    "Settings": "settings",
    "SyncHandleState": "model.job",
    "SyncJobHandle": "model.job",
    "SyncJobRow": "model.job",
    "SyncJobState": "model.job",
    "TransportError": "errors",
    "TransportErrorKind": "errors",
    "TransportResult": "transport.base",
    "Validator": "gate.validator",
    "Verifier": "verify.verifier",
    "VerifyResult": "model.verdict",
}

__all__ = [
    "CreationWriter",
    "Equipment",
    "EvidenceLevel",
    "ExlabSyncError",
    "Finding",
    "GateOptions",
    "NASSyncClient",
    "Settings",
    "SyncHandleState",
    "SyncJobHandle",
    "SyncJobRow",
    "SyncJobState",
    "TransportError",
    "TransportErrorKind",
    "TransportResult",
    "Validator",
    "Verifier",
    "VerifyResult",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
