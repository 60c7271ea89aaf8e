"""What does the operator see all day? Health, instruments, runs and events, and the handlers that keep them current."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tui import messages
from exlab_sync_tui.tui.health import Health, health
from exlab_sync_tui.tui.listing import Listing, Wanted
from exlab_sync_tui.tui.scene import Live, Scene
from exlab_sync_tui.tui.widgets.detail_pane import DetailPane
from exlab_sync_tui.tui.widgets.event_log import EventLog
from exlab_sync_tui.tui.widgets.filter_bar import FilterBar
from exlab_sync_tui.tui.widgets.heading import Heading, RunHeading
from exlab_sync_tui.tui.widgets.health_line import HealthLine
from exlab_sync_tui.tui.widgets.instruments import Instruments
from exlab_sync_tui.tui.widgets.run_list import RunList
from exlab_sync_tui.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import PurePath

    from textual.app import ComposeResult

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.tui.bridge import Bridge
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.options import Lab

_PARTS = ("title_bar", "health_line", "instruments", "heading", "run_list", "filter_bar", "event_log", "detail_pane")


class MainScreen(Screen[None]):
    """The one screen of the first console."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["main.tcss", *(f"../widgets/{part}.tcss" for part in _PARTS)]

    def __init__(self, bridge: Bridge, lab: Lab, look: Look, *, title: str, opened_at: datetime) -> None:
        super().__init__()
        self._bridge = bridge
        self._lab = lab
        self._look = look
        self._lab_title = title
        self._opened_at = opened_at
        self.scene = Scene(opened_at)
        self.live = Live()
        self._listing = Listing()
        self._looked = False

    def compose(self) -> ComposeResult:
        longest_id = max((len(one.id) for one in self._lab.instruments), default=10)
        yield TitleBar(self._lab_title, self._look)
        yield HealthLine(self._look)
        yield Instruments(self._look, self._lab, self.scene)
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield RunHeading(longest_id)
                yield RunList(self._look, self._lab, self.scene)
                yield Static("", markup=False, id="nothing")
                yield FilterBar()
            yield DetailPane()
        yield Heading("  Events", id="log-heading")
        yield EventLog(self._look, self._opened_at)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#nothing").display = False
        self.query_one(RunList).focus()

    @property
    def selected(self) -> Row | None:
        """The run that commands act on."""
        return self.query_one(RunList).selected

    @property
    def health(self) -> Health:
        """How things stand."""
        return health(self.scene, self.live.pulse, self._lab)

    @on(messages.Looked)
    def show_picture(self, message: messages.Looked) -> None:
        """Show the store as it is now."""
        self.scene, self._listing, self._looked = message.scene, message.listing, True
        self.query_one(RunList).show(message.scene, message.listing)
        self.query_one(Instruments).show(message.scene)
        self.query_one(RunHeading).say(self._numbers())
        self._say_nothing()
        self.query_one(HealthLine).say(self.health)

    @on(messages.Sampled)
    def show_progress(self, message: messages.Sampled) -> None:
        """Show what moves."""
        self.live = message.live
        self.query_one(RunList).fly(message.live)
        self.query_one(Instruments).fly(message.live)
        self.query_one(TitleBar).fly(message.live)
        if self._looked:
            self.query_one(HealthLine).say(self.health)

    @on(messages.News)
    def show_news(self, message: messages.News) -> None:
        """Put the event into the log."""
        self.query_one(EventLog).add(message.event)

    @on(messages.Trouble)
    def show_trouble(self, message: messages.Trouble) -> None:
        """Say that the store cannot be read."""
        self.query_one(HealthLine).complain(message.sentence)

    @on(messages.Told)
    def show_story(self, message: messages.Told) -> None:
        """Show the selected run's story."""
        self.query_one(DetailPane).tell(message.detail)

    @on(RunList.Visible)
    def read_rows(self, message: RunList.Visible) -> None:
        """Have the rows read that are visible now."""
        self._bridge.show(message.first, message.last)

    @on(RunList.Selected)
    def follow_selection(self, message: RunList.Selected) -> None:
        """Have the story of another run read, if somebody looks at it."""
        if self.query_one(DetailPane).display:
            self._tell(message.row)

    @on(RunList.Opened)
    def open_details(self) -> None:
        """Show or hide the details."""
        self.toggle_details()

    @on(FilterBar.Changed)
    def filter_runs(self, message: FilterBar.Changed) -> None:
        """List other runs."""
        self._bridge.want(Wanted.parse(message.typed, [one.id for one in self._lab.instruments]))

    @on(FilterBar.Done)
    def back_to_the_list(self) -> None:
        """Give the keys back to the list."""
        self.query_one(RunList).focus()

    def ask_for_filter(self) -> None:
        """Let somebody type a filter."""
        self.query_one(FilterBar).ask()

    def toggle_details(self) -> None:
        """Show or hide the details."""
        self._show_details(wanted=not self.query_one(DetailPane).display)

    def step_back(self) -> None:
        """Close the details, else the filter."""
        if self.query_one(DetailPane).display:
            self._show_details(wanted=False)
        elif self.query_one(FilterBar).display:
            self.query_one(FilterBar).clear()
            self.query_one(RunList).focus()

    def _show_details(self, *, wanted: bool) -> None:
        self.query_one(DetailPane).display = wanted
        self.set_class(wanted, "-detailed")
        self._tell(self.selected if wanted else None)
        self.query_one(RunList).focus()

    def _tell(self, row: Row | None) -> None:
        self._bridge.select(row.run_path if row is not None else "")
        if row is None:
            self.query_one(DetailPane).tell(None)

    def _numbers(self) -> str:
        listing = self._listing
        more = "+" if listing.is_open else ""
        if listing.wanted == Wanted():
            return count(listing.total, "run")
        return f"{listing.total:,}{more} of {count(self.scene.tally().total, 'run')}"

    def _say_nothing(self) -> None:
        empty = not self._listing.total
        nothing = self.query_one("#nothing", Static)
        nothing.display = empty
        self.query_one(RunList).set_class(empty, "-empty")
        if empty:
            nothing.update(self._why_empty())

    def _why_empty(self) -> str:
        if self._listing.wanted != Wanted():
            return "No run fits the filter. Esc takes it away."
        if not self._lab.instruments:
            return "No instrument is configured yet: `exlab-sync init` writes a configuration to fill in."
        widest = max(len(one.id) for one in self._lab.instruments)
        lines = [f"{safe_text(one.id):<{widest}}  {safe_text(one.folder)}" for one in self._lab.instruments]
        return "No runs yet. A finished run in one of these folders appears here by itself:\n\n" + "\n".join(lines)
