"""What did this lab configure? ``config.yaml``, ``EXLAB_SYNC_*`` and flags become one typed ``Settings``.

Names are imported when first used: finding the state folder must not cost the price of the whole schema.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exlab_sync_tui.settings.bandwidth import Bandwidth, Window, limit_kibps
    from exlab_sync_tui.settings.blocks import (
        ConsoleBlock,
        LoggingBlock,
        NasCleanupBlock,
        OperatorsBlock,
        SyncBlock,
        ValidatorBlock,
        VerifyBlock,
    )
    from exlab_sync_tui.settings.equipment import CompletenessSignal, Equipment, StagingTransport, SyncMode
    from exlab_sync_tui.settings.loading import LoadedSettings, load_settings
    from exlab_sync_tui.settings.locations import find_config, state_folder, user_config_path
    from exlab_sync_tui.settings.overview import effective
    from exlab_sync_tui.settings.problems import ConfigProblems, Problem
    from exlab_sync_tui.settings.schema import Settings
    from exlab_sync_tui.settings.starter import starter_config, write_starter
    from exlab_sync_tui.settings.transports import (
        MountTransport,
        RcloneTransport,
        RsyncSshTransport,
        SftpTransport,
        TransportBlock,
    )

__all__ = [
    "Bandwidth",
    "CompletenessSignal",
    "ConfigProblems",
    "ConsoleBlock",
    "Equipment",
    "LoadedSettings",
    "LoggingBlock",
    "MountTransport",
    "NasCleanupBlock",
    "OperatorsBlock",
    "Problem",
    "RcloneTransport",
    "RsyncSshTransport",
    "Settings",
    "SftpTransport",
    "StagingTransport",
    "SyncBlock",
    "SyncMode",
    "TransportBlock",
    "ValidatorBlock",
    "VerifyBlock",
    "Window",
    "effective",
    "find_config",
    "limit_kibps",
    "load_settings",
    "starter_config",
    "state_folder",
    "user_config_path",
    "write_starter",
]

_HOME = {
    "bandwidth": ("Bandwidth", "Window", "limit_kibps"),
    "blocks": (
        "ConsoleBlock",
        "LoggingBlock",
        "NasCleanupBlock",
        "OperatorsBlock",
        "SyncBlock",
        "ValidatorBlock",
        "VerifyBlock",
    ),
    "equipment": ("CompletenessSignal", "Equipment", "StagingTransport", "SyncMode"),
    "loading": ("LoadedSettings", "load_settings"),
    "locations": ("find_config", "state_folder", "user_config_path"),
    "overview": ("effective",),
    "problems": ("ConfigProblems", "Problem"),
    "schema": ("Settings",),
    "starter": ("starter_config", "write_starter"),
    "transports": ("MountTransport", "RcloneTransport", "RsyncSshTransport", "SftpTransport", "TransportBlock"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
