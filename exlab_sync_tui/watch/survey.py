"""What does one walk over a run see?"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.tree.folder import Folder
from exlab_sync_tui.tree.snapshot import Fingerprint
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import Entry
    from exlab_sync_tui.watch.signals import Signal


@dataclass(slots=True)
class Survey:
    """What was seen. ``files`` and ``size`` (bytes) are those of the data files; litter counts for nothing.

    ``busy`` and ``unreadable`` are the first such paths, with their numbers beside them; ``reason`` is why that file
    cannot be read. ``recent`` files have an mtime in the window that was asked for, the newest at ``newest_ns``.
    """

    fingerprint: str = ""
    files: int = 0
    size: int = 0
    busy: str = ""
    busy_count: int = 0
    unreadable: str = ""
    unreadable_count: int = 0
    reason: str = ""
    recent: int = 0
    newest_ns: int = 0


def survey(
    root: Path,
    signal: Signal,
    *,
    busy_patterns: Sequence[str],
    litter_patterns: Sequence[str],
    signal_file: str,
    window_ns: tuple[int, int],
    try_files: bool,
    cancelled: Callable[[], bool] | None = None,
) -> Survey:
    """Walk the run once. *try_files* opens every file for reading as well, until a busy name makes that pointless.

    *window_ns* is the time (nanoseconds since 1970, first excluded) in which an mtime counts as recent. Raises
    ``OSError`` for a folder that cannot be read and for what vanished under way, ``StoppedError`` once *cancelled*.
    """
    seen, whole = Survey(), Fingerprint()
    is_busy = _matcher(busy_patterns)
    earliest, latest = window_ns
    with _Opener(root) as opener:
        for entry in walk(root, litter=litter_patterns, cancelled=cancelled):
            whole.see(entry)
            signal.see(entry)
            if entry.litter:
                continue
            rel = entry.rel
            if is_busy(rel[rel.rfind("/") + 1 :]) and rel != signal_file:
                seen.busy = seen.busy or rel
                seen.busy_count += 1
            if entry.kind is not EntryKind.FILE:
                continue
            seen.files += 1
            seen.size += entry.size
            if earliest < entry.mtime_ns <= latest:
                seen.recent += 1
                seen.newest_ns = max(seen.newest_ns, entry.mtime_ns)
            if try_files and not seen.busy:
                _try(opener, entry, seen)
    seen.fingerprint = whole.value()
    return seen


def _matcher(patterns: Sequence[str]) -> Callable[[str], object]:
    """Matches a name in any case: a name that may mean *not finished* rather means it."""
    if not patterns:
        return lambda _: None
    return re.compile("|".join(map(fnmatch.translate, patterns)), re.IGNORECASE).match


def _try(opener: _Opener, entry: Entry, seen: Survey) -> None:
    try:
        opener.open(entry.rel)
    except FileNotFoundError:
        raise
    except OSError as error:
        seen.unreadable_count += 1
        if not seen.unreadable:
            seen.unreadable = entry.rel
            seen.reason = error.strerror or str(error)


class _Opener:
    """Opens files for reading and closes them again; the folder of the last one stays open for the next."""

    def __init__(self, root: Path) -> None:
        self._root = Folder.root(root)
        self._rel = ""
        self._folder = self._root.duplicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()
        self._root.close()

    def open(self, rel: str) -> None:
        folder, _, name = rel.rpartition("/")
        if folder != self._rel:
            below = self._root.below(folder)
            self._folder.close()
            self._folder, self._rel = below, folder
        os.close(self._folder.open_file(name))
