"""Which parts make the console? The app composes them and turns keys into orders, nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.command import CommandPalette

from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.headless.words import Look
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui import messages
from exlab_sync_tui.tui.bridge import Bridge
from exlab_sync_tui.tui.commands import COMMANDS, bindings, unknown_ids
from exlab_sync_tui.tui.screens.help import HelpScreen
from exlab_sync_tui.tui.screens.main import MainScreen
from exlab_sync_tui.tui.terminal import outliving
from exlab_sync_tui.tui.themes import OURS, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.driver import Driver
    from textual.message import Message
    from textual.screen import Screen

    from exlab_sync_tui.engine.cockpit.view import Cockpit
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.tui.options import ConsoleOptions, Lab


class ConsoleApp(App[int]):
    """The console over *cockpit*, which is started already and is stopped by whoever started it."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(COMMANDS)]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  # Textual declares it for instances
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012  # the same
    CSS_PATH = "app.tcss"

    def __init__(self, cockpit: Cockpit, lab: Lab, options: ConsoleOptions, clock: Clock, *, title: str) -> None:
        super().__init__()
        self.title = safe_text(title)
        self._options = options
        look = Look(unicode=not options.ascii, colour=True)
        self._look = look
        self._bridge = Bridge(cockpit, clock, lab, self._post)
        self.main = MainScreen(self._bridge, lab, look, title=title, opened_at=clock.now())
        self._lab = lab
        for theme in OURS:
            self.register_theme(theme)
        self.theme = chosen(options.theme, self.available_themes, os.environ)
        self.set_keymap(options.keymap)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver for this terminal, made to outlive it."""
        return outliving(super().get_driver_class())

    def on_mount(self) -> None:
        self.set_class(self._options.ascii, "-ascii")
        self.push_screen(self.main)
        strange = unknown_ids(self._options.keymap)
        if strange:
            self._say(f"console.keymap names no command of ours: {', '.join(strange)}.", "warning")
        self.run_worker(self._bridge.run(), name="bridge")

    def _post(self, message: Message) -> None:
        if isinstance(message, messages.Answered):
            self.post_message(message)
        else:
            self.main.post_message(message)

    def on_answered(self, message: messages.Answered) -> None:
        """Say what became of an order."""
        self._say(message.outcome.sentence, "information" if message.outcome.ok else "error")

    def action_retry(self) -> None:
        """Queue the selected run again."""
        self._order_for_run(Verb.RETRY)

    def action_verify(self) -> None:
        """Compare the selected run with its destination."""
        self._order_for_run(Verb.VERIFY)

    def action_pause(self) -> None:
        """Pause or resume the selected run's instrument."""
        row, instruments = self.main.selected, self._lab.instruments
        if row is None and len(instruments) != 1:
            self._say("No run is selected, so no instrument is chosen to pause.", "warning")
            return
        equipment_id = row.equipment_id if row is not None else instruments[0].id
        self._order(Verb.RESUME if self.main.scene.is_paused(equipment_id) else Verb.PAUSE, equipment_id)

    def action_details(self) -> None:
        """Show or hide the selected run's details."""
        self.main.toggle_details()

    def action_filter(self) -> None:
        """Let somebody type a filter."""
        self.main.ask_for_filter()

    def action_step_back(self) -> None:
        """Close the details, then the filter."""
        self.main.step_back()

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(HelpScreen(self._look))

    def action_leave(self) -> None:
        """End the console."""
        self.exit(0)

    def action_command_palette(self) -> None:
        """Let somebody find a command by name."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="Find a command", id="--command-palette"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002  # Textual calls it so
        """Our commands, and the choice of a theme."""
        for command in COMMANDS:
            if command.action != "command_palette":
                yield SystemCommand(command.name, command.help, getattr(self, f"action_{command.action}"))
        yield SystemCommand("Theme", "Choose other colours.", self.action_change_theme)

    def _order_for_run(self, verb: Verb) -> None:
        row = self.main.selected
        if row is None:
            self._say("No run is selected.", "warning")
        elif row.job is None:
            self._say(f"{row.name} is not queued yet, so there is nothing to {verb.value}.", "warning")
        else:
            if verb is Verb.VERIFY:
                self._say(f"Comparing {row.name} with its destination.", "information")
            self._order(verb, row.job.id)

    def _order(self, verb: Verb, target: str) -> None:
        self.run_worker(self._bridge.order(Order(verb, target, self._options.operator)), group="orders")

    def _say(self, sentence: str, severity: str) -> None:
        self.notify(safe_text(sentence), severity=severity, markup=False)  # type: ignore[arg-type]  # one of Textual's three
