"""Which run folders does an instrument have, and which run does a path name?"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.errors import NotFoundError, UnknownEquipmentError, UsageError
from exlab_sync_tui.model.run import CACHE_FOLDER, EquipmentFolder, Layout, RunFolder
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

Problem = Callable[[str], object]
"""Takes one sentence about something that could not be looked into."""

_CONTAINERS = frozenset({"runs", "testruns"})
_PREFIXES = ("Run_", "TestRun_")
_OURS = ".exlab-"
_RUN_DEPTH = 3


def discover(equipment: EquipmentFolder, problem: Problem) -> Iterator[RunFolder]:
    """Every run folder of an instrument, oldest first (by its own mtime, then by name); nothing below a run is read.

    ``exlab``: every folder in ``<project>/Runs`` and ``<project>/TestRuns`` (their names in any case), so that the gate
    can object to a wrong name; also what looks like a run elsewhere in a project, because a run in the wrong place must
    not be passed over in silence. ``plain``: what ``run_pattern`` matches; of nested matches the outermost.

    Links are not followed: what lies inside the instrument's folder is found where it really lies, and a link that
    leads out of it is told to *problem*, like a folder that cannot be read. It lists folders: call it in a thread.
    """
    root = os.path.realpath(equipment.root)
    yield from oldest_first(root, equipment, _runs(root, shape_of(equipment), problem), problem)


def oldest_first(root: str, equipment: EquipmentFolder, found: Iterable[str], problem: Problem) -> Iterator[RunFolder]:
    """The runs at these places below *root*, by their own mtime, then by name; what is gone is left out."""
    containers: dict[str, tuple[Path, PurePosixPath]] = {}
    for _, below in sorted(_with_times(root, found, problem)):
        container, _, name = below.rpartition("/")
        if container not in containers:
            containers[container] = Path(root, container), PurePosixPath(container)
        path, place = containers[container]
        yield RunFolder(path / name, equipment, place / name)


def locate(path: Path, equipments: Sequence[EquipmentFolder]) -> RunFolder:
    """The run that *path* names, whatever its spelling: links and relative parts are resolved (``FORMATS.md`` §1).

    Of nested instruments the one with the longest folder owns it. Raises ``NotFoundError`` if there is no such folder,
    ``UnknownEquipmentError`` if it lies below no instrument's, ``UsageError`` if no run lies in that place.
    """
    real = _real_folder(path)
    owners = [
        (root, equipment)
        for equipment in equipments
        if (root := Path(os.path.realpath(equipment.root))) in real.parents
    ]
    if not owners:
        if any(real == Path(os.path.realpath(equipment.root)) for equipment in equipments):
            raise UsageError(f"{safe_text(real)} is an instrument's folder; name one of the runs in it.")
        known = ", ".join(f"{equipment.equipment_id}: {safe_text(equipment.root)}" for equipment in equipments)
        raise UnknownEquipmentError(
            f"{safe_text(real)} does not lie below any configured instrument's folder ({known or 'there is none'})."
        )
    root, equipment = max(owners, key=lambda owner: len(owner[0].parts))
    below = PurePosixPath(real.relative_to(root))
    is_exlab = equipment.layout is Layout.EXLAB
    objection = _exlab_objection(root, below) if is_exlab else _plain_objection(below, equipment.run_pattern)
    if objection:
        raise UsageError(f"{safe_text(real)} {objection}")
    return RunFolder(real, equipment, below)


def _real_folder(path: Path) -> Path:
    try:
        real = Path(os.path.realpath(path, strict=True))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NotFoundError(f"There is no folder {safe_text(path)}: {safe_text(reason)}.") from error
    if not real.is_dir():
        raise NotFoundError(f"{safe_text(path)} is a file; name the run's folder.")
    return real


class RunPattern:
    """A glob below an instrument's folder, matched one segment at a time; ``**`` stands for any number of folders.

    A state is the set of places in the pattern that a path may have reached.
    """

    def __init__(self, pattern: str) -> None:
        self._segments = [
            None if segment == "**" else re.compile(fnmatch.translate(segment))
            for segment in PurePosixPath(pattern).parts
        ]
        self.start = self._past_stars({0})

    def step(self, state: frozenset[int], name: str) -> frozenset[int]:
        """The state after one more folder *name*; an empty one can never match again."""
        reached = set()
        for place in state:
            if place == len(self._segments):
                continue
            segment = self._segments[place]
            if segment is None:
                reached.add(place)
            elif segment.match(name):
                reached.add(place + 1)
        return self._past_stars(reached)

    def accepts(self, state: frozenset[int]) -> bool:
        """Whether a folder in this state is a run."""
        return len(self._segments) in state

    def _past_stars(self, places: set[int]) -> frozenset[int]:
        """A ``**`` may also stand for no folder at all."""
        for place in range(len(self._segments)):
            if place in places and self._segments[place] is None:
                places.add(place + 1)
        return frozenset(places)


class Shape(Protocol):
    """Which folders of a layout hold runs. A state is what a folder is known for by its place; the root has *start*."""

    start: Hashable

    def step(self, root: str, below: str, name: str, state: Hashable) -> tuple[bool, Hashable | None]:
        """Whether the folder *name* in ``root/below`` is a run; if not, its state, or ``None`` if none lie in it."""
        ...

    def depends_on_content(self, state: Hashable) -> bool:
        """Whether answers of ``step`` may change without any name in a folder of this state being changed."""
        ...


def shape_of(equipment: EquipmentFolder) -> Shape:
    """The shape of an instrument's layout (``FORMATS.md`` §1)."""
    return _Exlab() if equipment.layout is Layout.EXLAB else _Plain(equipment.run_pattern)


