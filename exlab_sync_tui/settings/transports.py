"""How does an instrument reach its destination? One block per type of transport (``FORMATS.md`` §9)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from exlab_sync_tui.settings.bandwidth import Bandwidth
from exlab_sync_tui.settings.block import AbsolutePath, Argument, Block, Number, Text, objection

_SSH_TARGET = re.compile(r"([^\s@:/-][^\s@:/]*)@([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\])", re.ASCII)
_RCLONE_REMOTE = re.compile(r"[\w.+@][\w.+@ -]*")


def _user_at_host(text: str) -> str:
    if not _SSH_TARGET.fullmatch(text):
        raise objection("must be user@host; a port has a key of its own, a password has none")
    return text


def _remote_name(text: str) -> str:
    # A connection string (":s3,secret_access_key=…") can hold secrets; a configured remote keeps them in rclone's file.
    name = text.removesuffix(":")
    if not _RCLONE_REMOTE.fullmatch(name):
        raise objection("must be the name of a remote as `rclone listremotes` shows it")
    return name


def _nothing_is_no_cap(value: object) -> object:
    return {} if value is None else value


SshTarget = Annotated[Argument, AfterValidator(_user_at_host)]
Cap = Annotated[Bandwidth, BeforeValidator(_nothing_is_no_cap)]


class _Ssh(Block):
    ssh_target: SshTarget
    """user@host of the server; an IPv6 address in brackets."""
    port: Annotated[int, Number, Field(ge=1, le=65_535)] = 22
    """Port of the SSH server."""
    ssh_key_path: Annotated[AbsolutePath, Field(validate_default=True)] = Path("~/.ssh/id_ed25519")
    """Private key; a key with a passphrase needs an agent."""
    known_hosts: Annotated[AbsolutePath, Field(validate_default=True)] = Path("~/.ssh/known_hosts")
    """File of host keys; a server that is not in it is refused."""
    remote_path: Argument
    """Folder on the server below which the runs are put."""
    bandwidth: Cap = Bandwidth()
    """Cap on sending, and its weekly schedule."""

    @property
    def root(self) -> str:
        """The folder below which the runs are put; its last segment decides whether the equipment id is a folder."""
        return self.remote_path

    @property
    def place(self) -> str:
        """The root as a person would type it: ``user@host:/path``."""
        return f"{self.ssh_target}:{self.remote_path}"

    @property
    def user(self) -> str:
        """The part before the ``@``."""
        return self.ssh_target.partition("@")[0]

    @property
    def host(self) -> str:
        """The part behind the ``@``, an IPv6 address without its brackets."""
        return self.ssh_target.partition("@")[2].strip("[]")


class MountTransport(Block):
    """A share that the system has mounted, or any other folder."""

    type: Literal["mount"]
    """Always ``mount``."""
    path: AbsolutePath
    """Folder of the mounted share below which the runs are put."""
    bandwidth: Cap = Bandwidth()
    """Cap on sending, and its weekly schedule."""

    @property
    def root(self) -> str:
        """The folder below which the runs are put; its last segment decides whether the equipment id is a folder."""
        return str(self.path)

    @property
    def place(self) -> str:
        """The root as a person would type it."""
        return str(self.path)


class SftpTransport(_Ssh):
    """An SSH server, spoken to by this program itself."""

    type: Literal["sftp"]
    """Always ``sftp``."""
    connections: Annotated[int, Number, Field(ge=0, le=64)] = 0
    """How many may carry the bulk, beside the one for what is small; 0 chooses: one, or three on a long line."""


class RsyncSshTransport(_Ssh):
    """An SSH server with rsync, by way of the rsync of this PC."""

    type: Literal["rsync_ssh"]
    """Always ``rsync_ssh``."""


class RcloneTransport(Block):
    """A remote of rclone: S3, SMB, WebDAV and others."""

    type: Literal["rclone"]
    """Always ``rclone``."""
    rclone_remote: Annotated[Argument, AfterValidator(_remote_name)]
    """Name of the remote as `rclone listremotes` shows it; its credentials stay in rclone's config."""
    rclone_remote_path: Text
    """Folder of the remote below which the runs are put."""
    rclone_config: AbsolutePath | None = None
    """rclone's config file; null means the one that rclone finds."""
    bandwidth: Cap = Bandwidth()
    """Cap on sending, and its weekly schedule."""

    @property
    def root(self) -> str:
        """The folder below which the runs are put; its last segment decides whether the equipment id is a folder."""
        return self.rclone_remote_path

    @property
    def place(self) -> str:
        """The root as a person would type it: ``remote:path``."""
        return f"{self.rclone_remote.removesuffix(':')}:{self.rclone_remote_path}"


TransportBlock = Annotated[
    MountTransport | SftpTransport | RsyncSshTransport | RcloneTransport, Field(discriminator="type")
]
"""One of the four, told apart by ``type``."""

TRANSPORT_TYPES = ("mount", "sftp", "rsync_ssh", "rclone")
