"""How is a destination reached? One transport for each type of block, and what the destination is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.transport.mount.transport import MountOptions, MountTransport

if TYPE_CHECKING:
    from exlab_sync_tui.settings import TransportBlock
    from exlab_sync_tui.settings.transports import RsyncSshTransport, SftpTransport
    from exlab_sync_tui.transport.base import Transport
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.ssh.access import SshAccess


def transport_for(
    block: TransportBlock,
    limiter: Limiter,
    *,
    lease_fd: int | None = None,
    local: bool = False,
    max_stream_bytes: int | None = None,
) -> Transport:
    """The transport of a block; children inherit *lease_fd*, *local* allows a mount path that is no mount point.

    *max_stream_bytes* is the largest file that may be downloaded to prove it, ``None`` for any.
    """
    if block.type == "mount":
        return MountTransport(MountOptions(path=block.path, local=local, lease_fd=lease_fd), limiter)
    if block.type == "rclone":
        from exlab_sync_tui.transport.rclone.transport import RcloneOptions, RcloneTransport  # noqa: PLC0415  # if used

        return RcloneTransport(
            RcloneOptions(
                remote=block.rclone_remote,
                root=block.rclone_remote_path,
                config=block.rclone_config,
                max_stream_bytes=max_stream_bytes,
                lease_fd=lease_fd,
            ),
            limiter,
        )
    if block.type == "rsync_ssh":
        from exlab_sync_tui.transport.rsync.transport import RsyncOptions, RsyncTransport  # noqa: PLC0415  # if used

        return RsyncTransport(
            RsyncOptions(access=_access(block), max_stream_bytes=max_stream_bytes, lease_fd=lease_fd), limiter
        )
    from exlab_sync_tui.transport.sftp.transport import SftpOptions, SftpTransport  # noqa: PLC0415  # if used

    return SftpTransport(
        SftpOptions(access=_access(block), max_stream_bytes=max_stream_bytes, connections=block.connections), limiter
    )


def _access(block: RsyncSshTransport | SftpTransport) -> SshAccess:
    from exlab_sync_tui.transport.ssh.access import SshAccess  # noqa: PLC0415  # if used

    return SshAccess(
        host=block.host,
        user=block.user,
        key=block.ssh_key_path,
        known_hosts=block.known_hosts,
        remote_path=block.remote_path,
        port=block.port,
    )


def destination_key(block: TransportBlock) -> str:
    """The same for instruments that share a destination, and only for them."""
    port = "" if block.type in {"mount", "rclone"} else f":{block.port}"  # type: ignore[union-attr]  # those with ssh
    return f"{block.type}{port}:{block.place}"
