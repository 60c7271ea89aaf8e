"""What lies in a run folder, and what is known about each file of it?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from exlab_sync_tui.model.evidence import EvidenceLevel


class EntryKind(StrEnum):
    """What an entry is, without following links."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special"


class Entry(NamedTuple):
    """One thing in a tree; a tuple, because a run may have a million and a frozen dataclass takes longer to make.

    ``rel`` is its POSIX path below the run, undecodable bytes surrogate-escaped.
    ``size`` in bytes, ``mtime_ns`` in nanoseconds since 1970; ``inode`` counts within one mount session only.
    ``target`` is a link's text. ``empty`` is true for a folder with nothing but litter. ``litter`` files are not sent.
    """

    rel: str
    kind: EntryKind
    size: int = 0
    mtime_ns: int = 0
    inode: int = 0
    target: str = ""
    empty: bool = False
    litter: bool = False

    @property
    def is_data(self) -> bool:
        """Whether its bytes are sent and proved."""
        return self.kind is EntryKind.FILE and not self.litter


class FileRecord(NamedTuple):
    """What the store knows of one file of a job: the snapshot, then the digest of the bytes sent, then the far digest.

    Digests are 32 raw bytes of SHA-256. ``rung`` is the evidence on which ``far_sha256`` stands. ``published`` is set
    once the file lies in a final folder: what is not published yet is what a round has to send.
    """

    rel: str
    size: int
    mtime_ns: int
    inode: int = 0
    sha256: bytes | None = None
    far_sha256: bytes | None = None
    rung: EvidenceLevel | None = None
    published: bool = False

    @property
    def proven(self) -> bool:
        """Whether both digests are known and equal."""
        return self.sha256 is not None and self.sha256 == self.far_sha256


@dataclass(frozen=True, slots=True)
class FileTotals:
    """Counts and bytes of a job's file records."""

    files: int = 0
    size: int = 0
    proven_files: int = 0
    proven_size: int = 0
    unpublished_size: int = 0
