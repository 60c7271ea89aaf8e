"""What can be looked at, and how? Lists, details, help: nothing here gives an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.command import CommandPalette

from exlab_sync_tui.tui.acts.base import ActingApp
from exlab_sync_tui.tui.explain import explained
from exlab_sync_tui.tui.first_run.form import FirstRunScreen, Paper
from exlab_sync_tui.tui.screens.help import HelpScreen, everything
from exlab_sync_tui.tui.screens.instruments import InstrumentsScreen
from exlab_sync_tui.tui.screens.line import LineScreen
from exlab_sync_tui.tui.wanted import View

if TYPE_CHECKING:
    from exlab_sync_tui.headless.words import Look

_MARKED_AT_MOST = 1_000


class LookActs(ActingApp):
    """Views, filters, tabs, marks, help."""

    look: Look

    def action_details(self) -> None:
        """Show or hide the selected run's details."""
        self.main.toggle_details()

    def action_tab(self, by: int) -> None:
        """Show another tab of the details."""
        self.main.turn_tab(by)

    def action_zoom(self) -> None:
        """Give the details the whole screen, or take it back."""
        self.main.zoom()

    def action_unproven(self) -> None:
        """List only the files that are not proved yet."""
        self.main.only_unproven_files()

    def action_filter(self) -> None:
        """Let somebody type a filter."""
        self.main.ask_for_filter()
        self.keys_go_to_the_focus()

    def action_sort(self) -> None:
        """List in the next order."""
        self.main.next_sort()

    def action_next_instrument(self) -> None:
        """List the next instrument's runs alone, then those of all."""
        if not self.lab.instruments:
            self.say("No instrument is configured.", "warning")
            return
        self.main.next_instrument()

    def action_instruments(self) -> None:
        """Show every instrument in full."""
        self.open(InstrumentsScreen(self.main.sight, self.look))

    def action_view(self, view: str) -> None:
        """List a part of the runs."""
        self.main.choose_view(View(view))

    def action_mark(self) -> None:
        """Mark the selected run, and go on."""
        self.main.mark_selected()

    async def action_mark_all(self) -> None:
        """Mark every run that is listed, or none."""
        if self.main.marked:
            self.main.unmark()
            return
        rows = await self.bridge.listed(_MARKED_AT_MOST + 1)
        if len(rows) > _MARKED_AT_MOST:
            self.say(f"More than {_MARKED_AT_MOST:,} runs are listed; filter first. Nothing was marked.", "warning")
        elif rows:
            self.main.mark(rows)

    def action_follow(self) -> None:
        """Keep the cursor on what is being sent, or leave it where it is."""
        self.main.follow()

    def action_go_to(self) -> None:
        """Go to a run by number or name."""

        def typed(text: str | None) -> None:
            if text:
                self.meanwhile(self._go_to(text))

        self.open(LineScreen("Go to", "The number of a line, or a part of a run's name."), typed)

    def action_log(self) -> None:
        """Show or hide the events."""
        self.main.toggle_log()

    def action_step_back(self) -> None:
        """Close what is open."""
        self.main.step_back()

    def action_help(self) -> None:
        """Show every key."""
        self.open(HelpScreen(everything(self.look, self.options.keymap)))

    def action_explain(self) -> None:
        """Explain what has the keys."""
        self.open(HelpScreen(explained(self.main.place_of_keys, self.look, self.options.keymap)))

    def action_command_palette(self) -> None:
        """Let somebody find a command by name."""
        if not isinstance(self.screen, CommandPalette):
            self.open(CommandPalette(placeholder="Find a command", id="--command-palette"))

    def action_change_theme(self) -> None:
        """Let somebody choose other colours."""
        super().action_change_theme()
        self.keys_go_to(self.screen)

    def action_add(self) -> None:
        """Ask for one more instrument."""
        config, store_path = self.options.config, self.options.store_path
        if config is None or store_path is None:
            self.say("This console has no configuration of its own, so no instrument can be added here.", "warning")
            return

        def written(done: bool | None) -> None:
            if not done:
                self.say("Nothing was written.")
                return
            hosted = self.main.live.pulse.hosted
            then = "leave this console and open it again" if hosted else "restart the one that runs"
            self.say(f"It is in {config} now. The next engine watches it: {then}.")

        self.open(FirstRunScreen(Paper(config, store_path, adding=True), self.look, self.clock), written)

    async def _go_to(self, text: str) -> None:
        if text.isdecimal():
            await self.bridge.seek_row(int(text) - 1)
        elif not await self.bridge.find(text):
            self.say(f"No listed run has {text} in its path.", "warning")
