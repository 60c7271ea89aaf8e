"""Could this blocked run have been repaired since? Two stamps tell, so that nobody walks it for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.creation import CREATION_NAME

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """What must change before the gate can let a run go: the entry that it names first, or ``creation.json``.

    ``of`` and ``is_stale`` look at the disk: for threads.
    """

    run_path: str
    offending_path: str
    seen: tuple[_Stamp | None, ...]

    @classmethod
    def of(cls, run_path: str, offending_path: str) -> Mark:
        """As both are now; *offending_path* is relative to the run."""
        return cls(run_path, offending_path, _stamps(run_path, offending_path))

    def is_stale(self) -> bool:
        """Whether one of them has changed, come or gone."""
        return self.seen != _stamps(self.run_path, self.offending_path)


def _stamps(run_path: str, offending_path: str) -> tuple[_Stamp | None, ...]:
    return tuple(_stamp(Path(run_path, below)) for below in (offending_path, f"{CACHE_FOLDER}/{CREATION_NAME}"))


def _stamp(path: Path) -> _Stamp | None:
    try:
        seen = path.lstat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
