"""Labs over an SSH server with rsync: an account with a shell, and one that may run ``rsync --server`` and no more."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.rsync.transport import RsyncOptions, RsyncTransport
from exlab_sync_tui.transport.ssh.access import SshAccess
from tests.contract.transport_lab import FarOnDisk, Lab
from tests.sshd import Sshd, SshdOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ONLY_RSYNC = """#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
  "rsync --server "*) eval "exec $SSH_ORIGINAL_COMMAND" ;;
esac
echo "this account runs rsync and nothing else" >&2
exit 1
"""


def restricted(folder: Path) -> SshdOptions:
    """The account runs ``rsync --server`` and nothing else."""
    script = folder / "only-rsync"
    script.write_text(ONLY_RSYNC)
    script.chmod(0o755)
    return SshdOptions(key_options=f'restrict,command="{script}"')


def access_to(server: Sshd, root: str) -> SshAccess:
    """The account of the tests' server."""
    return SshAccess(
        host=server.host,
        user=server.user,
        key=server.key,
        known_hosts=server.known_hosts,
        remote_path=root,
        port=server.port,
        config=server.folder / "no-config",
    )


def rsync_at(server: Sshd, root: str, *, limiter: Limiter | None = None, **options: object) -> RsyncTransport:
    """A transport over a running server."""
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    (server.folder / "no-config").touch()
    chosen = RsyncOptions(access_to(server, root), **options)  # type: ignore[arg-type]
    return RsyncTransport(chosen, limiter or Limiter(None, SystemClock()))


@asynccontextmanager
async def _open(source: Path, folder: Path, options: SshdOptions | None, root: str = "") -> AsyncIterator[Lab]:
    far_root = folder / "nas"
    far_root.mkdir()
    with Sshd(folder / "sshd", options) as server:
        lab = Lab(source, rsync_at(server, root or str(far_root)), FarOnDisk(far_root))
        try:
            yield lab
        finally:
            await lab.transport.close()


@asynccontextmanager
async def open_shell(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """An account that runs commands."""
    async with _open(source, folder, SshdOptions()) as lab:
        yield lab


@asynccontextmanager
async def open_restricted(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """An account that runs nothing but rsync."""
    async with _open(source, folder, restricted(folder)) as lab:
        yield lab


@asynccontextmanager
async def open_rrsync(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """An account that rsync's own ``rrsync`` keeps in one folder, which is its root."""
    if shutil.which("rrsync") is None:
        pytest.skip("rrsync is not installed")
    options = SshdOptions(key_options=f'restrict,command="rrsync {folder / "nas"}"')
    async with _open(source, folder, options, "/") as lab:
        yield lab
