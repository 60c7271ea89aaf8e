"""How does a test get an SSH server of its own? A real OpenSSH server on a loopback port, with keys made for it."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from exlab_sync_tui.transport.ssh.access import SshAccess
from tests.watchdog import descendants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
_TRIES = 5
_PROMISE = 20
_CHROOT = "/mnt"
"""Where a folder is mounted, in the server's own mount namespace: sshd wants a chroot that only root can write to."""


def why_not() -> str:
    """Why no server can be started here; empty if it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "only root can start an SSH server that logs in"
    missing = [tool for tool, path in {"sshd": SSHD, "ssh-keygen": shutil.which("ssh-keygen")}.items() if not path]
    return f"{' and '.join(missing)} not installed" if missing else ""


needs_sshd = pytest.mark.skipif(bool(why_not()), reason=why_not())


@dataclass(frozen=True, slots=True)
class SshdOptions:
    """What the server allows.

    ``sftp_only``: no commands, ``internal-sftp`` alone; ``read_only`` with it refuses writing. ``chroot``: the session
    sees this folder as ``/``. ``key_options`` stand before the key in ``authorized_keys`` (``command="…"``,
    ``restrict``). ``client_alive``: seconds and count after which a silent client is cut. ``lines``: anything else in
    the words of ``sshd_config(5)``. ``user``: the account; one without a shell only gets ``sftp_only``. ``environ``:
    what a session finds in its environment. ``sftp_server``: a command in the place of ``internal-sftp``. ``prelude``:
    a line of shell that is run before, in a mount namespace of the server's own. ``agreement``: how keys are agreed on;
    empty is OpenSSH's own choice, which costs the client six times as much and which only measurements need.
    """

    sftp_only: bool = False
    read_only: bool = False
    chroot: Path | None = None
    max_sessions: int | None = None
    client_alive: tuple[int, int] | None = None
    key_options: str = ""
    user: str = field(default_factory=getpass.getuser)
    lines: Sequence[str] = ()
    environ: Mapping[str, object] = field(default_factory=dict)
    prelude: str = ""
    sftp_server: str = ""
    agreement: str = "curve25519-sha256"

    def config(self) -> list[str]:
        """The lines of ``sshd_config`` that these options are."""
        # at SHLVL 1 bash leaves out this PC's own start-up files, which are not what is tested (bash(1), SHLVL)
        environ = " ".join(f"{name}={value}" for name, value in {"SHLVL": 1, **self.environ}.items())
        sftp = self.sftp_server or f"internal-sftp{' -R' if self.read_only else ''}"
        told = [f"Subsystem sftp {sftp}", f"SetEnv {environ}", *self.lines]
        if self.agreement:
            told.append(f"KexAlgorithms {self.agreement}")
        if self.sftp_only:
            told.append(f"ForceCommand internal-sftp{' -R' if self.read_only else ''}")
        if self.chroot is not None:
            told.append(f"ChrootDirectory {_CHROOT}")
        if self.max_sessions is not None:
            told.append(f"MaxSessions {self.max_sessions}")
        if self.client_alive is not None:
            told += [f"ClientAliveInterval {self.client_alive[0]}", f"ClientAliveCountMax {self.client_alive[1]}"]
        return told


class Sshd:
    """One server; a context manager. Everything it needs lies below *folder*.

    ``key`` and ``known_hosts`` are what the client needs; ``log`` is what the server has said. The key is made anew in
    every folder, so a second server in another folder is one that the first one's client does not know.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, options: SshdOptions | None = None) -> None:
        if reason := why_not():
            pytest.skip(reason)
        self.options = options or SshdOptions()
        self.folder = folder
        self.user = self.options.user
        self.key = folder / "id_ed25519"
        self.host_key = folder / "host_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.authorized_keys = folder / "authorized_keys"
        self.port = 0
        self.log: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.key, self.host_key):
            make_key(path)
        self.authorize(self.options.key_options)

    def access(self, remote_path: Path | str, *, port: int = 0) -> SshAccess:
        """The account as a transport knows it, without this machine's own SSH configuration; *port* of a proxy."""
        nothing = Path(os.devnull)
        return SshAccess(self.host, self.user, self.key, self.known_hosts, str(remote_path), port or self.port, nothing)

    def authorize(self, key_options: str = "") -> None:
        """Let the client's key in, with these options; counts for the next connection."""
        words = " ".join(part for part in (key_options, self.key.with_suffix(".pub").read_text()) if part)
        self.authorized_keys.write_text(words)

    def resume(self) -> None:
        """Start it again after ``stop``, on the same port and with the same keys."""
        self._start(self.port)

    def also_known_at(self, port: int) -> None:
        """Make the client know this server behind a proxy on *port*."""
        self.write_known_hosts()
        known = self.known_hosts.read_text()
        self.known_hosts.write_text(known + known.replace(f":{self.port} ", f":{port} "))

    def renew_host_key(self) -> None:
        """Give the server another host key, as after a new installation; it is started again on the same port."""
        self.stop()
        make_key(self.host_key)
        self.resume()

    def start(self) -> None:
        """Start it on a free port and write what its host key is into ``known_hosts``."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's own privilege separation folder
        for _ in range(_TRIES - 1):
            try:
                self._start(free_port())
                break
            except OSError:  # somebody else took the port in this moment
                continue
        else:
            self._start(free_port())
        self.write_known_hosts()

    def write_known_hosts(self) -> None:
        """Make the client know this server, and no other."""
        kind, key, *_ = self.host_key.with_suffix(".pub").read_text().split()
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {kind} {key}\n")

    def _start(self, port: int) -> None:
        assert SSHD is not None
        config = self.folder / "sshd_config"
        config.write_text("\n".join(self._config(port)) + "\n")
        command = [SSHD, "-D", "-e", "-f", str(config)]
        prelude = self.options.prelude
        if self.options.chroot is not None:
            prelude = shlex.join(["mount", "--bind", str(self.options.chroot), _CHROOT])
        if prelude:
            command = ["unshare", "-m", "sh", "-c", f'{prelude} && exec "$@"', "sh", *command]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line.strip())
            if "Server listening on" in line:
                break
        else:
            process.wait(_PROMISE)
            process.stderr.close()
            raise OSError(f"sshd did not start: {said}")
        self.port = port
        self._process = process
        self._reader = threading.Thread(target=self._read_log, args=(process,), daemon=True)
        self._reader.start()

    def _config(self, port: int) -> list[str]:
        return [
            f"Port {port}",
            f"ListenAddress {self.host}",
            f"HostKey {self.host_key}",
            "PidFile none",
            "UsePAM no",
            "UseDNS no",
            "StrictModes no",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "AuthorizedKeysFile none",
            "AuthorizedKeysCommand /bin/cat " + str(self.authorized_keys),  # read by root, whoever logs in
            "AuthorizedKeysCommandUser root",
            "MaxStartups 200",
            "PrintMotd no",
            "PrintLastLog no",
            "LogLevel VERBOSE",
            *self.options.config(),
        ]

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.strip())

    @property
    def pid(self) -> int:
        """The listening process; its descendants are the sessions."""
        assert self._process is not None
        return self._process.pid

    def cut_sessions(self) -> int:
        """Kill every session at once, as a NAS that restarts does; how many processes that were."""
        sessions = descendants(self.pid)
        for session in sessions:
            try:
                os.kill(session, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(sessions)

    def stop(self) -> None:
        """End the server and all its sessions; idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        sessions = descendants(process.pid)
        for pid in (process.pid, *sessions):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(_PROMISE)
        if self._reader is not None:
            self._reader.join(_PROMISE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def make_key(path: Path) -> None:
    """A fresh ed25519 key pair without a passphrase at *path* and ``<path>.pub``."""
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((Sshd.host, 0))
        port: int = probe.getsockname()[1]
        return port
