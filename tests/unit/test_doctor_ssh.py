"""Does the doctor find a key, a host key or a tool that is wrong, and is a server accepted only by a person?"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.operate.doctor.destination import answer
from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis, Mood
from exlab_sync_tui.operate.doctor.patient import ThisMachine
from exlab_sync_tui.operate.doctor.registry import admit
from exlab_sync_tui.operate.doctor.ssh import has_a_key, has_tools, knows_the_host
from tests.sshd import Sshd, needs_sshd
from tests.unit.cli_helpers import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.operate.doctor.patient import Patient

pytestmark = needs_sshd


@dataclass(slots=True)
class Machine(ThisMachine):
    """This PC without some of its programs, and with other versions of them."""

    missing: Sequence[str] = ()
    versions: dict[str, str] = field(default_factory=dict)

    def tool(self, name: str) -> str:
        return "" if name in self.missing else ThisMachine.tool(self, name)

    def ask(self, words: Sequence[str], *, given: str = "") -> str:
        return self.versions.get(words[0]) or ThisMachine.ask(self, words, given=given)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        server.known_hosts.chmod(0o600)
        yield server


def configured(server: Sshd, root: Path, kind: str = "sftp") -> Shelf:
    shelf = Shelf(root)
    (root / "plates").mkdir(exist_ok=True)
    shelf.config.write_text(
        f"""\
equipment:
  - id: READER_01
    label: Plate Reader 1
    local_root: {root / "plates"}
    nas_root: //nas01/lab
    layout: plain
    completeness_signal: quiescence
    transport:
      type: {kind}
      ssh_target: {server.user}@{server.host}
      port: {server.port}
      ssh_key_path: {server.key}
      known_hosts: {server.known_hosts}
      remote_path: /srv/lab
