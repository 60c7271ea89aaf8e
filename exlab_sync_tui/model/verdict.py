"""What did a comparison of both sides find?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exlab_sync_tui.errors import TransportErrorKind
    from exlab_sync_tui.model.evidence import EvidenceLevel


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The outcome of a verification (``FORMATS.md`` §10). Paths are relative to the run.

    ``manifest`` maps path to SHA-256 (hex) where the caller asked for it. ``evidence`` is the weakest rung met.
    ``error_kind`` is set when the comparison could not be made at all.
    """

    ok: bool
    mismatched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    manifest: Mapping[str, str] = field(default_factory=dict)
    error_kind: TransportErrorKind | None = None
    evidence: EvidenceLevel | None = None
    files: int = 0
    size: int = 0
