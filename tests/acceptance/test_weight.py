"""Many small files and a large one: the engine stays light, and its event loop free."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, write_run
from tests.checker import check_sides
from tests.watchdog import LoopWatch

if TYPE_CHECKING:
    from collections.abc import Callable

_HOME = Path(__file__).parents[2]
_MOST_BYTES = 200 << 20
_LONGEST_SECONDS = 0.05
_ATTEMPTS = 3


async def weighed(lab: Lab) -> tuple[dict[str, object], float]:
    """What ``weigh`` told, and for how long this idle process was kept waiting by the machine meanwhile, in seconds."""
    words = ["-m", "tests.acceptance.weigh", str(lab.config), str(lab.state)]
    async with LoopWatch() as idle:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=_HOME, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        told, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    answer = json.loads(told)
    assert isinstance(answer, dict)
    return answer, idle.longest


async def is_light(
    tmp_path: Path, *, small: int, large_mib: int, prepare: Callable[[Path], Lab] = lambda root: Lab(root).prepare()
) -> None:
    """Memory must always be within bounds. A busy machine makes every loop late, so the best attempt counts."""
    run = write_run(tmp_path / "data" / "Run_A", small=small, large_mib=large_mib)
    stalls: list[tuple[float, str]] = []
    for _ in range(_ATTEMPTS):
        for rest in ("nas", "state"):
            shutil.rmtree(tmp_path / rest, ignore_errors=True)
        lab = prepare(tmp_path)
        told, idle = await weighed(lab)
        assert told["states"] == {"verified": 1}
        assert int(str(told["peak"])) < _MOST_BYTES
        stalls.append((float(str(told["longest"])) - idle, str(told["stack"])))
        if stalls[-1][0] < _LONGEST_SECONDS:
            break
    longest, stack = min(stalls)
    assert longest < _LONGEST_SECONDS, stack
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)


@pytest.mark.slow
async def test_a_medium_run_is_light(tmp_path: Path) -> None:
    await is_light(tmp_path, small=5_000, large_mib=256)


@pytest.mark.full
async def test_a_large_run_is_light(tmp_path: Path) -> None:
    await is_light(tmp_path, small=20_000, large_mib=2_048)
