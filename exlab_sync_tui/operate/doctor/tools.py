"""Are the programs and libraries there that this configuration needs?"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import problem, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient

_PACKAGES = ("exlab-sync", "aiosqlite", "asyncssh", "textual", "watchfiles")


def are_named(_patient: Patient) -> Iterator[Diagnosis]:
    """What runs here, for whoever is asked for help."""
    mine = versions()
    python = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    yield well("tools", f"exlab-sync {mine['exlab-sync']}, {python}.")
    if sys.version_info < (3, 11):  # noqa: UP036  # somebody may have forced the installation
        yield problem("tools", "exlab-sync needs Python 3.11 or newer.", "python3.11 -m venv .venv")


def versions() -> dict[str, str]:
    """Versions of this program and of the libraries that move data."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
