"""Where are the configuration and the state? (``FORMATS.md`` §9)"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping

APP = "exlab-sync"
CONFIG_VARIABLE = "EXLAB_SYNC_CONFIG"
STATE_VARIABLE = "EXLAB_SYNC_STATE"
SYSTEM_CONFIG = Path("/etc/exlab-sync/config.yaml")
SYSTEM_STATE = Path("/var/lib/exlab-sync")


def user_config_path() -> Path:
    """The config file of this user, whether it exists or not; where ``init`` writes."""
    return platformdirs.user_config_path(APP, appauthor=False) / "config.yaml"


def find_config(path: Path | None, *, environ: Mapping[str, str]) -> Path:
    """The config file in force: *path*, else ``EXLAB_SYNC_CONFIG``, else the user's, else the system's.

    A file that was named is taken without a look; the others count if something lies there, readable or not, so that a
    broken one is never passed over in silence. Raises ``ConfigError`` when there is none.
    """
    named = path or environ.get(CONFIG_VARIABLE)
    if named:
        return _absolute(named)
    candidates = (user_config_path(), SYSTEM_CONFIG)
    for candidate in candidates:
        if _is_there(candidate):
            return candidate
    looked = " and ".join(safe_text(candidate) for candidate in candidates)
    raise ConfigError(f"There is no configuration; looked for {looked}. `exlab-sync init` writes one.")


def state_folder(environ: Mapping[str, str], *, flag: Path | None = None, config_path: Path | None = None) -> Path:
    """The folder of the store: *flag*, else ``EXLAB_SYNC_STATE``, else the system's if the config is the system's.

    Otherwise it is the user's state folder of this platform. The folder is not made here.
    """
    named = flag or environ.get(STATE_VARIABLE)
    if named:
        return _absolute(named)
    if config_path is not None and _absolute(config_path).parent == SYSTEM_CONFIG.parent:
        return SYSTEM_STATE
    return platformdirs.user_state_path(APP, appauthor=False)


def _absolute(path: Path | str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111  # Path.expanduser raises without a home


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