"""
    )
    return shelf


def examined(shelf: Shelf, check: Callable[[Patient], Iterator[Diagnosis]], **machine: object) -> list[Diagnosis]:
    patient = admit(shelf.config, shelf.state, {})
    assert patient.settings is not None, patient.objections
    return list(check(replace(patient, machine=Machine(**machine))))  # type: ignore[arg-type]


def fingerprint(server: Sshd) -> str:
    told = subprocess.run(["ssh-keygen", "-lf", str(server.host_key)], capture_output=True, text=True, check=True)
    return told.stdout.split()[1]


def test_a_server_that_is_known_is_named_with_its_fingerprint(server: Sshd, tmp_path: Path) -> None:
    (found,) = examined(configured(server, tmp_path), knows_the_host)
    assert (found.mood, found.sentence) == (
        Mood.WELL,
        f"[127.0.0.1]:{server.port} is known: ED25519 {fingerprint(server)}.",
    )


def test_a_server_that_is_not_known_shows_its_fingerprint(server: Sshd, tmp_path: Path) -> None:
    server.known_hosts.write_text("")
    (found,) = examined(configured(server, tmp_path), knows_the_host)
    assert found.mood is Mood.PROBLEM
    assert f"It shows ED25519 {fingerprint(server)}; compare that with the server's own." in found.sentence
    assert found.command == "exlab-sync doctor --trust-host"


def test_a_server_whose_key_has_changed_is_never_trusted_by_a_flag(server: Sshd, tmp_path: Path) -> None:
    before = fingerprint(server)
    server.renew_host_key()
    shelf = configured(server, tmp_path)
    (found,) = examined(shelf, knows_the_host)
    assert found.mood is Mood.PROBLEM
    assert f"{fingerprint(server)} instead of ED25519 {before}. It may be another machine" in found.sentence
    assert found.command.startswith(f"ssh-keygen -f {server.known_hosts} -R ")
    known = server.known_hosts.read_bytes()
    done = shelf.ask("doctor", "--trust-host", "--fingerprint", fingerprint(server))
    assert done.exit_code == 1
    assert "a changed key is never accepted here" in done.output
    assert server.known_hosts.read_bytes() == known


def test_a_server_that_does_not_answer_is_said_to(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path)
    server.stop()
    (found,) = examined(shelf, knows_the_host)
    assert found.mood is Mood.ADVICE
    server.known_hosts.write_text("")
    (found,) = examined(shelf, knows_the_host)
    assert "does not answer, so its key could not be looked at" in found.sentence


def test_a_server_is_trusted_by_its_fingerprint_and_by_no_other(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path)
    server.known_hosts.write_text("# kept")
    done = shelf.ask("doctor", "--trust-host", "--fingerprint", "SHA256:" + "A" * 43)
    assert done.exit_code == 1
    assert "It was not accepted, and nothing was written." in done.output
    assert shelf.ask("doctor", "--trust-host").exit_code == 2  # nobody can be asked
    assert server.known_hosts.read_text() == "# kept"
    done = shelf.ask("doctor", "--trust-host", "--fingerprint", fingerprint(server))
    assert done.exit_code == 0, done.output
    assert server.known_hosts.read_text().startswith("# kept\n[127.0.0.1]:")
    (found,) = examined(shelf, knows_the_host)
    assert found.mood is Mood.WELL
    command = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={server.known_hosts}"]
    place = ["-i", str(server.key), "-p", str(server.port), f"{server.user}@{server.host}", "echo", "in"]
    assert subprocess.run([*command, *place], capture_output=True, text=True, check=False).stdout == "in\n"


def test_a_key_that_is_not_there(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path)
    server.key.unlink()
    (found,) = examined(shelf, has_a_key)
    assert found.command == f"ssh-keygen -t ed25519 -f {server.key}"


def test_a_key_that_others_can_read(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path)
    (found,) = examined(shelf, has_a_key)
    assert found.mood is Mood.WELL
    server.key.chmod(0o644)
    (found,) = examined(shelf, has_a_key)
    assert (found.mood, found.command) == (Mood.PROBLEM, f"chmod 600 {server.key}")


def test_a_key_with_a_passphrase(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "hunter2", "-f", str(server.key)], check=True)
    (found,) = examined(shelf, has_a_key)
    assert (found.mood, found.command) == (Mood.ADVICE, f"ssh-add {server.key}")


def test_a_tool_that_is_missing_or_too_old(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path, "rsync_ssh")
    found = examined(shelf, has_tools, missing=("rsync",))
    assert [one.mood for one in found] == [Mood.PROBLEM, Mood.WELL]
    assert found[0].command == "sudo apt install rsync"
    found = examined(shelf, has_tools, versions={"rsync": "rsync  version 2.6.9  protocol version 29"})
    assert "rsync 2.6.9 on this PC is too old" in found[0].sentence


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sftp", "rsync_ssh"])
def test_a_real_server_is_tried_out_and_left_as_it_was(server: Sshd, tmp_path: Path, kind: str) -> None:
    far = tmp_path / "far"
    far.mkdir()
    shelf = configured(server, tmp_path, kind)
    shelf.config.write_text(shelf.config.read_text().replace("/srv/lab", str(far)))
    done = shelf.ask("destination", "adopt", "READER_01", "--yes")
    assert done.exit_code == 0, done.output
    found = examined(shelf, answer)
    assert [one.sentence for one in found if one.mood is Mood.PROBLEM] == []
    assert {one.check for one in found} >= {"destination", "destination.write", "destination.evidence"}
    assert [place.name for place in far.iterdir()] == [".exlab-destination.json"]


def test_a_server_that_refuses_the_key_is_told_how_to_know_it(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path, "rsync_ssh")
    server.authorized_keys.write_text("")
    found = [one for one in examined(shelf, answer) if one.mood is Mood.PROBLEM]
    assert [one.command for one in found] == [
        f"ssh-copy-id -i {server.key} -p {server.port} {server.user}@{server.host}"
    ]


def test_nothing_is_asked_of_a_server_whose_key_is_not_known(server: Sshd, tmp_path: Path) -> None:
    shelf = configured(server, tmp_path, "rsync_ssh")
    server.known_hosts.write_text("")
    assert examined(shelf, answer) == []


@pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed")
def test_a_remote_of_rclone_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    far, rclone = tmp_path / "far", tmp_path / "rclone.conf"
    far.mkdir()
    (tmp_path / "plates").mkdir()
    rclone.write_text(f"[nas]\ntype = alias\nremote = {tmp_path}\n")
    shelf = Shelf(tmp_path)
    shelf.config.write_text(
        f"equipment:\n  - id: READER_01\n    label: Reader\n    local_root: {tmp_path}/plates\n"
        "    nas_root: //nas01/lab\n    layout: plain\n    completeness_signal: quiescence\n"
        f"    transport: {{type: rclone, rclone_remote: nas, rclone_remote_path: far, rclone_config: {rclone}}}\n"
    )
    done = shelf.ask("destination", "adopt", "READER_01", "--yes")
    assert done.exit_code == 0, done.output
    found = examined(shelf, answer)
    assert [one.sentence for one in found if one.mood is Mood.PROBLEM] == []
    assert {one.check for one in found} >= {"destination", "destination.write", "destination.evidence"}
    assert [place.name for place in far.iterdir()] == [".exlab-destination.json"]
