"""SIGKILL right before every single step of the program that leaves a trace on a disk: each restart ends whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.acceptance.bench_lab import Lab, adopt, instrument, write_exlab_run
from tests.acceptance.dying import run_until
from tests.checker import Tree, check_kept, check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "EXLAB_01/Kelp/Runs/Run_2025-03-03"


class Prepare(Protocol):
    """Makes a lab whose next look has something to do."""

    def __call__(self, root: Path) -> Lab:
        """The lab."""
        ...


def a_new_run(root: Path) -> Lab:
    lab = Lab(root)
    lab.local.mkdir(parents=True)
    lab.nas.mkdir()
    adopt(lab.nas)
    lab.configure(instrument("EXLAB_01", lab.local, lab.nas, layout="exlab"))
    write_exlab_run(lab.local, "Run_2025-03-03", small=3, large_mib=1)
    return lab


def additions(root: Path) -> Lab:
    """The run is verified, and two files come later."""
    lab = published(root)
    (local(lab) / "report").mkdir()
    (local(lab) / "report" / "late.csv").write_text("a;b\n")
    (local(lab) / "another.csv").write_text("c;d\n")
    return lab


def a_change(root: Path) -> Lab:
    """The run is verified, and one of its files is another one now."""
    lab = published(root)
    (local(lab) / "tile_0000" / "read_000001.bin").write_bytes(b"measured anew")
    return lab


def published(root: Path) -> Lab:
    lab = a_new_run(root)
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    return lab


def local(lab: Lab) -> Path:
    return lab.local / PLACE


def die_at(prepare: Prepare, root: Path, *deaths: int) -> bool:
    """Kill it before each of these steps in turn, then let it end; the judge looks after each. Whether it ever died."""
    lab = prepare(root)
    run, before = local(lab), snapshot_tree(lab.nas)
    kept = {PLACE: snapshot_tree(run)}
    ahead = [PLACE] if prepare is not a_new_run else []
    died = [run_until(lab, at=step)[0] for step in deaths if step]
    assert not check_sides({PLACE: run}, lab.nas, published=before, ahead=ahead)
    assert not check_kept(kept, {PLACE: run}, lab.nas)
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    newest = f"{PLACE}__r2" if prepare is a_change else PLACE
    assert (lab.nas / newest).is_dir()
    assert not check_sides({PLACE: run}, lab.nas, published=_data(before), expected=[PLACE], settled=True)
    assert not check_kept(kept, {PLACE: run}, lab.nas)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
    return any(died)


def _data(tree: Tree) -> Tree:
    return {rel: seen for rel, seen in tree.items() if "/.exlab-wizard/" not in rel}


def steps_of(prepare: Prepare, root: Path) -> list[str]:
    died, names = run_until(prepare(root))
    assert not died
    return names


def telling(names: list[str], number: int) -> list[int]:
    """Steps around the renames that make things visible, and others spread evenly; *number* of them."""
    visible = [place for place, name in enumerate(names, 1) if name == "renameat2"]
    close = [step for place in visible for step in (place, place + 1, place + 3)][: number // 2]
    rest = number - len(close)
    return sorted({*close, *(1 + index * (len(names) - 1) // rest for index in range(1, rest + 1))})


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "number"), [(a_new_run, 12), (additions, 5), (a_change, 4)])
def test_telling_moments_to_die(tmp_path: Path, prepare: Prepare, number: int) -> None:
    names = steps_of(prepare, tmp_path / "counted")
    met = [die_at(prepare, tmp_path / str(step), step) for step in telling(names, number)]
    assert sum(met) >= number - 2


@pytest.mark.full
@pytest.mark.parametrize("prepare", [a_new_run, additions, a_change])
def test_every_moment_to_die(tmp_path: Path, prepare: Prepare) -> None:
    names = steps_of(prepare, tmp_path / "counted")
    met = [die_at(prepare, tmp_path / str(step), step) for step in range(1, len(names) + 1)]
    assert sum(met) >= 40


@pytest.mark.full
@pytest.mark.parametrize("prepare", [a_new_run, additions, a_change])
def test_dying_again_while_it_takes_up_what_a_death_has_left(tmp_path: Path, prepare: Prepare) -> None:
    count = len(steps_of(prepare, tmp_path / "counted"))
    for first in range(20, count + 1, 6):
        die_at(prepare, tmp_path / str(first), first, 20 + first * 7 % (count - 20), 20 + first * 13 % (count - 20))
