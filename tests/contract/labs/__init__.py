"""Which transports does the contract suite know? One module for each, with a function that opens a lab of it.

A new transport: a module here with ``open_lab(source, folder)``, an async context manager over a ``Lab`` whose
destination is not adopted yet and has no incoming folder, and its line in ``LABS``. Whatever it needs lies below
*folder*; where a tool is missing it skips with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.labs import fake, mount, rclone, rsync, sftp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.contract.transport_lab import Lab

    LabOpener = Callable[[Path, Path], AbstractAsyncContextManager[Lab]]

LABS: Mapping[str, LabOpener] = {
    "mount": mount.open_lab,
    "fake": fake.open_lab,
    "rclone-local": rclone.open_local,
    "rclone-sftp": rclone.open_sftp,
    "rclone-webdav": rclone.open_webdav,
    "rsync-shell": rsync.open_shell,
    "rsync-restricted": rsync.open_restricted,
    "rsync-rrsync": rsync.open_rrsync,
    "sftp": sftp.open_agent,
    "sftp-tool": sftp.open_tool,
    "sftp-chroot": sftp.open_chroot,
    "sftp-asyncssh": sftp.open_asyncssh,
}
"""By the name that the suite's parameters show."""

LONG = frozenset({"rclone-sftp", "rclone-webdav", "rsync-restricted", "rsync-rrsync", "sftp-tool", "sftp-asyncssh"})
"""Those that need a minute of their own: with ``-m full`` only."""
