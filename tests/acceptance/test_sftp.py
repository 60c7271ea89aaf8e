"""The real program over a real SSH server: runs arrive whole and proved, every trouble is said with its next step."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, adopt, instrument, write_run
from tests.acceptance.test_kill import survive
from tests.acceptance.test_weight import is_light
from tests.checker import check_sides
from tests.checker_store import check_store
from tests.proxy import Proxy
from tests.sshd import Sshd, SshdOptions, needs_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_sshd
HOSTILE = [b"-rf", b"not-utf8-\xff.raw", b"x" * 255, b"$(reboot) '`;& #", b"[red]", b"caf\xc3\xa9"]
_MIB = 1 << 20


def sftp_lab(
    root: Path, server: Sshd, *, port: int = 0, remote_path: str = "", mbps: float | None = None, **sync: object
) -> Lab:
    """A lab whose NAS is reached over *server*, perhaps through a proxy; *mbps* limits its bandwidth, in Mbit/s."""
    lab = Lab(root)
    lab.local.mkdir(exist_ok=True)
    lab.nas.mkdir(exist_ok=True)
    adopt(lab.nas)
    transport = {
        "type": "sftp",
        "ssh_target": f"{server.user}@{server.host}",
        "port": port or server.port,
        "ssh_key_path": str(server.key),
        "known_hosts": str(server.known_hosts),
        "remote_path": remote_path or str(lab.nas),
        "bandwidth": {"upload_mbps": mbps},
    }
    return lab.configure(instrument("PLAIN_01", lab.local, lab.nas, transport=transport), **sync)


def verified(lab: Lab, run: Path) -> str:
    """Send and prove; the evidence that the receipt names."""
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
    receipt = json.loads((lab.nas / lab.place(run) / ".exlab-wizard" / "receipt.json").read_text())
    return str(receipt["passes"][-1]["level"])


def hold_of(lab: Lab, kind: str) -> str:
    """The sentence of the one hold that there is."""
    told = json.loads(lab.run("status", "--json").stdout)
    [hold] = [hold for hold in told["holds"] if hold["kind"] == kind]
    return str(hold["sentence"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        yield server


def test_a_run_with_hostile_names_arrives_whole_and_is_hashed_by_the_nas(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=300, large_mib=20)
    for number, name in enumerate(HOSTILE):
        (run / os.fsdecode(name)).write_bytes(bytes([number]))
    assert verified(lab, run) == "remote_hash"
    shown = lab.run("destination", "show").stdout
    assert "stream" in shown
    assert "OpenSSH" in shown


def test_an_account_for_files_alone_in_a_chroot_is_read_back(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    with Sshd(tmp_path / "sshd", SshdOptions(sftp_only=True, chroot=nas, max_sessions=1)) as server:
        lab = sftp_lab(tmp_path, server, remote_path="/")
        assert verified(lab, write_run(lab.local / "Run_A", small=200, large_mib=20)) == "read_back"
        assert "read back over the connection" in lab.run("destination", "show").stdout


def test_one_session_for_each_connection_is_enough(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", SshdOptions(max_sessions=1)) as server:
        lab = sftp_lab(tmp_path, server)
        assert verified(lab, write_run(lab.local / "Run_A", small=200)) == "remote_hash"


def test_a_key_that_is_refused_holds_the_destination_until_it_is_let_in(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=3)
    server.authorized_keys.write_text("")
    lab.run("run", "--once")
    sentence = hold_of(lab, "auth")
    assert f"refuses the key {server.key}" in sentence
    assert "ssh-copy-id" in sentence
    server.authorize()
    assert verified(lab, run) == "remote_hash"


def test_a_changed_host_key_shows_both_fingerprints_and_the_commands_that_accept_it(
    tmp_path: Path, server: Sshd
) -> None:
    server.known_hosts = tmp_path / "known hosts"  # a blank, which ssh would split its option at
    server.write_known_hosts()
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=3)
    before = fingerprint(server)
    server.renew_host_key()
    lab.run("run", "--once")
    sentence = hold_of(lab, "auth")
    assert f"expected was {before}" in sentence
    assert f"it offers {fingerprint(server)}" in sentence
    [forget] = [word for word in sentence.split("`") if word.startswith("ssh-keygen -f")]
    subprocess.run(shlex.split(forget), check=True, capture_output=True)
    lab.run("run", "--once")
    sentence = hold_of(lab, "auth")
    assert f"is not known: it offers {fingerprint(server)}" in sentence
    [accept] = [word for word in sentence.split("`") if word.startswith("ssh -p")]
    told = [*shlex.split(accept), "true"]
    told[1:1] = ["-o", "StrictHostKeyChecking=accept-new", "-i", str(server.key), "-F", "none"]
    subprocess.run(told, check=True, capture_output=True)
    assert verified(lab, run) == "remote_hash"


def fingerprint(server: Sshd) -> str:
    """As ``ED25519 SHA256:…``."""
    told = subprocess.run(["ssh-keygen", "-l", "-f", server.host_key], check=True, capture_output=True, text=True)
    return f"ED25519 {told.stdout.split()[1]}"


def test_a_full_disk_is_said_with_its_figure_and_goes_on_with_room(tmp_path: Path, server: Sshd) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", nas], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        lab = sftp_lab(tmp_path, server)
        run = write_run(lab.local / "Run_A", small=50, large_mib=16)
        (nas / "others").write_bytes(bytes(12 * _MIB))
        lab.run("run", "--once")
        assert "free and the run still needs" in hold_of(lab, "no_space")
        (nas / "others").unlink()
        assert verified(lab, run) == "remote_hash"
    finally:
        subprocess.run(["umount", "-l", nas], check=True)


def test_a_server_that_is_gone_is_waited_for_and_nothing_is_counted(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server)
    run = write_run(lab.local / "Run_A", small=3)
    server.stop()
    assert lab.run("run", "--once").returncode == 5
    assert "does not answer" in hold_of(lab, "away")
    assert attempts(lab) == 0
    server.resume()
    assert verified(lab, run) == "remote_hash"


def attempts(lab: Lab) -> int:
    """How many attempts of the one run were counted."""
    with closing(sqlite3.connect(lab.state / "queue.db")) as store:
        [counted] = store.execute("SELECT attempts FROM jobs").fetchone()
    return int(counted)


@pytest.fixture
def proxy(server: Sshd) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        server.also_known_at(proxy.port)
        yield proxy


def test_a_connection_that_is_cut_costs_no_attempt_and_the_run_says_that_it_goes_on(
    tmp_path: Path, server: Sshd, proxy: Proxy
) -> None:
    lab = sftp_lab(tmp_path, server, port=proxy.port)
    run = write_run(lab.local / "Run_A", large_mib=64)
    proxy.cut_at = 30 * _MIB
    assert lab.run("run", "--once").returncode == 5
    assert "does not answer" in " ".join(lab.run("why", str(run)).stdout.split())
    assert attempts(lab) == 0
    [partial] = lab.nas.glob("PLAIN_01/.exlab-incoming/*/run/stack.raw")
    assert partial.stat().st_size > 20 * _MIB
    assert not check_sides({lab.place(run): run}, lab.nas)


@pytest.mark.slow
async def test_a_medium_run_is_light(tmp_path: Path, server: Sshd) -> None:
    await is_light(tmp_path, small=2_000, large_mib=128, prepare=lambda root: sftp_lab(root, server))


@pytest.mark.full
async def test_a_large_run_is_light(tmp_path: Path, server: Sshd) -> None:
    await is_light(tmp_path, small=20_000, large_mib=2_048, prepare=lambda root: sftp_lab(root, server))


@pytest.mark.full
async def test_a_run_over_a_long_line_which_takes_more_connections_is_light(tmp_path: Path, server: Sshd) -> None:
    with Proxy(server.port, delay=0.025) as proxy:
        server.also_known_at(proxy.port)
        await is_light(
            tmp_path, small=20_000, large_mib=256, prepare=lambda root: sftp_lab(root, server, port=proxy.port)
        )
        assert proxy.connections >= 4


@pytest.mark.full
async def test_a_run_that_is_written_and_read_back_over_sftp_alone_is_light(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", SshdOptions(sftp_only=True)) as server:
        await is_light(tmp_path, small=2_000, large_mib=256, prepare=lambda root: sftp_lab(root, server))


@pytest.mark.slow
def test_a_run_survives_kills_at_random_moments(tmp_path: Path, server: Sshd) -> None:
    lab = sftp_lab(tmp_path, server, mbps=200)
    run = write_run(lab.local / "Run_A", small=1_500, large_mib=96)
    assert survive(lab, run, kills=5, longest=2.2, seed=7) == 5
