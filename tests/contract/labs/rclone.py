"""Labs over remotes of rclone: a folder of this PC, an SSH server, and WebDAV served on the loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.rclone.names import on_local_disk, standard
from exlab_sync_tui.transport.rclone.transport import RcloneOptions, RcloneTransport
from tests.contract.transport_lab import FarOnDisk, Lab
from tests.sshd import Sshd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

RCLONE = shutil.which("rclone")


class FarByName(FarOnDisk):
    """A folder in which the files have the names that a server made of ours."""

    def __init__(self, root: Path, called: Callable[[str], str]) -> None:
        super().__init__(root)
        self._called = called

    def read(self, path: str) -> bytes | None:
        return super().read(self._called(path))

    def write(self, path: str, data: bytes) -> None:
        super().write(self._called(path), data)

    def has(self, path: str) -> bool:
        return super().has(self._called(path))


def rclone_at(
    folder: Path, root: str, *sections: str, limiter: Limiter | None = None, **options: object
) -> RcloneTransport:
    """A transport over the remote ``nas`` of a config with these lines."""
    if RCLONE is None:
        pytest.skip("rclone is not installed")
    config = folder / "rclone.conf"
    config.write_text("\n".join(("[nas]", *sections)) + "\n")
    unlimited = limiter or Limiter(None, SystemClock())
    return RcloneTransport(RcloneOptions("nas:", root, config=config, **options), unlimited)  # type: ignore[arg-type]


def sftp_remote(server: Sshd) -> list[str]:
    """The lines of a remote over an SSH server of the tests, host keys checked."""
    return [
        "type = sftp",
        f"host = {server.host}",
        f"port = {server.port}",
        f"user = {server.user}",
        f"key_file = {server.key}",
        f"known_hosts_file = {server.known_hosts}",
    ]


@contextmanager
def webdav(far_root: Path) -> Iterator[list[str]]:
    """A WebDAV server over a folder, with a password; the lines of a remote over it."""
    if RCLONE is None:
        pytest.skip("rclone is not installed")
    environment = os.environ | {"RCLONE_USER": "lab", "RCLONE_PASS": "open sesame"}
    command = [RCLONE, "serve", "webdav", "--addr", "127.0.0.1:0", "--config", os.devnull, "--dir-cache-time", "1ms"]
    server = subprocess.Popen([*command, str(far_root)], stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                break
        else:
            raise AssertionError("the WebDAV server did not start")
        hidden = subprocess.run([RCLONE, "obscure", "open sesame"], capture_output=True, text=True, check=True)
        yield ["type = webdav", f"url = {found[0]}", "vendor = other", "user = lab", f"pass = {hidden.stdout.strip()}"]
    finally:
        server.kill()
        server.stderr.close()
        server.wait()


@asynccontextmanager
async def _closing(lab: Lab) -> AsyncIterator[Lab]:
    try:
        yield lab
    finally:
        await lab.transport.close()


@asynccontextmanager
async def open_local(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """A remote of type local: ``folder/nas``."""
    far_root = folder / "nas"
    far_root.mkdir()
    transport = rclone_at(folder, str(far_root), "type = local")
    async with _closing(Lab(source, transport, FarByName(far_root, on_local_disk))) as lab:
        yield lab


@asynccontextmanager
async def open_sftp(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """A remote of type sftp: an SSH server of its own; its names are rclone's, letter for letter."""
    far_root = folder / "nas"
    far_root.mkdir()
    with Sshd(folder / "sshd") as server:
        transport = rclone_at(folder, str(far_root), *sftp_remote(server))
        async with _closing(Lab(source, transport, FarByName(far_root, standard))) as lab:
            yield lab


@asynccontextmanager
async def open_webdav(source: Path, folder: Path) -> AsyncIterator[Lab]:
    """A remote of type webdav, served by rclone itself."""
    far_root = folder / "nas"
    far_root.mkdir()
    with webdav(far_root) as sections:
        transport = rclone_at(folder, "", *sections)
        async with _closing(Lab(source, transport, FarByName(far_root, on_local_disk))) as lab:
            yield lab
