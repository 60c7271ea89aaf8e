"""Is this still the destination that we know? An open root, through which everything far is reached.

Names are looked up relative to the open folder (openat(2)). If the share is unmounted meanwhile, nothing can therefore
land in the empty mount point below it: the open root is still that of the share, or it answers with an error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from exlab_sync_tui import platform
from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.base import MARKER_NAME, Identity
from exlab_sync_tui.transport.copier.target import make_below
from exlab_sync_tui.transport.marker import MARKER_LIMIT, identity_in
from exlab_sync_tui.transport.sentences import away, far_error
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path


class Anchor:
    """An open root. Used by one thread at a time; closing it twice is fine."""

    def __init__(self, path: Path, title: str) -> None:
        """Open the root; ``NETWORK`` if it is not there or does not answer, ``PERMISSION`` if it may not be entered."""
        self.title = title
        try:
            self.root = Folder.root(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise away(title, f"{safe_text(path)}: {error.strerror}") from None
        except OSError as error:
            raise far_error(error, title, "") from None

    def identity(self) -> Identity | None:
        """What the marker says, or nothing; ``WRONG_DESTINATION`` for one that cannot be read as a marker."""
        try:
            fd = self.root.open_file(MARKER_NAME)
        except FileNotFoundError:
            return None
        try:
            with os.fdopen(fd, "rb") as file:
                content = file.read(MARKER_LIMIT)
        except IsADirectoryError:
            content = b""
        return identity_in(content, self.title)

    def check(self, expected: str | None) -> None:
        """Make sure that this root carries a marker, and the *expected* one; else ``WRONG_DESTINATION``."""
        found = self.identity()
        if found is None:
            raise TransportError(
                f"{self.title} has no {MARKER_NAME}: the share is not mounted, or was never adopted. Mount it, or run"
                " `exlab-sync destination adopt`.",
                TransportErrorKind.WRONG_DESTINATION,
            )
        if expected is not None and found.id != expected:
            raise TransportError(
                f"{self.title} is another destination ({safe_text(found.id)}) than the one that was adopted"
                f" ({safe_text(expected)}); mount the right share.",
                TransportErrorKind.WRONG_DESTINATION,
            )

    def space(self) -> tuple[int | None, int | None]:
        """Free and total bytes for this account, where the system tells."""
        if not hasattr(os, "statvfs"):
            return None, None
        told = os.statvfs(self.root.path if self.root.fd is None else self.root.fd)
        return told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize

    def longest_name(self) -> int:
        """Bytes that a name may have there."""
        try:
            return os.pathconf(self.root.path if self.root.fd is None else self.root.fd, "PC_NAME_MAX")
        except (AttributeError, OSError, ValueError):
            return 255

    def is_mount_point(self) -> bool:
        """Whether the root lies on another mount than the system's own root."""
        if self.root.fd is None:
            return os.path.splitdrive(os.path.realpath(self.root.path))[0].startswith("\\\\")
        return platform.on_own_mount(self.root.fd)

    def same_as(self, other: Anchor) -> bool:
        """Whether both roots are the same folder of the same mount."""
        if self.root.fd is None or other.root.fd is None:
            return self.root.path == other.root.path
        return os.path.sameopenfile(self.root.fd, other.root.fd)

    def folder(self, rel: str) -> Folder:
        """Open a far folder without following links; raises ``OSError``."""
        return self.root.below(rel)

    def made(self, rel: str) -> Folder:
        """The same, making what is missing, durably."""
        return make_below(self.root, rel, flush=True)

    def close(self) -> None:
        """Close the root."""
        self.root.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
