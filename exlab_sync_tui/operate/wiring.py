"""What do the settings mean for somebody who only looks? The small values that the rooms take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.gate.validator import GateOptions
from exlab_sync_tui.model.run import EquipmentFolder
from exlab_sync_tui.watch.completeness import CompletenessOptions, SignalKind

if TYPE_CHECKING:
    from exlab_sync_tui.settings import Equipment, Settings

_MIB = 1 << 20


def gate_options(settings: Settings) -> GateOptions:
    """The gate's part of the configuration: ``validator`` and the required fields of ``readme.defaults``."""
    block = settings.validator
    return GateOptions(
        content_scan_max_bytes=block.content_scan_max_mib * _MIB,
        content_scan_extensions=block.content_scan_extensions,
        required_readme_fields=frozenset(settings.readme.required),
    )


def equipment_folders(settings: Settings) -> list[EquipmentFolder]:
    """Where each instrument writes."""
    return [EquipmentFolder(item.id, item.folder, item.layout, item.run_pattern) for item in settings.equipment]


def completeness_options(settings: Settings, item: Equipment) -> CompletenessOptions:
    """How this instrument says that a run is finished."""
    return CompletenessOptions(
        signal=SignalKind(item.completeness_signal.value),
        sentinel_filename=item.sentinel_filename,
        manifest_filename=item.manifest_filename,
        settle_seconds=item.settle_seconds,
        busy_patterns=settings.sync.busy_patterns,
        litter_patterns=settings.sync.litter_patterns,
    )


def staged(settings: Settings) -> frozenset[str]:
    """Instruments whose runs ExLab-Wizard moves; nothing of theirs waits for us."""
    return frozenset(item.id for item in settings.equipment if item.transport is None)


def far_roots(settings: Settings) -> dict[str, str]:
    """By instrument: the folder below which its runs are put, as a person would type it."""
    return {item.id: far_root(item) for item in settings.equipment}


def far_root(item: Equipment) -> str:
    """The remote root of one instrument: a path, ``user@host:/path`` or ``remote:path``."""
    return item.transport.place if item.transport else item.nas_root
