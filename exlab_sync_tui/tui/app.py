"""Which parts make the console? The app composes them, and hands on what the bridge tells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand

from exlab_sync_tui.headless.words import Look
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui import messages
from exlab_sync_tui.tui.acts.looks import LookActs
from exlab_sync_tui.tui.acts.papers import PaperActs
from exlab_sync_tui.tui.acts.runs import RunActs
from exlab_sync_tui.tui.acts.upkeep import UpkeepActs
from exlab_sync_tui.tui.bridge import Bridge
from exlab_sync_tui.tui.commands import COMMANDS, bindings, unknown_ids
from exlab_sync_tui.tui.premises import Nothing
from exlab_sync_tui.tui.screens.main import MainScreen
from exlab_sync_tui.tui.terminal import outliving
from exlab_sync_tui.tui.themes import OURS, chosen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from textual.binding import BindingType
    from textual.driver import Driver
    from textual.message import Message
    from textual.screen import Screen

    from exlab_sync_tui.engine.cockpit.view import Cockpit
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.tui.options import ConsoleOptions, Lab
    from exlab_sync_tui.tui.premises import Premises


class ConsoleApp(RunActs, UpkeepActs, PaperActs, LookActs):
    """The console over *cockpit*, which is started already and is stopped by whoever started it."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(COMMANDS)]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # Textual's declaration  # noqa: RUF012  # Textual's declaration
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # the same  # noqa: RUF012  # the same
    CSS_PATH = Path(__file__).with_name("app.tcss")

    def __init__(
        self,
        cockpit: Cockpit,
        lab: Lab,
        options: ConsoleOptions,
        clock: Clock,
        *,
        title: str,
        premises: Premises | None = None,
    ) -> None:
        super().__init__()
        self.title = safe_text(title)
        self.options = options
        self.lab = lab
        self.clock = clock
        self.look = Look(unicode=not options.ascii, colour=True)
        self.premises = premises or Nothing()
        self.bridge = Bridge(cockpit, clock, lab, self._post, self.premises)
        self.main = MainScreen(self.bridge, lab, self.look, options, title=title, opened_at=clock.now())
        for theme in OURS:
            self.register_theme(theme)
        self.theme = chosen(options.theme, self.available_themes, os.environ)
        self.set_keymap(options.keymap)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver for this terminal, made to outlive it."""
        return outliving(super().get_driver_class())

    def on_mount(self) -> None:
        self.set_class(self.options.ascii, "-ascii")
        self.set_class(self.no_color, "-no-colour")
        self.push_screen(self.main)
        strange = unknown_ids(self.options.keymap)
        if strange:
            self.say(f"console.keymap names no command of ours: {', '.join(strange)}.", "warning")
        self.run_worker(self.bridge.run(), name="bridge")

    def _post(self, message: Message) -> None:
        if isinstance(message, messages.Answered):
            self.post_message(message)
        else:
            self.main.post_message(message)

    def on_answered(self, message: messages.Answered) -> None:
        """Say what became of an order."""
        self.say(message.outcome.sentence, "information" if message.outcome.ok else "error")

    def action_leave(self) -> None:
        """End the console."""
        self.exit(0)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # Textual calls it so  # noqa: ARG002  # Textual's
        """Our commands, each with its key."""
        for command in COMMANDS:
            if command.action != "command_palette":
                key = command.shown(self.options.keymap)
                yield SystemCommand(command.name, f"{command.help} ({key})", self._runner(command.action))

    def _runner(self, action: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await self.run_action(action)

        return run
