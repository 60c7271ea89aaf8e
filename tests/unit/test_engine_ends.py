"""Does anybody hear why, when something of an engine ends that never must?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.hosted import Hosted
from exlab_sync_tui.engine.patrol import Patrol
from tests.unit.sim_lab import WeekLab

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_patrol_that_ends_is_raised_logged_and_no_engine_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ends(_: Patrol) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Patrol, "run", ends)
    hosted = Hosted(WeekLab(tmp_path).client(), watch=True)
    await hosted.start()
    try:
        with caplog.at_level(logging.CRITICAL), pytest.raises(RuntimeError, match="a mistake of ours"):
            await hosted.broken()
        assert not (await hosted.pulse()).alive
        [record] = [it for it in caplog.records if it.levelno == logging.CRITICAL]
        assert record.getMessage() == "the engine's patrol has ended"
        assert record.exc_info is not None
    finally:
        await hosted.stop()
