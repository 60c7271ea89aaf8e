"""SIGKILL before any step from an empty store to a deleted local copy, and at random: nothing is lost or sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.cleanup_bench import CleanupBench
from tests.acceptance.forks import Forks
from tests.acceptance.kills import at_random, every_step, of_a_verified_run, whole_way

if TYPE_CHECKING:
    from pathlib import Path

AUDIT: tuple[str, dict[str, object]] = ("verify", {"audit_days": 1e-9})


@pytest.mark.slow
def test_a_cleanup_survives_a_sample_of_kills(tmp_path: Path) -> None:
    bench = CleanupBench(tmp_path / "whole", "exlab")
    forks = Forks(bench.lab)
    bench.prepare(forks)
    whole = forks.run("run", "--once", count=True)
    assert whole.code == 0, whole.output
    assert bench.is_cleaned()
    unlinks = [at for at, step in enumerate(whole.steps, 1) if step.startswith(("os.remove", "os.rmdir"))]
    kills = of_a_verified_run(tmp_path / "killed", [unlinks[-9], unlinks[-1], len(whole.steps) - 3], layout="exlab")
    assert kills.found == []
    assert kills.met == 3


@pytest.mark.slow
def test_the_whole_way_survives_a_sample_of_kills(tmp_path: Path) -> None:
    kills = whole_way(tmp_path, [40, 90, 130])
    assert kills.found == []
    assert kills.met == 3


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    kills = at_random(tmp_path, 6, seed=5, longest=0.8)
    assert kills.found == []


@pytest.mark.full
@pytest.mark.parametrize("layout", ["plain", "exlab"])
def test_a_cleanup_survives_a_kill_at_every_step(tmp_path: Path, layout: str) -> None:
    kills = of_a_verified_run(tmp_path, every_step(), layout=layout)
    assert kills.found == []
    assert kills.met > 40


@pytest.mark.full
def test_an_audit_survives_a_kill_at_every_step(tmp_path: Path) -> None:
    kills = of_a_verified_run(tmp_path, every_step(), block=AUDIT)
    assert kills.found == []
    assert kills.met > 15


@pytest.mark.full
@pytest.mark.parametrize(("layout", "publish"), [("plain", "auto"), ("exlab", "auto"), ("plain", "direct")])
def test_the_whole_way_survives_a_kill_at_every_step(tmp_path: Path, layout: str, publish: str) -> None:
    kills = whole_way(tmp_path, every_step(), layout=layout, publish=publish)
    assert kills.found == []
    assert kills.met > 100


@pytest.mark.full
def test_five_hundred_random_kills(tmp_path: Path) -> None:
    kills = at_random(tmp_path, 500, seed=11, longest=1.2)
    assert kills.found == []
    assert kills.met >= 500
