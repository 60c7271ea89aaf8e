"""Kill the program and let the next one go on, again and again: at every step of a kind of work, and at random."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.acceptance.cleanup_bench import NOW, CleanupBench
from tests.acceptance.forks import Forks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.acceptance.forks import Ended
    from tests.checker import Violation

JUDGED = frozenset({"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S10"})
"""What ``CleanupBench.judge`` looks at."""
_MORE_THAN_THERE_ARE = 600


@dataclass
class Kills:
    """How many kills met a living program, and what the judge objected to after them, with the step that came next."""

    met: int = 0
    found: list[tuple[str, Violation | str]] = field(default_factory=list)

    def note(self, where: str, violations: Iterable[Violation | str]) -> None:
        self.found += [(where, violation) for violation in violations]

    def add(self, other: Kills) -> None:
        self.met += other.met
        self.found += other.found


def whole_way(root: Path, points: Iterable[int], *, layout: str = "plain", publish: str = "auto") -> Kills:
    """From an empty store to a deleted local copy: a new lab for every point."""
    kills = Kills()
    forks = Forks(CleanupBench(root).lab)
    for at in points:
        bench = CleanupBench(root / f"{layout} {publish} {at}", layout, small=3, direct=publish == "direct")
        bench.lay_out()
        bench.lab.set("nas_cleanup", **NOW).set("sync", publish=publish)
        forks.lab = bench.lab
        if not _kill_and_finish(kills, bench, forks, at):
            break
        shutil.rmtree(bench.root)
    return kills


def of_a_verified_run(
    root: Path, points: Iterable[int], *, layout: str = "plain", block: tuple[str, dict[str, object]] | None = None
) -> Kills:
    """Cleanup, or what *block* of the configuration asks for instead, of one and the same verified run."""
    kills = Kills()
    bench = CleanupBench(root, layout)
    forks = Forks(bench.lab)
    bench.prepare(forks)
    if block is not None:
        bench.lab.set("nas_cleanup", enabled=False)
        bench.lab.set(block[0], **block[1])
    for at in points:
        bench.reset()
        if not _kill_and_finish(kills, bench, forks, at, cleans=block is None):
            break
        if bench.far_identities() != bench.far:
            kills.note(f"step {at}", ["a verified file was sent again"])
    return kills


def every_step() -> range:
    """More points than any work has."""
    return range(1, _MORE_THAN_THERE_ARE)


def at_random(root: Path, kills_wanted: int, *, seed: int, longest: float) -> Kills:
    """Kill at moments of which nobody knows anything until that many have met a living program."""
    kills, rng = Kills(), random.Random(seed)
    lab = 0
    forks = Forks(CleanupBench(root).lab)
    while kills.met < kills_wanted:
        lab += 1
        bench = CleanupBench(root / f"random {lab}", rng.choice(["plain", "exlab"]), small=60).lay_out()
        bench.lab.set("nas_cleanup", **NOW)
        forks.lab = bench.lab
        for _ in range(12):
            ended = forks.run("run", "--once", kill_after=rng.uniform(0.02, longest))
            kills.met += ended.died
            kills.note("random", bench.judge())
            if not ended.died:
                break
        _finish(kills, bench, forks, "random", cleans=True)
        shutil.rmtree(bench.root)
    return kills


def _kill_and_finish(kills: Kills, bench: CleanupBench, forks: Forks, at: int, *, cleans: bool = True) -> bool:
    """Whether there was such a step."""
    ended = forks.run("run", "--once", kill_at=at)
    where = f"step {at}: {ended.steps[-1] if ended.steps else 'none'}"
    if not ended.died and ended.code:
        kills.note(where, [f"ended with {ended.code}: {ended.output}"])
    kills.met += ended.died
    kills.note(where, bench.judge())
    _finish(kills, bench, forks, where, cleans=cleans)
    return ended.died


def _finish(kills: Kills, bench: CleanupBench, forks: Forks, where: str, *, cleans: bool) -> None:
    done: Ended = bench.finish(forks)
    if done.code:
        kills.note(where, [f"the next engine ended with {done.code}: {done.output}"])
    kills.note(where, bench.judge(settled=True))
    if bench.is_cleaned() is not cleans:
        kills.note(where, ["the local copy was not released" if cleans else "the local copy was released"])
