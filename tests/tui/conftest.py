"""What does every test of the console share? A pinned terminal, and a way to open the console over a fake cockpit."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.extensions.image import SVGImageSnapshotExtension
from textual._compositor import Compositor
from textual.css.stylesheet import Stylesheet
from textual.events import Key
from textual.keys import _character_to_key

from exlab_sync_tui.tui.app import ConsoleApp
from exlab_sync_tui.tui.options import ConsoleOptions
from exlab_sync_tui.tui.widgets.run_list import RunList
from tests.tui.lab import LAB, FakeCockpit, FakePremises, clock, premises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from syrupy.assertion import SnapshotAssertion
    from textual.pilot import Pilot
    from textual.widget import Widget

    from exlab_sync_tui.testing import ManualClock
    from exlab_sync_tui.tui.options import Lab

TITLE = "Imaging core, room 2.14"
_TURNS, _ROUNDS = 20_000, 50


async def idle(*_: float) -> None:
    """Wait until nothing can go on without a timer, a thread or us.

    Textual's own waits for a processor that rests, which takes up to a second where something blinks or others work.
    """
    ready, calm = asyncio.get_running_loop()._ready, 0  # type: ignore[attr-defined]  # of every loop that is used here
    for _turn in range(_TURNS):
        await asyncio.sleep(0)
        calm = 0 if ready else calm + 1
        if calm > 1:
            return
    raise AssertionError("the console never comes to rest")


_render_update = Compositor.render_update


def _only_if_asked(self: Compositor, full: bool = False, **options: Any) -> Any:
    """Draw what somebody looks at: without a terminal, updates are drawn for nobody, and most time goes there."""
    if full:
        return _render_update(self, full=True, **options)
    self._dirty_regions.clear()
    return None


_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], Any] = {}


def _parse_once(self: Stylesheet, *what: Any, **options: Any) -> Any:
    """The same style sheets are read at every start of an app."""
    key = (*what, *sorted(options.items()), tuple(sorted(self._variables.items())))
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, *what, **options)
    return _parsed[key]


@pytest.fixture(autouse=True)
def _pinned_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "COLORFGBG", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("COLORTERM", "truecolor"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ConsoleApp, "NOTIFICATION_TIMEOUT", 3_600)  # a slow machine must not see other pictures
    for module in ("app", "pilot"):
        monkeypatch.setattr(f"textual.{module}.wait_for_idle", idle)
    monkeypatch.setattr(Compositor, "render_update", _only_if_asked)
    monkeypatch.setattr(Stylesheet, "_parse_rules", _parse_once)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compares with the picture that was approved."""
    return snapshot.use_extension(SVGImageSnapshotExtension)


class HeardApp(ConsoleApp):
    """The console, which remembers what it said: a notice vanishes after some seconds of anybody's clock."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heard: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.heard.append(message)
        super().notify(message, **options)


@dataclass
class Console:
    """The console of a test, with its hands on the clock."""

    app: HeardApp
    pilot: Pilot[int]
    clock: ManualClock

    async def settle(self, seconds: float = 0) -> None:
        """Let time pass, and everything be shown that follows."""
        for _ in range(2):
            await self.clock.advance(seconds / 2)
            await self.pilot.pause()
        await self.drawn()

    async def drawn(self) -> None:
        """Wait until nothing is left to lay out or to draw."""
        for _ in range(_ROUNDS):
            self.app._check_resize()  # it waits for a timer otherwise, and so do the screens below a dialog
            below, screen = self.app._background_screens, self.app.screen
            for one in below:
                one._on_timer_update()
            await self.pilot.pause()
            laid_out = not any(one._layout_required or one._scroll_required for one in (*below, screen))
            if laid_out and not (screen._dirty_widgets or screen._repaint_required or screen._callbacks):
                return
        raise AssertionError("the console is never drawn to its end")

    async def press(self, *keys: str) -> None:
        """Press keys, each with what follows from it."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle(0.3)

    async def enter(self, text: str, *keys: str) -> None:
        """Type at one go, then press keys."""
        await self.pilot.press(*text)
        await self.press(*keys)

    async def hurry(self, text: str, *keys: str) -> None:
        """Type faster than anything can be drawn: all keys are there before the first one is looked at."""
        driver = self.app._driver
        assert driver is not None
        for key in (*text, *keys):
            named = key if len(key) > 1 or key.isalnum() else _character_to_key(key)
            driver.send_message(Key(named, key if len(key) == 1 else None))
        await self.settle(0.3)

    async def go_to(self, name: str) -> None:
        """Select a run of the list, as the keys would."""
        runs = self.app.main.query_one(RunList)
        rows = [runs._listing.row(index) for index in range(runs._listing.total)]
        runs.action_move([row.name if row else "" for row in rows].index(name) - runs.cursor)
        await self.settle(0.3)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """The same in one."""
        return "\n".join(self.lines)

    def words_in(self, part: type[Widget]) -> str:
        """What stands in one part of the screen, as one line of words."""
        region = self.app.screen.query_one(part).region
        rows = [strip.text for strip in self.app.screen._compositor.render_strips()]
        return " ".join(" ".join(row[region.x : region.right] for row in rows[region.y : region.bottom]).split())

    @property
    def notices(self) -> list[str]:
        """What was said so far."""
        return self.app.heard

    @property
    def selected(self) -> str:
        """The name of the selected run."""
        row = self.app.main.selected
        return row.name if row is not None else ""

    def screenshot(self) -> str:
        """The screen as an SVG."""
        return self.app.export_screenshot(title=TITLE)


@asynccontextmanager
async def opened(
    cockpit: FakeCockpit,
    *,
    size: tuple[int, int] = (80, 24),
    lab: Lab = LAB,
    options: ConsoleOptions | None = None,
    theme: str = "auto",
    around: FakePremises | None = None,
    title: str = TITLE,
) -> AsyncIterator[Console]:
    """The console over a started *cockpit*, once everything is shown."""
    if not cockpit.is_started:
        await cockpit.start()
    hand = clock()
    wished = options or ConsoleOptions("mira", theme)
    app = HeardApp(cockpit, lab, wished, hand, title=title, premises=around or premises())
    app.animation_level = "none"  # what glides is somewhere else at every look
    async with app.run_test(size=size, notifications=True) as pilot:
        console = Console(app, pilot, hand)
        await console.settle()
        yield console
