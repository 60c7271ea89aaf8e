"""How are peers and ours compared fairly? In turn, in one run, each on a fresh copy, with the median of all rounds."""

from __future__ import annotations

import asyncio
import filecmp
import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.benchmarks import datasets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from tests.benchmarks.datasets import DataSet

OURS = "exlab-sync"
_ROOMY = Path("/dev/shm")  # noqa: S108  # a file system in memory, used through a private temporary folder
_SPARE = 3


class Rival(Protocol):
    """A way to copy and check by hand."""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        ...

    @property
    def missing(self) -> list[str]:
        """Tools that this machine does not have."""
        ...

    def run(self, source: Path, copy: Path, scratch: Path) -> float:
        """Copy, hash both sides, compare: seconds in all."""
        ...


@dataclass(frozen=True, slots=True)
class Ours:
    """The program under test: a run to VERIFIED in seconds, the making of a destination, and a run's place there."""

    to_verified: Callable[[Path, Path, Path], Awaitable[float]]
    adopt: Callable[[Path], None]
    place_of: Callable[[Path, Path], Path]


@dataclass(slots=True)
class Results:
    """Seconds of every round, by data set and by name; and what was not measured, with the reason."""

    seconds: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    skipped: list[str] = field(default_factory=list)

    def median(self, data: str, name: str) -> float | None:
        """The median in seconds; ``None`` if it was not measured."""
        measured = self.seconds.get(data, {}).get(name)
        return statistics.median(measured) if measured else None

    def ratio(self, data: str, name: str) -> float | None:
        """Ours divided by theirs."""
        ours, theirs = self.median(data, OURS), self.median(data, name)
        return ours / theirs if ours is not None and theirs else None


@contextmanager
def workplace(needed: int) -> Iterator[Path]:
    """A temporary folder, in memory if there is room for *needed* bytes several times over."""
    roomy = _ROOMY.is_dir() and shutil.disk_usage(_ROOMY).free > _SPARE * needed
    with tempfile.TemporaryDirectory(prefix="exlab-bench-", dir=_ROOMY if roomy else None) as folder:
        yield Path(folder)


def compare(
    sets: Sequence[DataSet],
    peers: Sequence[Rival],
    ours: Ours | None,
    *,
    rounds: int,
    say: Callable[[str], None],
) -> Results:
    """Measure everything on every data set. Raises ``RuntimeError`` if a copy is not what its source is."""
    results = Results()
    able = []
    for peer in peers:
        if peer.missing:
            results.skipped.append(f"{peer.name}: {' and '.join(peer.missing)} not installed")
        else:
            able.append(peer)
    if ours is None:
        results.skipped.append(f"{OURS}: left out")
    with workplace(max(data.total for data in sets)) as folder:
        for data in sets:
            source = folder / "instrument" / f"Run_{data.name}"
            datasets.make(data, source)
            for turn in range(rounds):
                runners = _runners(able, ours, source, folder)
                first = turn % max(len(runners), 1)  # the first pays for cold memory
                for name, run in [*runners[first:], *runners[:first]]:
                    results.seconds[data.name][name].append(run())
                say(f"{data.title}: round {turn + 1} of {rounds} done")
            shutil.rmtree(source)
    return results


def _runners(
    peers: Sequence[Rival], ours: Ours | None, source: Path, folder: Path
) -> list[tuple[str, Callable[[], float]]]:
    """Everybody who takes part in a round, by name."""
    runners: list[tuple[str, Callable[[], float]]] = []
    if ours is not None:
        runners.append((OURS, partial(_one_of_ours, ours, source, folder)))
    runners += [(peer.name, partial(_one_of_theirs, peer, source, folder)) for peer in peers]
    return runners


def _one_of_theirs(peer: Rival, source: Path, folder: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="peer-", dir=folder) as place:
        copy = Path(place) / "copy"
        seconds = peer.run(source, copy, Path(place))
        _insist(peer.name, source, copy)
    return seconds


def _one_of_ours(ours: Ours, source: Path, folder: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="ours-", dir=folder) as place:
        nas, state = Path(place) / "nas", Path(place) / "state"
        nas.mkdir()
        state.mkdir()
        ours.adopt(nas)
        seconds = asyncio.run(_finished(ours.to_verified(source, nas, state)))
        _insist(OURS, source, ours.place_of(source, nas))
    return seconds


async def _finished(work: Awaitable[float]) -> float:
    return await work


def _insist(name: str, source: Path, copy: Path) -> None:
    """Both sides have the same files with the same bytes; our papers apart."""
    here, there = _files(source), _files(copy)
    _, different, unread = filecmp.cmpfiles(source, copy, sorted(here & there), shallow=False)
    filecmp.clear_cache()
    if here != there or different or unread:
        raise RuntimeError(f"{name} left a copy that differs: {sorted(here ^ there)[:3] + different[:3] + unread[:3]}")


def _files(folder: Path) -> set[str]:
    found = set()
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".exlab-wizard"]
        found |= {os.path.relpath(Path(place, name), folder) for name in names}
    return found
