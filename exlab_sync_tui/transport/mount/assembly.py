"""What is done in the folders of a mounted share, from the owner file to the rename that makes a run visible?

Plain functions over an ``Anchor``, run in a thread; they raise ``OSError``, which ``mount`` turns into sentences, and
``TransportError`` where they know more. Everything that is to stay is flushed in the order content, name, parent.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from exlab_sync_tui import platform
from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.base import ASSEMBLY, OWNER_NAME, Capabilities, Owner, RemoteEntry
from exlab_sync_tui.transport.copier.read import FarReader
from exlab_sync_tui.transport.copier.target import make_below
from exlab_sync_tui.transport.marker import OWNER_LIMIT, foreign, incoming_above, owner_in, owner_text, refuse_outside
from exlab_sync_tui.transport.sentences import taken
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from exlab_sync_tui.transport.mount.anchor import Anchor
    from exlab_sync_tui.tree.folder import Folder

_PAGE = 1_000
_REMOVED_AT_ONCE = 4_096
_PIECE = 1 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PROBE, _PROBE_IN_OTHER_CASE = "exlab-probe-a", "EXLAB-PROBE-A"
_PROBE_COMPOSED, _PROBE_DECOMPOSED = "exlab-probe-\u00e9", "exlab-probe-e\u0301"


def find(anchor: Anchor, rel: str) -> RemoteEntry | None:
    """What lies at *rel*, links not followed."""
    parent, _, name = rel.rpartition("/")
    try:
        with anchor.folder(parent) as folder:
            info = os.stat(folder.base + name, dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return RemoteEntry(rel, _kind(info.st_mode), info.st_size, info.st_mtime_ns)


def pages(anchor: Anchor, rel: str) -> Generator[list[RemoteEntry], None, None]:
    """Everything below a far folder in the order of path bytes; closes *anchor* at the end."""
    with anchor, anchor.folder(rel) as folder:
        found = walk(folder, keep_cache=True)
        while page := [RemoteEntry(it.rel, str(it.kind), it.size, it.mtime_ns) for it in islice(found, _PAGE)]:
            yield page


def rung_of(folder: Folder, name: str) -> EvidenceLevel:
    """The evidence that reading this file back gives."""
    with FarReader(folder).open(folder, name) as file:
        file.refresh(0, os.fstat(file.fd).st_size)
        file.read(0, 1)
        return EvidenceLevel(file.rung)


def open_incoming(anchor: Anchor, incoming: str, owner: Owner) -> Capabilities:
    """Make the incoming folder, its owner file and the assembly, or take our own up again."""
    incoming_above(incoming)
    with anchor.made(incoming) as folder:
        names = {found.name for found in islice(folder.scan(), 4)} - {_temporary(OWNER_NAME)}
        if OWNER_NAME in names:
            _refuse_other(anchor, folder, incoming, owner)
        elif names:
            raise taken(f"{anchor.title}/{safe_text(incoming)}")
        else:
            write_file(folder, OWNER_NAME, owner_text(owner))
        with make_below(folder, ASSEMBLY, flush=True):
            pass
        return Capabilities(
            rung=rung_of(folder, OWNER_NAME),
            case_sensitive=_tells_apart(folder, _PROBE, _PROBE_IN_OTHER_CASE),
            keeps_normalisation=_tells_apart(folder, _PROBE_COMPOSED, _PROBE_DECOMPOSED),
            max_name_bytes=anchor.longest_name(),
        )


def _tells_apart(folder: Folder, name: str, other: str) -> bool:
    try:
        os.close(os.open(folder.base + name, _NEW_FILE & ~os.O_EXCL, 0o666, dir_fd=folder.fd))
    except OSError as error:
        if error.errno in (errno.EILSEQ, errno.EINVAL):  # it does not take such a name at all
            return True
        raise
    try:
        os.stat(folder.base + other, dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return True
    else:
        return False
    finally:
        os.unlink(folder.base + name, dir_fd=folder.fd)


def _owner_in(folder: Folder) -> Owner | None:
    return owner_in(read_file(folder, OWNER_NAME, OWNER_LIMIT))


def _refuse_other(anchor: Anchor, folder: Folder, incoming: str, owner: Owner) -> None:
    if _owner_in(folder) != owner:
        raise foreign(anchor.title, incoming)


def write_file(folder: Folder, name: str, data: bytes) -> None:
    """Write a small file atomically and durably, replacing an older one of that name."""
    part = _written(folder, name, data)
    os.replace(folder.base + part, folder.base + name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    platform.flush_folder(folder.fd)


def write_new_file(folder: Folder, name: str, data: bytes) -> None:
    """Write a small file atomically and durably; ``FileExistsError`` if something has that name."""
    part = _written(folder, name, data)
    try:
        platform.rename_new(folder.base + part, folder.base + name, old_dir=folder.fd, new_dir=folder.fd)
    except FileExistsError:
        os.unlink(folder.base + part, dir_fd=folder.fd)
        raise
    platform.flush_folder(folder.fd)


def _written(folder: Folder, name: str, data: bytes) -> str:
    part = _temporary(name)
    with suppress(FileNotFoundError):
        os.unlink(folder.base + part, dir_fd=folder.fd)
    fd = os.open(folder.base + part, _NEW_FILE, 0o666, dir_fd=folder.fd)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        platform.flush_file(file.fileno())
    return part


def _temporary(name: str) -> str:
    return f".{name[:100]}.exlab-part"


def write_text(anchor: Anchor, rel: str, name: str, data: bytes) -> None:
    """``write_file`` in the far folder *rel*; folders that are missing in *name* are made."""
    below, _, last = name.rpartition("/")
    with anchor.folder(rel) as folder, make_below(folder, below, flush=True) as place:
        write_file(place, last, data)


def read_file(folder: Folder, name: str, limit: int) -> bytes | None:
    """All bytes of a small file, past the cache where that is possible; ``None`` if it is absent."""
    try:
        file = FarReader(folder).open(folder, name)
    except FileNotFoundError:
        return None
    with file:
        file.refresh(0, os.fstat(file.fd).st_size)
        pieces: list[bytes] = []
        length = 0
        while piece := file.read(length, _PIECE):
            pieces.append(bytes(piece))
            length += len(piece)
            if length > limit:
                raise TransportError(
                    f"{safe_text(folder.path)}/{safe_text(name)} is larger than {size(limit)}; it was not read."
                )
        return b"".join(pieces)  # which lets other threads go on, as a growing buffer would not


def read_text(anchor: Anchor, rel: str, name: str, limit: int) -> bytes | None:
    """``read_file`` below the far folder *rel*."""
    below, _, last = f"{rel}/{name}".rpartition("/")
    try:
        with anchor.folder(below) as folder:
            return read_file(folder, last, limit)
    except FileNotFoundError:
        return None


def make_folders(anchor: Anchor, rel: str, wanted: Sequence[str]) -> None:
    """Make folders below the far folder *rel*, durably."""
    with anchor.folder(rel) as top:
        for each in wanted:
            make_below(top, each, flush=True).close()


def discard(anchor: Anchor, rel: str, unwanted: Sequence[str]) -> None:
    """Remove files from an assembly; absent ones are fine, folders stay."""
    refuse_outside(rel)
    with anchor.folder(rel) as top:
        for each in unwanted:
            below, _, name = each.rpartition("/")
            with suppress(FileNotFoundError), top.below(below) as folder:
                os.unlink(folder.base + name, dir_fd=folder.fd)


def publish(anchor: Anchor, assembled: str, final: str) -> None:
    """Flush the assembled folders, children first, rename without replacing, flush both parents."""
    here, _, name = assembled.rpartition("/")
    there, _, final_name = final.rpartition("/")
    with anchor.folder(there) as target, anchor.folder(here) as source:
        _flush_folders(source, name, place=f"{anchor.title}/{safe_text(final)}", taken_by=(target, final_name))
        platform.rename_new(source.base + name, target.base + final_name, old_dir=source.fd, new_dir=target.fd)
        platform.flush_folder(target.fd)
        platform.flush_folder(source.fd)


def _flush_folders(source: Folder, name: str, *, place: str, taken_by: tuple[Folder, str]) -> None:
    try:
        assembly = source.sub(name)
    except FileNotFoundError:
        target, final_name = taken_by
        if _exists(target, final_name):
            raise taken(place) from None
        raise
    with assembly:
        folders = [""]
        for rel in folders:  # grows while it is gone through: every folder stands behind its parent
            with assembly.below(rel) as folder:
                inner = [found.name for found in folder.scan() if found.is_dir(follow_symlinks=False)]
            folders += [f"{rel}/{name}" if rel else name for name in inner]
        for rel in reversed(folders):
            with assembly.below(rel) as folder:
                platform.flush_folder(folder.fd)


def publish_file(anchor: Anchor, assembled: str, final: str, rel: str) -> None:
    """Move one file into a published run without replacing anything, then flush both folders."""
    below, _, name = rel.rpartition("/")
    with anchor.folder(final) as run, make_below(run, below, flush=True) as target:
        try:
            source = anchor.folder(f"{assembled}/{below}" if below else assembled)
            with source:
                platform.rename_new(source.base + name, target.base + name, old_dir=source.fd, new_dir=target.fd)
                platform.flush_folder(target.fd)
                platform.flush_folder(source.fd)
        except FileNotFoundError:
            if _exists(target, name):
                raise taken(f"{anchor.title}/{safe_text(final)}/{safe_text(rel)}") from None
            raise


def _exists(folder: Folder, name: str) -> bool:
    try:
        os.stat(folder.base + name, dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def remove_incoming(anchor: Anchor, incoming: str, owner: Owner) -> None:
    """Remove our own incoming folder one name at a time, its owner file last, then an empty ``.exlab-incoming``."""
    above = incoming_above(incoming)
    try:
        with suppress(FileNotFoundError):  # an earlier attempt may have got as far as that
            with anchor.folder(incoming) as folder:
                if _exists(folder, OWNER_NAME) and _owner_in(folder) != owner:
                    return
                if not _exists(folder, OWNER_NAME) and next(folder.scan(), None) is not None:
                    return
                _empty(folder)
                with suppress(FileNotFoundError):
                    os.unlink(folder.base + OWNER_NAME, dir_fd=folder.fd)
            _remove_folder(anchor, incoming)
        _remove_folder(anchor, above)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _remove_folder(anchor: Anchor, rel: str) -> None:
    parent, _, name = rel.rpartition("/")
    with anchor.folder(parent) as folder:
        os.rmdir(folder.base + name, dir_fd=folder.fd)
        platform.flush_folder(folder.fd)


def _empty(top: Folder) -> None:
    """Remove everything in *top* but the owner file, deepest first; links are removed, not followed."""
    waiting = [""]
    while waiting:
        rel = waiting[-1]
        with top.below(rel) as folder:
            found = [
                (it.name, it.is_dir(follow_symlinks=False))
                for it in islice(folder.scan(), _REMOVED_AT_ONCE)
                if rel or it.name != OWNER_NAME
            ]
            for name, is_folder in found:
                if not is_folder:
                    with suppress(FileNotFoundError):
                        os.unlink(folder.base + name, dir_fd=folder.fd)
        inner = [f"{rel}/{name}" if rel else name for name, is_folder in found if is_folder]
        waiting += inner
        if not found:
            waiting.pop()
            if rel:
                parent, _, name = rel.rpartition("/")
                with top.below(parent) as folder:
                    os.rmdir(folder.base + name, dir_fd=folder.fd)


def _kind(mode: int) -> str:
    for kind, test in (
        (EntryKind.FILE, stat.S_ISREG),
        (EntryKind.FOLDER, stat.S_ISDIR),
        (EntryKind.LINK, stat.S_ISLNK),
    ):
        if test(mode):
            return str(kind)
    return str(EntryKind.SPECIAL)
