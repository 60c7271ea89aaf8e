"""What does the console look like? Run as a module, this makes the pictures in ``screenshots/`` anew.

``sample-lab*.svg`` show the real engine on the lab of ``exlab-sync demo``; the others show the lab of the tests, in
which an instrument sends for minutes and a NAS is away for hours.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.lab import build_lab
from exlab_sync_tui.engine.cockpit.hosted import Hosted
from exlab_sync_tui.engine.destinations import adopt
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.tui.app import ConsoleApp
from exlab_sync_tui.tui.options import ConsoleOptions, lab_of
from tests.tui.conftest import TITLE, opened
from tests.tui.lab import FakeCockpit, busy_day, outage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FOLDER = Path(__file__).parents[2] / "screenshots"
SMALL, WIDE = (80, 24), (120, 36)
_SETTLED = 3.0
_SAMPLE_TITLE = "Sample lab"


async def staged(
    name: str,
    scene: Callable[[FakeCockpit], Awaitable[None]],
    *keys: str,
    size: tuple[int, int] = WIDE,
    theme: str = "exlab-dark",
) -> None:
    """A picture of the lab of the tests, after *keys*."""
    cockpit = FakeCockpit()
    await scene(cockpit)
    async with opened(cockpit, size=size, theme=theme) as console:
        await console.press(*keys)
        keep(name, console.app, TITLE)


async def sample_lab() -> None:
    """The real engine sends the sample lab; one picture when it is done, one of the run that failed."""
    with tempfile.TemporaryDirectory(prefix="exlab-demo-") as folder:
        root = Path(folder)
        settings = Settings.model_validate(build_lab(root / "lab").config)
        store_path = root / "state" / "queue.db"
        for item in settings.equipment:
            await adopt(settings, item.id, local=True, store_path=store_path)
        client = make_client(settings, store_path, operator="mira")
        cockpit = Hosted(client)
        await cockpit.start()
        try:
            app = ConsoleApp(cockpit, lab_of(settings), ConsoleOptions("mira"), SystemClock(), title=_SAMPLE_TITLE)
            async with app.run_test(size=WIDE) as pilot:
                for _ in range(3):
                    await client.scan()
                    await asyncio.sleep(1.5)
                await client.drain()
                await pilot.pause(_SETTLED)
                keep("sample-lab", app, _SAMPLE_TITLE)
                await pilot.press("down", "enter")
                await pilot.pause(_SETTLED)
                keep("sample-lab-details", app, _SAMPLE_TITLE)
        finally:
            await cockpit.stop()


def keep(name: str, app: ConsoleApp, title: str) -> None:
    """Write the screen as an SVG."""
    (FOLDER / f"{name}.svg").write_text(app.export_screenshot(title=title), encoding="utf-8")


async def every_picture() -> None:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    await staged("console-dark", busy_day)
    await staged("console-light", busy_day, theme="exlab-light")
    await staged("console-small", busy_day, size=SMALL)
    await staged("details", busy_day, "down", "enter")
    await staged("nas-away", outage)
    await staged("help", busy_day, "question_mark")
    await sample_lab()


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    asyncio.run(every_picture())
