"""An engine that runs for months needs no more memory for every run that it has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.memory import WARM, curve_of, growth

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES_A_RUN = 800
_RUNS = WARM + 4_000


@pytest.mark.full
async def test_memory_does_not_grow_with_the_number_of_runs(tmp_path: Path) -> None:
    curve = await curve_of(tmp_path, _RUNS, 500, lambda _: None)
    assert growth(curve) < _MOST_BYTES_A_RUN, curve
