"""How does the main screen show one run in full? The handlers of the details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.screen import Screen

from exlab_sync_tui.tui import messages
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.telling import tell
from exlab_sync_tui.tui.widgets.details.file_list import FileRows
from exlab_sync_tui.tui.widgets.details.log import LogView
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.details.story import StoryView
from exlab_sync_tui.tui.widgets.key_bar import KeyBar
from exlab_sync_tui.tui.widgets.run_list import RunList

if TYPE_CHECKING:
    from exlab_sync_tui.tui.bridge import Bridge
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.scene import Live, Scene


class Detailed(Screen[None]):
    """A screen with a ``DetailPane``; ``MainScreen`` fills the fields."""

    bridge: Bridge
    lab: Lab
    scene: Scene
    live: Live
    _into: str = ""

    def toggle_details(self) -> None:
        """Show or hide the details."""
        if not self.close_details():
            self._show_details(wanted=True)

    def close_details(self) -> bool:
        """Hide them; ``False`` if they were not there."""
        if not self.query_one(DetailPane).display:
            return False
        self.remove_class("-zoomed")
        self._show_details(wanted=False)
        return True

    def turn_tab(self, by: int) -> None:
        """Show another tab; opens the details if they are not there."""
        pane = self.query_one(DetailPane)
        if pane.display:
            pane.turn(by)
        else:
            self._show_details(wanted=True)

    def zoom(self) -> None:
        """Give the details the whole screen, or take it back."""
        if not self.query_one(DetailPane).display:
            self._show_details(wanted=True)
        self.toggle_class("-zoomed")

    def only_unproven_files(self) -> None:
        """List only the files that are not proved yet, or all."""
        if not self.query_one(DetailPane).display:
            self._show_details(wanted=True)
        self.query_one(DetailPane).open(Tab.FILES)
        self.query_one(FileRows).only_unproven()

    def look_into(self, row: Row | None) -> None:
        """Have what the open tab shows of a run read, if the details are open."""
        pane = self.query_one(DetailPane)
        if not pane.display:
            return
        path = row.run_path if row is not None else ""
        if path != self._into:
            self._into = path
            pane.unjudged()
            self.query_one(FileRows).forget(path)
            self.bridge.insight.open(path, pane.tab)
        if row is None:
            pane.tell(None, None)

    @on(DetailPane.TabShown)
    def look_at_tab(self, message: DetailPane.TabShown) -> None:
        """Have the tab read that is shown now."""
        if self._into:
            self.bridge.insight.open(self._into, message.tab)

    @on(FileRows.Visible)
    def read_files(self, message: FileRows.Visible) -> None:
        """Have the files read that are visible now."""
        self.bridge.insight.show_files(message.first, message.last, unproven_only=message.unproven_only)

    @on(messages.Told)
    def show_story(self, message: messages.Told) -> None:
        """Show the selected run's story."""
        row = self.query_one(RunList).selected
        told = tell(row, self.scene, self.live, self.lab) if row is not None else None
        if message.detail is None or message.detail.run_path == self._into:
            self.query_one(DetailPane).tell(message.detail, told)

    @on(messages.Ticked)
    def count_down(self, message: messages.Ticked) -> None:
        """A second less."""
        self.query_one(StoryView).tick(message.now)

    @on(messages.FilesRead)
    def show_files(self, message: messages.FilesRead) -> None:
        """Show the selected run's files."""
        if message.run_path == self._into:
            self.query_one(FileRows).show(message.run_path, message.files)

    @on(messages.Judged)
    def show_findings(self, message: messages.Judged) -> None:
        """Show what the gate says of the selected run."""
        if message.run_path == self._into:
            self.query_one(DetailPane).judge(message.objections)

    @on(messages.Logged)
    def show_log(self, message: messages.Logged) -> None:
        """Show the selected run's log."""
        if message.run_path == self._into:
            self.query_one(LogView).show(message.run_path, message.log)

    def _show_details(self, *, wanted: bool) -> None:
        pane, runs = self.query_one(DetailPane), self.query_one(RunList)
        pane.display = wanted
        self.set_class(wanted, "-detailed")
        self._into = ""
        if wanted:
            self.look_into(runs.selected)
        else:
            self.bridge.insight.open("", Tab.STORY)
        self.show_keys()
        runs.focus()

    def show_keys(self) -> None:
        """Show the keys that help right now."""
        runs, detailed = self.query_one(RunList), self.query_one(DetailPane).display
        self.query_one(KeyBar).show(runs.selected, len(runs.marked), detailed=detailed)
