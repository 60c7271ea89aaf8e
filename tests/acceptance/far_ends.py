"""Destinations that a tool of the system reaches: real servers, and the block of the config that names them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.rclone.names import on_local_disk, standard
from tests.contract.labs.rclone import sftp_remote, webdav
from tests.contract.labs.rsync import restricted
from tests.sshd import Sshd, SshdOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Opener = Callable[[Path, Path], AbstractContextManager["FarEnd"]]


def _unchanged(rel: str) -> str:
    return rel


@dataclass(frozen=True, slots=True)
class FarEnd:
    """A destination whose files lie in *nas*; ``called`` says what a file is called there, ``block`` is its config."""

    nas: Path
    block: dict[str, object]
    rung: str
    publish: str = "renamed"
    called: Callable[[str], str] = _unchanged
    server: Sshd | None = None

    @property
    def root(self) -> Path:
        """Below which the runs lie."""
        return self.nas / "lab" if self.block.get("rclone_remote_path") == "lab" else self.nas


def _remote(folder: Path, root: str, sections: list[str]) -> dict[str, object]:
    config = folder / "rclone.conf"
    config.write_text("\n".join(("[nas]", *sections)) + "\n")
    return {"type": "rclone", "rclone_remote": "nas", "rclone_remote_path": root, "rclone_config": str(config)}


@contextmanager
def rclone_local(folder: Path, nas: Path) -> Iterator[FarEnd]:
    """A remote of type local."""
    yield FarEnd(nas, _remote(folder, str(nas), ["type = local"]), "read_back", called=on_local_disk)


@contextmanager
def rclone_sftp(folder: Path, nas: Path) -> Iterator[FarEnd]:
    """A remote of type sftp."""
    with Sshd(folder / "sshd") as server:
        yield FarEnd(nas, _remote(folder, str(nas), sftp_remote(server)), "read_back", called=standard, server=server)


@contextmanager
def rclone_webdav(folder: Path, nas: Path) -> Iterator[FarEnd]:
    """A remote of type webdav."""
    with webdav(nas) as sections:
        yield FarEnd(nas, _remote(folder, "lab", sections), "read_back", called=on_local_disk)


@contextmanager
def _rsync(folder: Path, nas: Path, options: SshdOptions, rung: str, publish: str) -> Iterator[FarEnd]:
    with Sshd(folder / "sshd", options) as server:
        block: dict[str, object] = {
            "type": "rsync_ssh",
            "ssh_target": f"{server.user}@{server.host}",
            "port": server.port,
            "ssh_key_path": str(server.key),
            "known_hosts": str(server.known_hosts),
            "remote_path": str(nas),
        }
        yield FarEnd(nas, block, rung, publish, server=server)


@contextmanager
def rsync_shell(folder: Path, nas: Path) -> Iterator[FarEnd]:
    """rsync to an account that runs commands."""
    with _rsync(folder, nas, SshdOptions(), "remote_hash", "renamed") as far:
        yield far


@contextmanager
def rsync_restricted(folder: Path, nas: Path) -> Iterator[FarEnd]:
    """rsync to an account that runs nothing else."""
    with _rsync(folder, nas, restricted(folder), "rsync_checksum", "direct") as far:
        yield far


FAR_ENDS: dict[str, Opener] = {
    "rclone-local": rclone_local,
    "rclone-sftp": rclone_sftp,
    "rclone-webdav": rclone_webdav,
    "rsync-shell": rsync_shell,
    "rsync-restricted": rsync_restricted,
}
