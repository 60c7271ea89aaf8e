"""What does the console look like? Run as a module, this makes the pictures in ``screenshots/`` anew.

Every picture is of the real engine over the sample lab of ``exlab-sync demo`` in a temporary folder: one instrument
has a cap on its bandwidth, so that it can be seen sending, and the NAS is a folder that is moved away and back.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from exlab_sync_tui.demo.lab import Scale, plan_lab, prepare, write_run
from exlab_sync_tui.engine.cockpit.hosted import Hosted
from exlab_sync_tui.engine.destinations import adopt
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.tui.app import ConsoleApp
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.options import ConsoleOptions, lab_of
from exlab_sync_tui.tui.premises import Configured
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.run_list import RunList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from exlab_sync_tui.demo.lab import SampleLab
    from exlab_sync_tui.engine.client import NASSyncClient

FOLDER = Path(__file__).parents[2] / "screenshots"
NORMAL, NARROW = (120, 36), (80, 24)
TITLE = "Imaging core, room 2.14"
_SCALE = Scale(planes=24, side=512, tiles=3_000, reads=120)
_SLOW = "CONFOCAL_01"
_PATIENCE = 120.0


@dataclass
class Studio:
    """The console over the lab, and what moves the lab."""

    lab: SampleLab
    client: NASSyncClient
    app: ConsoleApp
    pilot: Pilot[int]

    async def until(self, *texts: str) -> None:
        """Look again until one line of the screen has all of these."""
        deadline = time.monotonic() + _PATIENCE
        while not any(all(text in line for text in texts) for line in self.lines):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{texts} never came:\n" + "\n".join(self.lines))
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.6)  # what else belongs to it is drawn, too

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    async def go_to(self, name: str) -> None:
        """Select a run by a part of its name."""
        await self.app.bridge.find(name)
        await asyncio.sleep(0.5)

    def keep(self, name: str) -> None:
        """Write the screen as an SVG; blanks count in every viewer."""
        for field in self.app.screen.query(Input):
            field.cursor_blink = False
        picture = self.app.export_screenshot(title=TITLE).replace("<svg class", '<svg xml:space="preserve" class', 1)
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")


@asynccontextmanager
async def studio(root: Path) -> AsyncIterator[Studio]:
    """A lab whose runs are all finished, an engine that has just begun with them, and the console."""
    lab = plan_lab(root / "lab", scale=_SCALE, settle_seconds=1)
    prepare(lab)
    for run in lab.runs:
        write_run(lab, run)
    settings = Settings.model_validate(_with_a_cap(lab.config))
    store_path = root / "state" / "queue.db"
    for item in settings.equipment:
        await adopt(settings, item.id, local=True, store_path=store_path)
    client = make_client(settings, store_path, operator="mira")
    cockpit = Hosted(client, watch=True)
    await cockpit.start()
    options = ConsoleOptions("mira", "dark")
    try:
        app = ConsoleApp(cockpit, lab_of(settings), options, SystemClock(), title=TITLE, premises=Configured(settings))
        async with app.run_test(size=NORMAL) as pilot:
            yield Studio(lab, client, app, pilot)
    finally:
        await cockpit.stop()


def _with_a_cap(config: dict[str, Any]) -> dict[str, Any]:
    for item in config["equipment"]:
        if item["id"] == _SLOW:
            item["transport"]["bandwidth"] = {"upload_mbps": 6}
    return config


async def every_picture() -> None:
    """Make all of them, in the order of one day."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    with tempfile.TemporaryDirectory(prefix="exlab-pictures-") as folder:
        async with studio(Path(folder)) as here:
            await _at_work(here)
            await _in_detail(here)
            await _away(here)


async def _at_work(here: Studio) -> None:
    await here.until("✗ failed")
    await here.until("→ sending", _SLOW, "/s")
    await asyncio.sleep(3.0)
    await here.pilot.press("home")
    await asyncio.sleep(0.5)
    here.keep("overview")
    await here.pilot.resize_terminal(*NARROW)
    await asyncio.sleep(0.6)
    here.keep("narrow")
    await here.pilot.resize_terminal(*NORMAL)
    here.app.theme = "exlab-light"
    await asyncio.sleep(0.6)
    here.keep("light")
    here.app.theme = "exlab-dark"


async def _in_detail(here: Studio) -> None:
    runs, pane = here.app.main.query_one(RunList), here.app.main.query_one(DetailPane)
    await here.pilot.press("2")
    await asyncio.sleep(0.6)
    failed = next(index for index in range(runs._listing.total) if (row := runs._listing.row(index)) and row.job)
    runs.action_move(failed - runs.cursor)
    await here.pilot.press("enter")
    await here.until("failed (conflict)")
    here.keep("failed-run")
    await here.pilot.press("home", "left_square_bracket", "left_square_bracket")
    await here.until("keeps the run here")
    await here.pilot.press("o")
    await asyncio.sleep(0.6)
    await here.pilot.press(*"the sample's name is not known yet")
    await asyncio.sleep(0.6)
    here.keep("findings")
    await here.pilot.press("escape", "1")
    await here.client.drain()
    await here.pilot.press("5")
    await asyncio.sleep(1.5)
    runs.action_move(-runs.cursor)
    pane.open(Tab.FILES)
    await here.until("✓ proved")
    here.keep("details")
    await here.pilot.press("escape", "1")


async def _away(here: Studio) -> None:
    nas = here.lab.nas
    nas.rename(nas.with_name("nas, switched off"))
    source = next(run.path for run in here.lab.runs if "plates" in run.path.parts)
    for number in (41, 42):
        shutil.copytree(source, source.with_name(f"2025-03-04_plate_0{number}"))
    for _ in range(3):
        await here.client.scan()
        await asyncio.sleep(1.5)
    await here.until("is away since", "waiting")
    await here.pilot.press("home")
    await asyncio.sleep(1.0)
    here.keep("nas-away")
    nas.with_name("nas, switched off").rename(nas)


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    asyncio.run(every_picture())
