"""The command of the systemd unit, run by hand with a notify socket: ready, alive, stopping; files for the group."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path

from tests.acceptance.bench_lab import Lab, adopt, instrument, write_run
from tests.unit.cli_helpers import Shelf

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 60.0


def exec_start(unit: str) -> list[str]:
    """The words as systemd would split them; the paths of this test need no escapes."""
    (line,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart="))


def until(listening: socket.socket, wanted: str) -> list[str]:
    heard: list[str] = []
    while wanted not in "\n".join(heard):
        heard.append(listening.recv(4096).decode())
    return heard


def test_the_command_of_the_unit_tells_the_manager_and_shares_its_files(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.local.mkdir()
    lab.nas.mkdir()
    adopt(lab.nas)
    lab.configure(instrument("PLAIN_01", lab.local, lab.nas, settle_seconds=0.5), rescan_seconds=86_400)
    write_run(lab.local / "Run_A", small=1)
    options = ["--config", str(lab.config), "--state", str(lab.state)]
    shown = Shelf(tmp_path).ask(*options, "service", "install", "--dry-run")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE)
        environ = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "500000"}
        with subprocess.Popen(
            exec_start(shown.stdout), cwd=REPOSITORY, env=environ, stdout=subprocess.DEVNULL, umask=0o002
        ) as process:
            try:
                assert "READY=1" in until(listening, "READY=1")[-1]
                until(listening, "WATCHDOG=1")
                until(listening, "WATCHDOG=1")
                assert (lab.state / "queue.db").stat().st_mode & 0o777 == 0o664
                assert (lab.state / "queue.db-wal").stat().st_mode & 0o777 == 0o664
                process.send_signal(signal.SIGTERM)
                until(listening, "STOPPING=1")
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()
