"""Is the unit one that systemd accepts, and does ``service`` leave alone what is not its own?"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.operate.service.systemd import Manager, wanted_unit
from exlab_sync_tui.operate.service.unit import OURS, UnitOptions, render_unit
from exlab_sync_tui.settings import Settings
from tests.unit.cli_helpers import Shelf, fill, make_shelf

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze (package systemd) is not installed"
)
HOSTILE = "/data/my lab 100% $HOME \\ \"quoted\" 'x'"


@dataclass(frozen=True, slots=True)
class Desk:
    """A shelf, and a systemctl that only writes down what it is asked."""

    shelf: Shelf
    calls: Path

    @property
    def unit(self) -> Path:
        return self.shelf.root / "config" / "systemd" / "user" / "exlab-sync.service"

    def asked(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def answer(self, script: str) -> None:
        place = self.shelf.root / "bin" / "systemctl"
        place.parent.mkdir(exist_ok=True)
        place.write_text(f'#!/bin/sh\necho "$@" >> "{self.calls}"\n{script}\n')
        place.chmod(0o755)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    shelf = make_shelf(tmp_path)
    fill(shelf)
    made = Desk(shelf, tmp_path / "calls")
    made.answer("exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return made


def settings(local: str, nas: str) -> Settings:
    item = {
        "id": "CONFOCAL_01",
        "label": "Confocal",
        "local_root": local,
        "nas_root": "//nas01/lab",
        "completeness_signal": "quiescence",
        "transport": {"type": "mount", "path": nas},
    }
    return Settings.model_validate({"equipment": [item]})


def verify(unit: str, folder: Path, scope: str) -> None:
    """systemd's own judgement: no error and no warning."""
    place = folder / "exlab-sync.service"
    place.write_text(unit)
    done = subprocess.run(
        ["systemd-analyze", scope, "verify", str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("root", ["/data/lab", HOSTILE])
@pytest.mark.parametrize("scope", ["--system", "--user"])
def test_systemd_accepts_the_unit(tmp_path: Path, root: str, scope: str) -> None:
    manager = Manager.of_system() if scope == "--system" else Manager.of_user({"XDG_CONFIG_HOME": str(tmp_path)})
    configured = settings(root, f"{root} far")
    state = Path(root) / "state"
    unit = wanted_unit(manager, configured, config=Path(root) / "c.yaml", state=state, user="exlab", group="exlab")
    verify(unit, tmp_path, scope)


@needs_systemd
def test_systemd_would_notice_a_mistake_in_the_unit(tmp_path: Path) -> None:
    unit = render_unit(UnitOptions(["/bin/true"])).replace("WatchdogSec=60", "WatchdogSec=often")
    with pytest.raises(AssertionError, match="Failed to parse"):
        verify(unit, tmp_path, "--system")


def test_the_unit_is_notified_watched_and_walled_in() -> None:
    unit = render_unit(UnitOptions(["/bin/true"], user="exlab", group="lab", writable=[Path("/mnt/nas/lab")]))
    lines = unit.splitlines()
    for line in (
        *("Type=notify", "WatchdogSec=60", "UMask=0002", "User=exlab", "Group=lab", "ProtectSystem=strict"),
        *(
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "ReadWritePaths=-/mnt/nas/lab",
            "WantedBy=multi-user.target",
        ),
    ):
        assert line in lines


def test_a_user_has_a_unit_without_walls_that_only_root_can_build() -> None:
    unit = render_unit(UnitOptions(["/bin/true"], writable=[Path("/mnt/nas/lab")]))
    assert "ProtectSystem" not in unit
    assert "User=" not in unit
    assert "WantedBy=default.target" in unit


@pytest.mark.parametrize("name", ["two\nlines", "esc\x1b[2J", "undecodable\udcff"])
def test_a_path_that_no_unit_can_name_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="no systemd unit can name"):
        render_unit(UnitOptions(["/bin/true"], user="exlab", writable=[Path("/data") / name]))


def test_a_user_name_cannot_add_a_line() -> None:
    with pytest.raises(RefusedError, match="is no name of a user"):
        render_unit(UnitOptions(["/bin/true"], user="exlab\nUser=root"))


def test_a_dry_run_shows_the_unit_and_writes_nothing(desk: Desk) -> None:
    done = desk.shelf.ask("service", "install", "--dry-run")
    assert done.exit_code == 0
    assert f"# {desk.unit}" in done.output
    assert "Type=notify" in done.output
    assert not desk.unit.exists()
    assert desk.asked() == []


def test_nobody_is_asked_where_there_is_no_terminal(desk: Desk) -> None:
    assert desk.shelf.ask("service", "install").exit_code == 2
    assert not desk.unit.exists()


def test_install_writes_the_unit_and_starts_it(desk: Desk) -> None:
    done = desk.shelf.ask("service", "install", "--yes")
    assert done.exit_code == 0, done.output
    assert desk.unit.read_text().startswith(OURS)
    enable, restart = "--user enable exlab-sync.service", "--user restart exlab-sync.service"
    assert desk.asked() == ["--user daemon-reload", enable, restart]


def test_where_systemd_does_not_answer_the_commands_are_named(desk: Desk) -> None:
    desk.answer("echo 'Failed to connect to bus' >&2; exit 1")
    done = desk.shelf.ask("service", "install", "--yes")
    assert done.exit_code == 1
    assert "systemd could not be asked: Failed to connect to bus" in done.output
    assert "systemctl --user enable --now exlab-sync.service" in done.output
    assert desk.unit.exists()


def test_a_unit_of_somebody_else_is_neither_replaced_nor_removed(desk: Desk) -> None:
    desk.unit.parent.mkdir(parents=True)
    desk.unit.write_text("[Service]\nExecStart=/bin/mine\n")
    for words in (("install", "--yes"), ("uninstall",)):
        done = desk.shelf.ask("service", *words)
        assert done.exit_code == 1
        assert "was not written by `exlab-sync service install`" in done.output
    assert desk.unit.read_text() == "[Service]\nExecStart=/bin/mine\n"


def test_a_service_of_the_system_needs_its_account_first(desk: Desk) -> None:
    done = desk.shelf.ask("service", "install", "--system", "--yes", "--as", "nobody-here", "--group", "no-such-group")
    assert done.exit_code == 1
    assert "Nothing was written. There is no group no-such-group: sudo groupadd --system no-such-group" in done.output


def test_status_says_whether_it_runs_and_fits(desk: Desk) -> None:
    assert desk.shelf.ask("service", "status").exit_code == 3
    desk.shelf.ask("service", "install", "--yes")
    desk.answer("printf 'ActiveState=active\\nMainPID=4711\\nStatusText=watching\\n'")
    done = desk.shelf.ask("service", "status")
    assert done.exit_code == 0
    assert "The engine runs as process 4711 (watching)." in done.output
    assert "has changed since" not in done.output
    text = desk.shelf.config.read_text()
    desk.unit.write_text(desk.unit.read_text().replace("Nice=5", "Nice=6"))
    assert "has changed since" in desk.shelf.ask("service", "status").output
    desk.shelf.config.write_text(text)
    desk.answer("printf 'ActiveState=failed\\nSubState=failed\\n'")
    done = desk.shelf.ask("service", "status")
    assert done.exit_code == 12
    assert "The service is failed failed; `journalctl --user -u exlab-sync -n 50` says why." in done.output


def test_uninstall_removes_the_unit_and_says_what_stays(desk: Desk) -> None:
    desk.shelf.ask("service", "install", "--yes")
    done = desk.shelf.ask("service", "uninstall", "--dry-run")
    assert f"Would stop the engine and remove {desk.unit}" in done.output
    assert desk.unit.exists()
    done = desk.shelf.ask("service", "uninstall")
    assert done.exit_code == 0
    assert not desk.unit.exists()
    assert "--user disable --now exlab-sync.service" in desk.asked()
    for kept in (str(desk.shelf.state), str(desk.shelf.config), ".exlab-sync-owner.json", ".exlab-destination.json"):
        assert kept in done.output
    assert (desk.shelf.state / "queue.db").exists()
