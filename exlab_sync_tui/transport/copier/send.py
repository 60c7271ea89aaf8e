"""How do a run's files reach the destination, and what is their digest on both sides?

Each source file is read once; its SHA-256 is taken from the very bytes that are written. A beginning that an earlier
attempt left is compared first, on both sides, and then continued. Large files are read back while they are still being
written (``large``); small ones after their batch was flushed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from exlab_sync_tui import platform
from exlab_sync_tui.transport.copier.large import LARGE, LargeFile
from exlab_sync_tui.transport.copier.read import FarReader
from exlab_sync_tui.transport.copier.source import Source
from exlab_sync_tui.transport.copier.target import Target, make_below
from exlab_sync_tui.transport.copier.wire import Side, Trouble
from exlab_sync_tui.tree.buffers import page_aligned
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exlab_sync_tui.transport.copier.wire import FilePart, Flow, Outcome, Told

CHUNK = 1 << 18


class Place:
    """The folder of the file that is worked on; files come in path order, so it is seldom another one."""

    def __init__(self, opener: Callable[[str], Folder]) -> None:
        self._opener = opener
        self._rel: str | None = None
        self._folder: Folder | None = None

    def enter(self, rel: str) -> Folder:
        """The folder at *rel*, open; raises ``OSError``."""
        if rel != self._rel or self._folder is None:
            self.leave()
            self._folder = self._opener(rel)
            self._rel = rel
        return self._folder

    def leave(self) -> None:
        """Close it; idempotent."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None


class Sender:
    """Sends files of the run folder *near* into the assembly *far*."""

    def __init__(self, near: str, far: Folder, flow: Flow) -> None:
        self._far = far
        self._flow = flow
        self._reader = FarReader(far)
        self._at_once = platform.can_flush_at_once(far.fd)
        self._view = page_aligned(CHUNK)
        self._here = Place(lambda rel: _below(near, rel))
        self._there = Place(lambda rel: make_below(far, rel))

    def send(self, parts: Sequence[FilePart]) -> tuple[list[Outcome], Told | None]:
        """Send files in order until one cannot be sent; those before it are flushed and proved all the same."""
        if len(parts) == 1 and parts[0][1] >= LARGE:
            return self._send_large(parts[0])
        together = self._at_once and len(parts) > 1
        digests: list[bytes] = []
        trouble: Told | None = None
        try:
            for part in parts:
                digests.append(self._send_small(part, flush=not together))  # noqa: PERF401  # a trouble keeps those before it
        except Trouble as found:
            trouble = found.told
        outcomes: list[Outcome] = []
        try:
            if together and digests:
                self._flush()
            for part, digest in zip(parts, digests, strict=False):
                outcomes.append((digest, *self._read_back(part[0], part[1])))  # likewise
        except Trouble as found:
            trouble = found.told
        return outcomes, trouble

    def close(self) -> None:
        """Close the folders."""
        self._here.leave()
        self._there.leave()

    def _send_small(self, part: FilePart, *, flush: bool) -> bytes:
        rel, size, mtime_ns, _ = part
        folder, name = self._enter_far(rel)
        with Source(self._enter_near(rel), name, part) as source:
            target = Target(folder, name, rel)
            try:
                sha, offset = hashlib.sha256(), 0
                if not target.create():
                    sha, offset = self._continue(source, target, part)
                self._copy(source, target, sha, size - offset)
                target.finish(mtime_ns, flush=flush)
            finally:
                target.close()
            source.check_unchanged()
        return sha.digest()

    def _copy(self, source: Source, target: Target, sha: hashlib._Hash, left: int) -> None:
        view, flow = self._view, self._flow
        while left:
            piece = view[: source.read_into(view[: flow.take(min(left, CHUNK))])]
            sha.update(piece)
            target.write(piece)
            left -= len(piece)
            flow.moved(sent=len(piece))

    def _continue(self, source: Source, target: Target, part: FilePart) -> tuple[hashlib._Hash, int]:
        """Go on behind what is there if that equals the source's beginning, else start anew: digest so far, offset."""
        length = target.continued(part[1])
        if length:
            sha = source.hash_beginning(length, self._view)
            if self._read_back(part[0], length)[0] == sha.digest():
                target.append(length)
                self._flow.moved(skipped=length)
                return sha, length
            source.rewind()
        if length == 0:
            target.append(0)
        else:
            target.replace()
        return hashlib.sha256(), 0

    def _send_large(self, part: FilePart) -> tuple[list[Outcome], Told | None]:
        self._flow.current = part[0]
        try:
            folder, name = self._enter_far(part[0])
            with Source(self._enter_near(part[0]), name, part) as source:
                return [LargeFile(source, folder, name, part, self._flow).send()], None
        except Trouble as trouble:
            return [], trouble.told

    def _flush(self) -> None:
        try:
            platform.flush_file_system(self._far.fd if self._far.fd is not None else -1)
        except OSError as error:
            raise Trouble(Side.FAR, "", error.errno or 0) from None

    def _read_back(self, rel: str, size: int) -> tuple[bytes | None, str]:
        folder, name = self._enter_far(rel)
        try:
            return self._reader.digest(folder, name, size, self._flow)
        except FileNotFoundError:
            return None, ""
        except OSError as error:
            raise Trouble(Side.FAR, rel, error.errno or 0) from None

    def _enter_near(self, rel: str) -> Folder:
        try:
            return self._here.enter(rel.rpartition("/")[0])
        except OSError as error:
            raise Trouble(Side.NEAR, rel, error.errno or 0) from None

    def _enter_far(self, rel: str) -> tuple[Folder, str]:
        folder, _, name = rel.rpartition("/")
        try:
            return self._there.enter(folder), name
        except OSError as error:
            raise Trouble(Side.FOLDER, rel, error.errno or 0) from None


class Checker:
    """Reads files of one far folder back, for fresh digests."""

    def __init__(self, far: Folder, flow: Flow) -> None:
        self._flow = flow
        self._reader = FarReader(far)
        self._there = Place(far.below)

    def check(self, parts: Sequence[FilePart]) -> tuple[list[Outcome], Told | None]:
        """Digests of files in order until one cannot be read; an absent one has none."""
        outcomes: list[Outcome] = []
        for rel, size, _, _ in parts:
            self._flow.current = rel
            folder, _, name = rel.rpartition("/")
            try:
                outcomes.append((None, *self._reader.digest(self._there.enter(folder), name, size, self._flow)))
            except (FileNotFoundError, NotADirectoryError):
                outcomes.append((None, None, ""))
            except OSError as error:
                return outcomes, (Side.FAR, rel, error.errno or 0, "")
        return outcomes, None

    def close(self) -> None:
        """Close the folder."""
        self._there.leave()


def _below(near: str, rel: str) -> Folder:
    with Folder.root(near) as top:
        return top.below(rel)
