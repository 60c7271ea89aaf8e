"""Which runs have come, gone or stay open since the last look at an instrument's folders?

Listing 100,000 run folders every minute costs more than an idle lab may. So a folder whose stamp (inode, mtime, ctime)
is that of the last listing is not listed again, and a run that needs nothing is *settled*: only its name is kept. The
stamp is believed only on file systems of this PC that are known to keep it, and only once it is older than the
coarsest grain of their clocks; everywhere else every refresh lists. A *thorough* refresh believes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.platform import file_system
from exlab_sync_tui.watch.discovery import folders, oldest_first, shape_of

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator
    from datetime import datetime

    from exlab_sync_tui.model.run import EquipmentFolder, RunFolder
    from exlab_sync_tui.watch.discovery import Problem

_KEEP_STAMPS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "zfs", "bcachefs", "overlay"})
_GRAIN = timedelta(seconds=3)
_Stamp = tuple[int, int, int, int]


@dataclass(slots=True)
class _Container:
    """A folder that may hold runs. ``stamp`` is ``None`` if it is to be listed at the next refresh."""

    state: Hashable
    stamp: _Stamp | None = None
    settled: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    deeper: dict[str, Hashable] = field(default_factory=dict)


class Roster:
    """The runs of one instrument. ``refresh`` and ``runs`` look at the disk and belong in a thread, one at a time."""

    def __init__(self, equipment: EquipmentFolder) -> None:
        self._equipment = equipment
        self._shape = shape_of(equipment)
        self._root = ""
        self._containers: dict[str, _Container] = {}
        self._turnstile: Iterator[str] = iter(())

    @property
    def settled_count(self) -> int:
        """How many runs need nothing."""
        return sum(len(container.settled) for container in list(self._containers.values()))

    @property
    def containers(self) -> list[str]:
        """The folders in which runs may appear."""
        return [self._path(below) for below in list(self._containers)]

    def refresh(self, problem: Problem, *, at: datetime, thorough: bool = False) -> None:
        """Look which folders have changed; a run that is new is open. *thorough* opens every run again."""
        self._root = os.path.realpath(self._equipment.root)
        believed = not thorough and _keeps_stamps(self._root)
        seen: set[str] = set()
        waiting = [("", self._shape.start)]
        while waiting:
            below, state = waiting.pop()
            known = None if thorough else self._containers.get(below)
            container = self._look(below, state, known, problem, at if believed else None)
            if container is not None:
                seen.add(below)
                self._containers[below] = container  # one by one, so that old and new are never there together
                waiting.extend((_join(below, name), deeper) for name, deeper in container.deeper.items())
        for below in [below for below in self._containers if below not in seen]:
            del self._containers[below]

    @property
    def count(self) -> int:
        """How many runs there are."""
        return sum(len(container.settled) + len(container.open) for container in list(self._containers.values()))

    def batches(self, size: int, *, settled_too: bool = False) -> Iterator[list[str]]:
        """The paths of the runs that are open, or of all, in any order; what changes meanwhile may be missed."""
        places = self._places(settled_too=settled_too)
        while batch := [self._path(below) for below in islice(places, size)]:
            yield batch

    def runs(self, run_paths: Collection[str], problem: Problem) -> list[RunFolder]:
        """These runs, as far as they are known and still there, oldest first."""
        known = (path[len(self._root) + 1 :] for path in run_paths if self.knows(path))
        return list(oldest_first(self._root, self._equipment, known, problem))

    def knows(self, run_path: str) -> bool:
        """Whether there was a run with this path at the last refresh."""
        container, name = self._place(run_path)
        return container is not None and (name in container.open or name in container.settled)

    def is_settled(self, run_path: str) -> bool:
        """Whether this run is known and needs nothing."""
        container, name = self._place(run_path)
        return container is not None and name in container.settled

    def portion(self, number: int) -> list[str]:
        """The paths of the next *number* settled runs, going round and round."""
        places = list(islice(self._turnstile, number))
        if len(places) < number:
            self._turnstile = self._places(settled_too=True, open_too=False)
            places += islice(self._turnstile, number - len(places))
        return [path for path in map(self._path, dict.fromkeys(places)) if self.is_settled(path)]

    def settle(self, run_path: str) -> None:
        """This run needs nothing until something is heard of it."""
        container, name = self._place(run_path)
        if container is not None and name in container.open:
            container.open.discard(name)
            container.settled.add(name)
            if not container.open:
                container.open = set()  # an emptied set keeps its table

    def reopen(self, run_path: str) -> None:
        """This run is to be looked at again."""
        container, name = self._place(run_path)
        if container is not None and name in container.settled:
            container.settled.discard(name)
            container.open.add(name)

    def _look(
        self, below: str, state: Hashable, known: _Container | None, problem: Problem, at: datetime | None
    ) -> _Container | None:
        """One folder as it is now; ``None`` if it is gone."""
        if known is not None and known.state != state:
            known = None
        stamp = self._stamp(below)
        if stamp is None and below:
            return None
        if known is not None and at is not None and stamp is not None and stamp == known.stamp:
            return known
        failures: list[str] = []
        fresh = _Container(state)
        for name in folders(self._root, below, failures.append):
            is_run, deeper = self._shape.step(self._root, below, name, state)
            if is_run:
                (fresh.settled if known is not None and name in known.settled else fresh.open).add(name)
            elif deeper is not None:
                fresh.deeper[name] = deeper
        for sentence in failures:
            problem(sentence)
        nothing = not (fresh.open or fresh.settled or fresh.deeper)
        if failures and nothing and known is not None and stamp is not None:
            return replace(known, stamp=None)  # what could not be listed now is not gone
        if at is not None and not failures and not self._shape.depends_on_content(state) and _has_rested(stamp, at):
            fresh.stamp = stamp
        return fresh

    def _stamp(self, below: str) -> _Stamp | None:
        try:
            seen = Path(self._path(below)).stat()
        except OSError:
            return None
        return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns

    def _path(self, below: str) -> str:
        return f"{self._root}/{below}" if below else self._root

    def _place(self, run_path: str) -> tuple[_Container | None, str]:
        if not run_path.startswith(f"{self._root}/"):
            return None, ""
        below, _, name = run_path[len(self._root) + 1 :].rpartition("/")
        return self._containers.get(below), name

    def _places(self, *, settled_too: bool, open_too: bool = True) -> Iterator[str]:
        for below in list(self._containers):
            container = self._containers.get(below)
            if container is not None:
                names = [*(container.open if open_too else ()), *(container.settled if settled_too else ())]
                yield from (_join(below, name) for name in names)


def _join(below: str, name: str) -> str:
    return f"{below}/{name}" if below else name


def _has_rested(stamp: _Stamp | None, at: datetime) -> bool:
    """Whether a change right after the listing would have got another stamp."""
    return stamp is not None and max(stamp[2:]) / 1e9 < (at - _GRAIN).timestamp()


def _keeps_stamps(root: str) -> bool:
    try:
        fd = os.open(root, os.O_RDONLY)
    except OSError:
        return False
    try:
        return file_system(fd) in _KEEP_STAMPS
    finally:
        os.close(fd)
