"""What must every transport be able to do? The protocol, and the values that cross it.

Paths on the far side are POSIX text below the remote root (``"CONFOCAL_01/Kelp/Runs/Run_1"``), bytes surrogate-escaped.
All methods raise ``TransportError`` with a class of ``FORMATS.md`` §6 and a sentence that names file and host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from exlab_sync_tui.errors import TransportError, TransportErrorKind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.evidence import EvidenceLevel

__all__ = [
    "ASSEMBLY",
    "MARKER_NAME",
    "OWNER_NAME",
    "Beside",
    "Capabilities",
    "DestinationState",
    "Identity",
    "Owner",
    "Pulse",
    "PushPlan",
    "RemoteEntry",
    "Transport",
    "TransportError",
    "TransportErrorKind",
    "TransportResult",
    "tell_beside",
]

MARKER_NAME = ".exlab-destination.json"
"""Identity marker at the remote root (``FORMATS.md`` §7)."""

ASSEMBLY = "run"
"""Name of the assembled run in its incoming folder: beside the owner file, so one rename publishes the run alone."""

OWNER_NAME = ".exlab-owner.json"
"""Who assembles in an incoming folder: ``{"store_id", "job_id"}``."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Content of the marker: the destination's uuid4 and when it was adopted (UTC text)."""

    id: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this destination can do; the engine asks these, never what kind of transport it is.

    ``rung`` is the evidence that its digests stand on. ``case_sensitive`` and ``keeps_normalisation`` tell whether
    names that differ only in case, or only in Unicode normalisation, are two files there. ``manner`` says for a person
    how the bytes travel, where there is more than one way.
    """

    renames_folders: bool = True
    rung: EvidenceLevel | None = None
    case_sensitive: bool = True
    keeps_normalisation: bool = True
    max_name_bytes: int = 255
    manner: str = ""


@dataclass(frozen=True, slots=True)
class DestinationState:
    """The answer to a probe. Space in bytes, ``None`` where the destination does not tell."""

    identity: Identity | None
    free_bytes: int | None
    total_bytes: int | None
    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class Owner:
    """Who assembles in an incoming folder; written there as ``OWNER_NAME``, beside the run's data and not in it."""

    store_id: str
    job_id: str


class RemoteEntry(NamedTuple):
    """One thing in a far folder; ``rel`` is its path below the listed folder, ``kind`` a value of ``EntryKind``."""

    rel: str
    kind: str
    size: int = 0
    mtime_ns: int = 0


@dataclass(slots=True)
class Pulse:
    """Progress of one push, written by the transport and sampled by the board; bytes and files of this push."""

    sent_bytes: int = 0
    skipped_bytes: int = 0
    checked_bytes: int = 0
    files_done: int = 0
    current: str = ""


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What to send. ``pages`` yields the file records that are not proven yet, in path order, a bounded page at a time.

    ``source`` is the run folder; ``folder`` the far folder to assemble in (``<incoming>/run``), which exists and is
    ours. Files already there are compared and only what is missing is sent. Each file has its size, mtime and inode
    checked right before and right after it is read; a difference raises ``CHANGED``, absence
    ``LOCAL_FILE_VANISHED``, no permission ``LOCKED``.
    """

    source: Path
    folder: str
    pages: AsyncIterator[Sequence[FileRecord]]
    pulse: Pulse = field(default_factory=Pulse)


@dataclass(frozen=True, slots=True)
class TransportResult:
    """What an injected push callable answers (``FORMATS.md`` §10)."""

    ok: bool
    error_kind: TransportErrorKind | None = None
    stderr: str = ""


class Transport(Protocol):
    """One destination (``ARCHITECTURE.md`` decision 7). Used by one lane at a time, except ``probe``."""

    @property
    def title(self) -> str:
        """How the destination is called in sentences: ``the mounted share /mnt/nas/lab``, ``lab@nas01:/srv/lab``."""
        ...

    async def probe(self) -> DestinationState:
        """Connect, read the marker and the free space. A root without a marker has no identity, which is no error."""
        ...

    def expect(self, identity: str) -> None:
        """From now on work only on the destination with this id; anything else is ``WRONG_DESTINATION``."""
        ...

    async def adopt(self, identity: Identity) -> Identity:
        """Write the marker if there is none; the identity that is there now."""
        ...

    async def find(self, folder: str) -> RemoteEntry | None:
        """What lies at this path (a folder, a file, a link), or nothing."""
        ...

    def list(self, folder: str) -> AsyncIterator[Sequence[RemoteEntry]]:
        """Everything below a far folder in the order of path bytes, in pages; folders included, links not followed.

        An empty page is no end: it says that a long listing moves."""
        ...

    async def open_incoming(self, incoming: str, owner: Owner) -> Capabilities:
        """Make ``<incoming>/run`` and the owner file (parents too), or take our own up again; probe names there.

        Raises ``CONFLICT`` if it belongs to another store or job."""
        ...

    def push(self, plan: PushPlan) -> AsyncGenerator[Sequence[FileRecord], None]:
        """Send the plan; yields records with ``sha256``, and with ``far_sha256`` and ``rung`` where already known.

        When a record is yielded the file is whole and flushed on the far side. ``aclose()`` ends children and leaves
        what is there to be resumed."""
        ...

    def digests(self, folder: str, records: Sequence[FileRecord], pulse: Pulse) -> AsyncIterator[Sequence[FileRecord]]:
        """Ask the destination for fresh digests of files below *folder*; an absent file has ``far_sha256=None``."""
        ...

    async def discard(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files from an assembly of ours (*folder* lies below ``.exlab-incoming``); absent ones are fine."""
        ...

    async def make_folders(self, folder: str, rels: Sequence[str]) -> None:
        """Make these folders below *folder*; those that exist are fine."""
        ...

    async def write_text(self, folder: str, rel: str, data: bytes) -> None:
        """Write a small file atomically and durably below *folder*, replacing our own older one."""
        ...

    async def read_text(self, folder: str, rel: str, *, limit: int = 64 << 20) -> bytes | None:
        """A small file's bytes, read past caches where that is possible; ``None`` if it is absent."""
        ...

    async def publish(self, assembled: str, final: str) -> None:
        """Flush, then rename the folder *assembled* to *final* without replacing anything, then flush the parent.

        Raises ``CONFLICT`` if something lies there, be it an empty folder."""
        ...

    async def publish_file(self, assembled: str, final: str, rel: str) -> None:
        """Move one assembled file into a published run without replacing anything; its folders are made."""
        ...

    async def remove_incoming(self, incoming: str, owner: Owner) -> None:
        """Remove what is left of our own incoming folder; one of another owner is left alone."""
        ...

    async def close(self) -> None:
        """End connections and children; idempotent."""
        ...


@runtime_checkable
class Beside(Protocol):
    """A transport that may need the local files to prove or to publish what lies on a far side that does nothing."""

    def beside(self, source: Path, folders: Sequence[str]) -> None:
        """The run folder here to which these far folders belong; it may be gone meanwhile."""
        ...


def tell_beside(transport: object, source: Path, *folders: str) -> None:
    """Say it to a transport that wants to know."""
    if isinstance(transport, Beside):
        transport.beside(source, folders)
