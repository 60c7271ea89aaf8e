"""Where does the unit go, what belongs into it for this configuration, and what does systemd say about it?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ExlabSyncError, RefusedError
from exlab_sync_tui.operate.service.unit import OURS, UnitOptions, render_unit
from exlab_sync_tui.operate.wiring import equipment_folders
from exlab_sync_tui.provenance.atomic import write_atomic
from exlab_sync_tui.settings.transports import MountTransport, RcloneTransport
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exlab_sync_tui.settings import Settings

UNIT_NAME = "exlab-sync.service"
SYSTEM_UNITS = Path("/etc/systemd/system")
_PATIENCE = 60.0
_SHOWN = ("LoadState", "ActiveState", "SubState", "MainPID", "StatusText", "NRestarts", "UnitFileState")


@dataclass(frozen=True, slots=True)
class Manager:
    """The systemd that looks after the unit: the system's, or this user's own."""

    for_system: bool
    units: Path

    @classmethod
    def of_system(cls) -> Manager:
        """Starts with the PC, for everybody."""
        return cls(for_system=True, units=SYSTEM_UNITS)

    @classmethod
    def of_user(cls, environ: Mapping[str, str] = os.environ) -> Manager:
        """Starts when this user logs in; with ``loginctl enable-linger`` when the PC starts."""
        home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        return cls(for_system=False, units=Path(home) / "systemd" / "user")

    @property
    def unit(self) -> Path:
        """The unit file."""
        return self.units / UNIT_NAME

    def words(self, *verb: str) -> list[str]:
        """The command line of ``systemctl``."""
        return ["systemctl", *([] if self.for_system else ["--user"]), *verb]

    def installed(self) -> str:
        """What the unit says now; empty if there is none or it cannot be read."""
        try:
            return self.unit.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def write(self, text: str) -> None:
        """Put the unit in place. Raises ``RefusedError`` for a unit that somebody else has written."""
        self._refuse_foreign()
        try:
            self.units.mkdir(parents=True, exist_ok=True)
            write_atomic(self.unit, text.encode())
            self.unit.chmod(0o644)
        except OSError as error:
            raise _unwritable(self, error) from error

    def remove(self) -> bool:
        """Remove the unit; ``False`` if there is none. Raises ``RefusedError`` for one that is not ours."""
        self._refuse_foreign()
        try:
            self.unit.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unwritable(self, error) from error
        return True

    def control(self, *verb: str) -> str:
        """Ask systemctl to do something; empty text, or what it objects to."""
        if shutil.which("systemctl") is None:
            return "systemctl is not installed"
        done = subprocess.run(
            self.words(*verb), capture_output=True, text=True, check=False, timeout=_PATIENCE, stdin=subprocess.DEVNULL
        )
        return "" if done.returncode == 0 else (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"

    def state(self) -> dict[str, str]:
        """What systemctl tells of the unit; empty if it cannot be asked."""
        if shutil.which("systemctl") is None:
            return {}
        wanted = [f"--property={name}" for name in _SHOWN]
        done = subprocess.run(
            self.words("show", UNIT_NAME, *wanted), capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
        if done.returncode != 0:
            return {}
        return dict(line.partition("=")[::2] for line in done.stdout.splitlines() if "=" in line)

    def _refuse_foreign(self) -> None:
        if self.unit.exists() and not self.installed().startswith(OURS):
            raise RefusedError(
                f"{safe_text(self.unit)} was not written by `exlab-sync service install` and was left as it is; move it"
                " away first."
            )


def wanted_unit(
    manager: Manager, settings: Settings, *, config: Path, state: Path, user: str = "", group: str = ""
) -> str:
    """The unit for this configuration. Raises ``RefusedError``."""
    command = [sys.executable, "-m", "exlab_sync_tui", "--config", str(config), "--state", str(state), "run"]
    writable = [state, *(folder.root for folder in equipment_folders(settings))]
    for item in settings.equipment:
        match item.transport:
            case MountTransport(path=path):
                writable.append(path)
            case RcloneTransport(rclone_config=Path() as path):
                writable.append(path.parent)  # rclone renews its tokens there
    return render_unit(
        UnitOptions(
            command=command,
            user=user if manager.for_system else "",
            group=group if manager.for_system else "",
            state=state,
            writable=writable,
        )
    )


def fits(manager: Manager, settings: Settings, *, config: Path, state: Path) -> bool:
    """Whether the installed unit is the one that this configuration needs, for the account that it names."""
    installed = manager.installed()
    said = dict(line.partition("=")[::2] for line in installed.splitlines())
    account = {"user": said.get("User", "exlab"), "group": said.get("Group", "exlab")}
    return wanted_unit(manager, settings, config=config, state=state, **account) == installed


def account_problem(user: str, group: str) -> str:
    """Why the service cannot run as this user and group, with the command that mends it; empty if it can."""
    import grp  # noqa: PLC0415  # only where there is systemd
    import pwd  # noqa: PLC0415

    try:
        grp.getgrnam(group)
    except KeyError:
        return f"There is no group {safe_text(group)}: sudo groupadd --system {safe_text(group)}"
    try:
        pwd.getpwnam(user)
    except KeyError:
        name = safe_text(user)
        return f"There is no user {name}: sudo useradd --system --gid {safe_text(group)} --no-create-home {name}"
    return ""


def _unwritable(manager: Manager, error: OSError) -> ExlabSyncError:
    how = "sudo exlab-sync service install --system" if manager.for_system else "exlab-sync service install --system"
    return ExlabSyncError(f"{safe_text(manager.unit)} cannot be changed: {error.strerror}. Try `{how}`.")


def farewell(*, config: Path | None, state: Path, settings: Settings | None) -> Sequence[str]:
    """What stays where, once nobody starts this program any more."""
    lines = [
        f"the job store, the log and the records of each run: {safe_text(state)}",
        f"the configuration: {safe_text(config)}" if config else "",
        "in the instruments' folders: .exlab-sync-owner.json, and what ExLab-Wizard or we wrote into .exlab-wizard",
        "on the NAS: every run with its checksums and receipt, and .exlab-destination.json at the root",
    ]
    folders = [safe_text(folder.root) for folder in equipment_folders(settings)] if settings else []
    if folders:
        lines[2] += f" ({', '.join(folders)})"
    return [line for line in lines if line]
