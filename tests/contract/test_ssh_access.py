"""Is an account found, and a host known, by every way that OpenSSH has for it? Each against a real server."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.rsync.transport import RsyncOptions, RsyncTransport
from tests.contract.labs.sftp import asyncssh_server, over_sftp, without_python
from tests.contract.transport_lab import RUN, FarOnDisk, Lab, identity
from tests.proxy import Proxy
from tests.sshd import Sshd, SshdOptions, make_key, needs_sshd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from exlab_sync_tui.transport.base import Transport
    from exlab_sync_tui.transport.ssh.access import SshAccess

pytestmark = needs_sshd
MIB = 1 << 20
SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


def over_rsync(access: SshAccess) -> RsyncTransport:
    return RsyncTransport(RsyncOptions(access), Limiter(None, SystemClock()))


@pytest.fixture(params=["sftp", "rsync"])
def over(request: pytest.FixtureRequest) -> Callable[[SshAccess], Transport]:
    """asyncssh for what is small, with the system's ssh for the bulk; or the system's ssh alone."""
    if request.param == "rsync" and shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    return over_sftp if request.param == "sftp" else over_rsync


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    (tmp_path / "nas").mkdir()
    return tmp_path / "nas"


@asynccontextmanager
async def lab_over(transport: Transport, tmp_path: Path) -> AsyncIterator[Lab]:
    (source := tmp_path / "Run_1").mkdir(exist_ok=True)
    lab = Lab(source, transport, FarOnDisk(tmp_path / "nas"))
    try:
        await transport.adopt(identity())
        await lab.open()
        yield lab
    finally:
        await transport.close()


async def takes_a_run(transport: Transport, tmp_path: Path) -> None:
    """A small file and a large one arrive and are proven by the far side itself."""
    async with lab_over(transport, tmp_path) as lab:
        lab.put("a.raw", os.urandom(70_000))
        lab.put("d/large.raw", os.urandom(9 * MIB))
        sent = await lab.send()
        assert {record.rung for record in sent.values()} == {EvidenceLevel.REMOTE_HASH}
        assert all(record.proven for record in sent.values())


async def is_refused(transport: Transport, match: str) -> None:
    with pytest.raises(TransportError, match=match) as raised:
        await transport.probe()
    await transport.close()
    assert raised.value.error_kind is TransportErrorKind.AUTH


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Sshd]:
    """A server whose host key an authority has signed."""
    folder = tmp_path / "sshd"
    certificate = folder / "host_ed25519-cert.pub"
    server = Sshd(folder, SshdOptions(lines=(f"HostCertificate {certificate}",)))
    make_key(folder / "authority")
    sign = ["ssh-keygen", "-q", "-s", str(folder / "authority"), "-I", "nas", "-h", "-n", server.host]
    subprocess.run([*sign, str(server.host_key.with_suffix(".pub"))], check=True, capture_output=True)
    with server:
        yield server


def known(server: Sshd, *lines: str) -> None:
    """``known_hosts`` with these lines, in which NAME, CA and KEY stand for the server's."""
    meant = {
        "NAME": f"[{server.host}]:{server.port}",
        "CA": " ".join((server.folder / "authority.pub").read_text().split()[:2]) if "CA" in " ".join(lines) else "",
        "KEY": " ".join(server.host_key.with_suffix(".pub").read_text().split()[:2]),
    }
    text = "".join(f"{line}\n" for line in lines)
    for word, value in meant.items():
        text = text.replace(word, value)
    server.known_hosts.write_text(text)


async def test_a_host_is_known_by_the_authority_that_has_signed_its_key(
    tmp_path: Path, nas: Path, signed: Sshd, over: Callable[[SshAccess], Transport]
) -> None:
    known(signed, "@cert-authority NAME CA")
    await takes_a_run(over(signed.access(nas)), tmp_path)


async def test_an_authority_of_other_hosts_says_nothing_about_this_one(
    nas: Path, signed: Sshd, over: Callable[[SshAccess], Transport]
) -> None:
    known(signed, "@cert-authority other.example CA")
    await is_refused(over(signed.access(nas)), "is not known")


async def test_a_revoked_key_is_refused_though_it_is_listed_as_known(
    nas: Path, server: Sshd, over: Callable[[SshAccess], Transport]
) -> None:
    known(server, "NAME KEY", "@revoked * KEY")
    await is_refused(over(server.access(nas)), "is refused although it is listed")


async def test_an_unknown_host_and_a_changed_one_are_told_with_their_fingerprints(
    nas: Path, server: Sshd, over: Callable[[SshAccess], Transport]
) -> None:
    before = fingerprint(server)
    server.known_hosts.write_text("")
    await is_refused(over(server.access(nas)), f"is not known: it offers .*{re.escape(before)}")
    server.write_known_hosts()
    server.renew_host_key()
    changed = f"expected was ED25519 {re.escape(before)}, it offers .*{re.escape(fingerprint(server))}"
    await is_refused(over(server.access(nas)), changed)


