"""Labs over SSH: a real OpenSSH server with and without Python or commands, and the server that asyncssh ships."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.sftp.transport import SftpOptions, SftpTransport
from exlab_sync_tui.transport.ssh.access import SshAccess
from tests.contract.transport_lab import FarOnDisk, Lab
from tests.sshd import Sshd, SshdOptions, make_key, why_not

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

_TOOLS = ("sh", "head", "xargs", "openssl", "sha256sum", "sync")


def over_sftp(access: SshAccess, *, limiter: Limiter | None = None, connections: int = 0) -> SftpTransport:
    """A transport over this account."""
    return SftpTransport(SftpOptions(access, connections=connections), limiter or Limiter(None, SystemClock()))


def without_python(folder: Path) -> SshdOptions:
    """A server on which nothing but a few tools is found."""
    folder.mkdir()
    for tool in _TOOLS:
        if path := shutil.which(tool):
            (folder / tool).symlink_to(path)
    return SshdOptions(environ={"PATH": folder})


@functools.cache
def _shared(kind: str) -> tuple[Sshd, Path]:
    """One server of each kind for all tests of this process, and the folder in which each of them gets its own."""
    if reason := why_not():
        pytest.skip(reason)
    base = Path(tempfile.mkdtemp(prefix="exlab-sshd-"))
    (roots := base / "roots").mkdir()
    options = {
        "agent": SshdOptions(),
        "tool": without_python(base / "bin"),
        "chroot": SshdOptions(sftp_only=True, chroot=roots),
    }[kind]
    server = Sshd(base / "sshd", options)
    server.start()
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    atexit.register(server.stop)
    return server, roots


@asynccontextmanager
async def _over(kind: str, source: Path) -> AsyncIterator[Lab]:
    server, roots = _shared(kind)
    far_root = Path(tempfile.mkdtemp(dir=roots))
    remote_path = f"/{far_root.name}" if kind == "chroot" else str(far_root)
    lab = Lab(source, over_sftp(server.access(remote_path)), FarOnDisk(far_root))
    try:
        yield lab
    finally:
        await lab.transport.close()
        shutil.rmtree(far_root)


def open_agent(source: Path, folder: Path) -> AbstractAsyncContextManager[Lab]:
    """An account with a shell and Python."""
    return _over("agent", source)


def open_tool(source: Path, folder: Path) -> AbstractAsyncContextManager[Lab]:
    """An account with a shell and a few tools, but no Python."""
    return _over("tool", source)


def open_chroot(source: Path, folder: Path) -> AbstractAsyncContextManager[Lab]:
    """An account for files alone, which sees a folder as the root."""
    return _over("chroot", source)


@asynccontextmanager
async def asyncssh_server(
    folder: Path, far_root: Path, server_of: type[asyncssh.SFTPServer] = asyncssh.SFTPServer
) -> AsyncIterator[SshAccess]:
    """asyncssh's own server in this process, which runs no commands and shows *far_root* as the root."""
    key, host_key = folder / "key", folder / "host_key"
    make_key(key)
    make_key(host_key)
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[str(host_key)],
        authorized_client_keys=str(key.with_suffix(".pub")),
        sftp_factory=lambda channel: server_of(channel, chroot=os.fsencode(far_root)),
    )
    port = server.get_port()
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {host_key.with_suffix('.pub').read_text()}")
    (nothing := folder / "config").touch()
    try:
        yield SshAccess("127.0.0.1", "lab", key, known_hosts, "/", port, nothing)
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def open_asyncssh(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """A lab over that server."""
    (far_root := folder / "nas").mkdir()
    async with asyncssh_server(folder, far_root) as access:
        lab = Lab(source, over_sftp(access), FarOnDisk(far_root))
        try:
            yield lab
        finally:
            await lab.transport.close()
