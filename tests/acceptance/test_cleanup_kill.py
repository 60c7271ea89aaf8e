"""SIGKILL before any step of a cleanup: the next engine finishes it, nothing is lost, nothing is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.cleanup_bench import CleanupBench
from tests.acceptance.forks import Zygote
from tests.checker_store import released_runs

if TYPE_CHECKING:
    from pathlib import Path

_MORE_THAN_THERE_ARE = 500


def survives(bench: CleanupBench, zygote: Zygote, at: int) -> bool:
    """Whether it died at that step; whatever must be true then is asserted."""
    bench.reset()
    died = zygote.run("run", "--once", kill_at=at)
    assert died.died or died.code == 0, died.output
    assert bench.judge() == [], died.steps[-1:]
    done = bench.finish(zygote)
    assert done.code == 0, done.output
    assert bench.judge(settled=True) == [], died.steps[-1:]
    assert bench.is_cleaned(), (died.steps[-3:], done.output)
    assert bench.far_identities() == bench.far, "a verified file was sent again"
    assert released_runs(bench.lab.state / "queue.db") == {str(bench.run)}
    return died.died


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["plain", "exlab"])
def test_a_cleanup_survives_a_sample_of_kills(tmp_path: Path, layout: str) -> None:
    bench = CleanupBench(tmp_path, layout)
    with Zygote(bench.lab) as zygote:
        bench.prepare(zygote)
        whole = zygote.run("run", "--once", count=True)
        assert whole.code == 0, whole.output
        assert bench.is_cleaned()
        unlinks = [at for at, step in enumerate(whole.steps, 1) if step.startswith(("os.remove", "os.rmdir"))]
        sample = {*range(8, len(whole.steps), len(whole.steps) // 5), unlinks[0], unlinks[-1]}
        for at in sorted(sample):
            survives(bench, zygote, at)


@pytest.mark.full
@pytest.mark.parametrize("layout", ["plain", "exlab"])
def test_a_cleanup_survives_a_kill_at_every_step(tmp_path: Path, layout: str) -> None:
    bench = CleanupBench(tmp_path, layout)
    with Zygote(bench.lab) as zygote:
        bench.prepare(zygote)
        for at in range(1, _MORE_THAN_THERE_ARE):
            if not survives(bench, zygote, at):
                return
    raise AssertionError("there were more steps than expected")