def fingerprint(server: Sshd) -> str:
    """As ``SHA256:…``."""
    told = subprocess.run(["ssh-keygen", "-l", "-f", server.host_key], check=True, capture_output=True, text=True)
    return told.stdout.split()[1]


async def test_an_entry_is_found_though_it_is_hashed_and_has_a_port(
    tmp_path: Path, nas: Path, server: Sshd, over: Callable[[SshAccess], Transport]
) -> None:
    hash_names = ["ssh-keygen", "-q", "-H", "-f", str(server.known_hosts)]
    await asyncio.to_thread(subprocess.run, hash_names, check=True, capture_output=True)
    assert server.host not in server.known_hosts.read_text()
    await takes_a_run(over(server.access(nas)), tmp_path)


async def test_a_nas_behind_another_host_is_reached_by_the_users_configuration(
    tmp_path: Path, nas: Path, server: Sshd, over: Callable[[SshAccess], Transport]
) -> None:
    with Sshd(tmp_path / "jump") as jump:
        config = tmp_path / "config"
        config.write_text(
            f"Host nas\n  HostName {server.host}\n  Port {server.port}\n  ProxyJump jump\n"
            f"Host jump\n  HostName {jump.host}\n  Port {jump.port}\n  User {jump.user}\n"
            f"  IdentityFile {jump.key}\n  UserKnownHostsFile {jump.known_hosts}\n"
        )
        access = replace(server.access(nas), host="nas", port=22, config=config)
        await takes_a_run(over(access), tmp_path)
        assert any("Accepted publickey" in line for line in jump.log)
        assert any("Accepted publickey" in line for line in server.log)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The socket of an agent without a key."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not installed")
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "it says where it listens"
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield socket
    finally:
        process.kill()
        process.communicate()


async def test_a_key_that_only_an_agent_has_is_used(
    tmp_path: Path, nas: Path, server: Sshd, agent: Path, over: Callable[[SshAccess], Transport]
) -> None:
    await asyncio.to_thread(subprocess.run, ["ssh-add", "-q", str(server.key)], check=True, capture_output=True)
    server.key.unlink()
    await takes_a_run(over(server.access(nas)), tmp_path)


async def test_without_a_key_anywhere_the_sentence_says_how_to_make_one(
    tmp_path: Path, nas: Path, server: Sshd, agent: Path
) -> None:
    server.key.unlink()
    await is_refused(over_sftp(server.access(nas)), "ssh-keygen -t ed25519")


async def test_one_session_for_each_connection_is_enough(
    tmp_path: Path, nas: Path, over: Callable[[SshAccess], Transport]
) -> None:
    with Sshd(tmp_path / "sshd", SshdOptions(max_sessions=1)) as server:
        await takes_a_run(over(server.access(nas)), tmp_path)


async def test_a_server_that_cuts_a_silent_client_is_connected_to_anew(tmp_path: Path, nas: Path) -> None:
    with Sshd(tmp_path / "sshd", SshdOptions(client_alive=(1, 1))) as server, Proxy(server.port) as proxy:
        server.also_known_at(proxy.port)
        async with lab_over(over_sftp(server.access(nas, port=proxy.port)), tmp_path) as lab:
            lab.put("a.raw", os.urandom(70_000))
            proxy.stall()
            await has_said(server, "Timeout, client not responding")
            proxy.go_on()
            assert (await lab.transport.probe()).identity == identity()
            assert all(record.proven for record in (await lab.send()).values())


async def has_said(server: Sshd, words: str) -> None:
    async with asyncio.timeout(60):
        while not any(words in line for line in server.log):  # noqa: ASYNC110  # another process cannot set an event
            await asyncio.sleep(0.02)


def other_paths(tmp_path: Path, nas: Path, options: SshdOptions) -> SshdOptions:
    """As on a Synology: SFTP shows a folder as ``/opt``, which the account's commands find as ``/srv/opt``."""
    if not SFTP_SERVER.exists():
        pytest.skip("OpenSSH's sftp-server is not installed")
    script = tmp_path / "sftp-server"
    script.write_text(
        "#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
        f"exec unshare -m sh -c 'mount --bind /srv/opt /opt && exec {SFTP_SERVER}'\n"
    )
    script.chmod(0o755)
    prelude = f"mount -t tmpfs tmpfs /srv && mkdir /srv/opt && mount --bind '{nas}' /srv/opt"
    return replace(options, sftp_server=str(script), prelude=prelude)


@pytest.mark.parametrize("kind", ["agent", "tool"])
async def test_commands_find_the_folder_that_sftp_shows_under_another_path(
    tmp_path: Path, nas: Path, kind: str
) -> None:
    options = SshdOptions() if kind == "agent" else without_python(tmp_path / "bin")
    with Sshd(tmp_path / "sshd", other_paths(tmp_path, nas, options)) as server:
        await takes_a_run(over_sftp(server.access("/opt")), tmp_path)