class _Place(Enum):
    INSTRUMENT = "instrument"
    PROJECT = "project"
    CONTAINER = "container"
    OTHER = "other"


class _Exlab:
    start: Hashable = _Place.INSTRUMENT

    def step(self, root: str, below: str, name: str, state: Hashable) -> tuple[bool, Hashable | None]:
        if state is _Place.CONTAINER:
            return not name.startswith(_OURS), None
        if state is _Place.OTHER:
            return name.startswith(_PREFIXES), None
        if name.startswith("."):
            return False, None
        if state is _Place.INSTRUMENT:
            return False, _Place.PROJECT
        if _is_container(name):
            return False, _Place.CONTAINER
        if name.startswith(_PREFIXES) or _has_creation(root, f"{below}/{name}"):
            return True, None
        return False, _Place.OTHER

    def depends_on_content(self, state: Hashable) -> bool:
        return state is _Place.PROJECT


class _Plain:
    def __init__(self, run_pattern: str) -> None:
        self._pattern = RunPattern(run_pattern)
        self.start: Hashable = self._pattern.start

    def step(self, root: str, below: str, name: str, state: Hashable) -> tuple[bool, Hashable | None]:  # noqa: ARG002  # Shape
        if name.startswith(".") or not isinstance(state, frozenset):
            return False, None
        reached = self._pattern.step(state, name)
        return (True, None) if self._pattern.accepts(reached) else (False, reached or None)

    def depends_on_content(self, state: Hashable) -> bool:  # noqa: ARG002  # Shape
        return False


def _runs(root: str, shape: Shape, problem: Problem) -> Iterator[str]:
    waiting: list[tuple[str, Hashable]] = [("", shape.start)]
    while waiting:
        below, state = waiting.pop()
        for name in folders(root, below, problem):
            is_run, reached = shape.step(root, below, name, state)
            folder = f"{below}/{name}" if below else name
            if is_run:
                yield folder
            elif reached is not None:
                waiting.append((folder, reached))


def folders(root: str, below: str, problem: Problem) -> Iterator[str]:
    """Names of the real folders in ``root/below``; links out of *root* and what cannot be listed go to *problem*."""
    path = f"{root}/{below}" if below else root
    try:
        with os.scandir(path) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name
                elif entry.is_symlink() and not entry.name.startswith("."):
                    _tell_if_outside(root, entry, problem)
    except FileNotFoundError:
        # a container that has just been removed is no problem; an instrument's folder that is missing is one
        if not below:
            problem(f"The instrument's folder {safe_text(path)} does not exist; check that its disk is there.")
    except OSError as error:
        problem(f"The folder {safe_text(path)} cannot be listed: {safe_text(error.strerror)}; runs in it are not seen.")


def _tell_if_outside(root: str, link: os.DirEntry[str], problem: Problem) -> None:
    target = os.path.realpath(link.path)
    if Path(root) not in Path(target).parents and os.path.isdir(target):  # noqa: PTH112  # a str is at hand
        problem(
            f"{safe_text(link.path)} is a link to {safe_text(target)}, outside the instrument's folder; "
            "runs behind it are not seen. Configure that folder as an instrument's own if they should be."
        )


def _with_times(root: str, found: Iterable[str], problem: Problem) -> Iterator[tuple[int, str]]:
    for below in found:
        try:
            yield os.lstat(f"{root}/{below}").st_mtime_ns, below
        except FileNotFoundError:
            continue
        except OSError as error:
            problem(f"The folder {safe_text(f'{root}/{below}')} cannot be looked at: {safe_text(error.strerror)}.")


def _exlab_objection(root: Path, below: PurePosixPath) -> str:
    parts = below.parts
    if any(part.startswith(_OURS) for part in parts):
        return "belongs to the cache of ExLab-Wizard or of this program and holds no run."
    if len(parts) == 1:
        return "is a project's folder; name one of the runs in its Runs or TestRuns."
    if len(parts) == _RUN_DEPTH - 1:
        return "is the folder that holds the runs; name one of them." if _is_container(parts[1]) else ""
    run = parts[: _RUN_DEPTH - 1]
    if not _is_container(parts[1]) and _has_creation(str(root), "/".join(run)):
        return _inside(root.joinpath(*run))
    return "" if len(parts) == _RUN_DEPTH else _inside(root.joinpath(*parts[:_RUN_DEPTH]))


def _plain_objection(below: PurePosixPath, run_pattern: str) -> str:
    if any(part.startswith(".") for part in below.parts):
        return "is a hidden folder, or lies in one; no runs are looked for there."
    pattern = RunPattern(run_pattern)
    state = pattern.start
    for depth, name in enumerate(below.parts, start=1):
        state = pattern.step(state, name)
        if pattern.accepts(state):
            return "" if depth == len(below.parts) else _inside(PurePosixPath(*below.parts[:depth]))
    return f"is no run: run_pattern is `{safe_text(run_pattern)}`."


def _inside(run: object) -> str:
    return f"lies inside the run {safe_text(run)}; name that folder."


def _is_container(name: str) -> bool:
    return name.casefold() in _CONTAINERS


def _has_creation(root: str, below: str) -> bool:
    return os.path.isfile(f"{root}/{below}/{CACHE_FOLDER}/creation.json")  # noqa: PTH113  # a str is at hand
