"""A run that is verified and due for cleanup, again and again: the same files, inodes and all, from a second name."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.bench_lab import Lab, instrument, write_exlab_run, write_run
from tests.checker import check_kept, check_sides, snapshot_tree
from tests.checker_store import check_store, released_runs

if TYPE_CHECKING:
    from tests.acceptance.forks import Ended, Forks
    from tests.checker import Tree, Violation

NOW = {"min_verify_passes": 1, "min_age_hours": 0}
"""Cleanup as soon as it is verified."""


@dataclass
class CleanupBench:
    """One instrument; ``layout`` exlab or plain. ``prepare`` leaves a verified run with cleanup switched on.

    *direct*: its destination gets runs file by file, so that a final folder without a receipt is one that has begun.
    """

    root: Path
    layout: str = "plain"
    small: int = 5
    direct: bool = False
    before: dict[str, Tree] = field(default_factory=dict)
    far: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def lab(self) -> Lab:
        return Lab(self.root)

    @property
    def run(self) -> Path:
        below = self.lab.local
        return below / "EXLAB_01" / "Kelp" / "Runs" / "Run_A" if self.layout == "exlab" else below / "Run_A"

    @property
    def place(self) -> str:
        return "EXLAB_01/Kelp/Runs/Run_A" if self.layout == "exlab" else "PLAIN_01/Run_A"

    @property
    def _twin(self) -> Path:
        return self.root / "twin"

    @property
    def _state(self) -> Path:
        return self.root / "state of a verified run"

    def lay_out(self) -> CleanupBench:
        """The lab and the run, not sent yet."""
        self.lab.prepare()
        if self.layout == "exlab":
            self.lab.configure(instrument("EXLAB_01", self.lab.local, self.lab.nas, layout="exlab"))
            write_exlab_run(self.lab.local, "Run_A", small=self.small)
        else:
            write_run(self.run, small=self.small)
        (self.run / "an empty folder").mkdir()
        (self.run / "deep" / "er").mkdir(parents=True)
        (self.run / "deep" / "er" / "last.csv").write_text("a;b\n")
        (self.run / "a link").symlink_to("done.flag")
        self.before = {self.place: snapshot_tree(self.run)}
        return self

    def prepare(self, forks: Forks) -> CleanupBench:
        """Send and verify the run, and keep what is needed to come back here."""
        self.lay_out()
        done = forks.run("run", "--once")
        assert done.code == 0, done.output
        _link_tree(self.run, self._twin)
        shutil.copytree(self.lab.state, self._state)
        self.far = self.far_identities()
        self.lab.set("nas_cleanup", **NOW)
        return self

    def reset(self) -> None:
        """Everything as it was when the run had just been verified."""
        shutil.rmtree(self.run)
        shutil.rmtree(self.lab.state)
        _link_tree(self._twin, self.run)
        shutil.copytree(self._state, self.lab.state)

    def far_identities(self) -> dict[str, tuple[int, int]]:
        """Inode and change time of every far data file: another one means that it was sent again."""
        final = self.lab.nas / self.place
        found = {}
        for path in final.rglob("*"):
            if path.is_file() and ".exlab-wizard" not in path.parts:
                info = path.stat()
                found[str(path.relative_to(final))] = (info.st_ino, info.st_ctime_ns)
        return found

    def judge(self, *, settled: bool = False) -> list[Violation]:
        """Every invariant that both sides and the store can show."""
        lab, runs = self.lab, {self.place: self.run}
        store = lab.state / "queue.db"
        released = [self.place] if str(self.run) in released_runs(store) else []
        found = check_sides(runs, lab.nas, expected=[self.place] if settled else [], settled=settled)
        found += check_kept(self.before, runs, lab.nas, released=released)
        if store.exists():
            found += check_store(store, lab.nas)
        begun = self.direct and not settled  # SAFETY.md, S5: such destinations have the receipt last
        return [one for one in found if not (begun and one.sentence.startswith("is visible without"))]

    def is_cleaned(self) -> bool:
        """Whether nothing of the data is left here."""
        left = [path for path in self.run.rglob("*") if ".exlab-wizard" not in path.parts]
        return not left

    def finish(self, forks: Forks) -> Ended:
        """Let the next engine see it through."""
        return forks.run("run", "--once")


def _link_tree(source: Path, target: Path) -> None:
    """The same files under another name; folders and what is small and replaced by renaming are as good as copied."""
    for place, folders, files in os.walk(source):
        there = target / Path(place).relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in [*files, *(name for name in folders if (Path(place) / name).is_symlink())]:
            os.link(Path(place) / name, there / name, follow_symlinks=False)