@pytest.mark.parametrize("kind", ["agent", "tool", "files"])
async def test_a_disk_that_is_full_in_the_middle_is_said_and_the_rest_is_sent_with_room(
    tmp_path: Path, nas: Path, kind: str
) -> None:
    options = without_python(tmp_path / "bin") if kind == "tool" else SshdOptions(sftp_only=kind == "files")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", nas], check=False).returncode:  # noqa: ASYNC221
        pytest.skip("no file system can be mounted here")
    try:
        with Sshd(tmp_path / "sshd", options) as server:
            async with lab_over(over_sftp(server.access(nas)), tmp_path) as lab:
                lab.put("a.raw", os.urandom(70_000))
                lab.put("large.raw", os.urandom(18 * MIB))
                _, error = await lab.send_until_trouble(lab.records())
                assert error.error_kind is TransportErrorKind.NO_SPACE, error
                assert "it goes on by itself" in str(error)
                subprocess.run(["mount", "-o", "remount,size=64m", nas], check=True)  # noqa: ASYNC221
                await lab.open()
                assert all(record.proven for record in (await lab.send()).values())
                assert lab.pulse.skipped_bytes > 4 * MIB
    finally:
        subprocess.run(["umount", "-l", nas], check=True)  # noqa: ASYNC221


class TestSmallServers:
    """What asyncssh's server plays: no extensions, small limits, an answer without a number."""

    @asynccontextmanager
    async def lab(
        self, tmp_path: Path, nas: Path, server_of: type[asyncssh.SFTPServer] = asyncssh.SFTPServer
    ) -> AsyncIterator[Lab]:
        async with (
            asyncssh_server(tmp_path, nas, server_of) as access,
            lab_over(over_sftp(access), tmp_path) as lab,
        ):
            yield lab

    async def arrives_and_is_published(self, lab: Lab) -> None:
        lab.put("a.raw", os.urandom(70_000))
        lab.put("d/large.raw", os.urandom(9 * MIB))
        sent = await lab.send()
        assert {record.rung for record in sent.values()} == {EvidenceLevel.READ_BACK}
        assert all(record.proven for record in sent.values())
        final = f"{RUN.partition('/.exlab-incoming')[0]}/Run_1"
        await lab.transport.publish(RUN, final)
        assert lab.far.read(f"{final}/d/large.raw") == (lab.source / "d/large.raw").read_bytes()
        with pytest.raises(TransportError) as raised:
            await lab.transport.publish(RUN, final)
        assert raised.value.error_kind in {TransportErrorKind.CONFLICT, TransportErrorKind.UNKNOWN}

    async def test_a_server_without_a_single_extension_does(
        self, tmp_path: Path, nas: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_extensions", [])
        async with self.lab(tmp_path, nas) as lab:
            assert (await lab.transport.probe()).free_bytes is None
            await self.arrives_and_is_published(lab)

    async def test_a_server_with_small_limits_gets_no_more_than_it_takes(
        self, tmp_path: Path, nas: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        longest = 4_096
        asked: list[int] = []

        class Small(asyncssh.SFTPServer):
            def read(self, file_obj: object, offset: int, size: int) -> bytes:
                asked.append(size)
                return super().read(file_obj, offset, size)  # type: ignore[return-value]

            def write(self, file_obj: object, offset: int, data: bytes) -> int:
                asked.append(len(data))
                return super().write(file_obj, offset, data)  # type: ignore[return-value]

        async def limits(_self: object, _packet: object) -> asyncssh.sftp.SFTPLimits:
            return asyncssh.sftp.SFTPLimits(longest + 1_024, longest, longest, 0)

        handlers = {**asyncssh.sftp.SFTPServerHandler._packet_handlers, b"limits@openssh.com": limits}
        monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_packet_handlers", handlers)
        async with self.lab(tmp_path, nas, Small) as lab:
            await self.arrives_and_is_published(lab)
        assert max(asked) <= longest

    async def test_a_server_that_is_full_in_the_middle_says_so(self, tmp_path: Path, nas: Path) -> None:
        room = [6 * MIB]

        class Full(asyncssh.SFTPServer):
            def write(self, file_obj: object, offset: int, data: bytes) -> int:
                room[0] -= len(data)
                if room[0] < 0:
                    raise OSError(28, "No space left on device")
                return super().write(file_obj, offset, data)  # type: ignore[return-value]

        async with self.lab(tmp_path, nas, Full) as lab:
            lab.put("large.raw", os.urandom(12 * MIB))
            _, error = await lab.send_until_trouble(lab.records())
            assert error.error_kind is TransportErrorKind.NO_SPACE, error
            room[0] = 64 * MIB
            await lab.open()
            assert all(record.proven for record in (await lab.send()).values())
            assert lab.pulse.skipped_bytes > MIB
