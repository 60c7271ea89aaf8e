"""What does the operator see all day? Health, instruments, runs and events, and the handlers that keep them current."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tui import messages
from exlab_sync_tui.tui.health import Health, health
from exlab_sync_tui.tui.listing import Listing
from exlab_sync_tui.tui.scene import Live, Scene
from exlab_sync_tui.tui.screens.detailed import Detailed
from exlab_sync_tui.tui.screens.instruments import InstrumentsScreen
from exlab_sync_tui.tui.wanted import Sort, View, Wanted
from exlab_sync_tui.tui.widgets.details.pane import DetailPane
from exlab_sync_tui.tui.widgets.event_log import EventLog
from exlab_sync_tui.tui.widgets.filter_bar import FilterBar
from exlab_sync_tui.tui.widgets.heading import Heading, RunHeading
from exlab_sync_tui.tui.widgets.health_line import HealthLine
from exlab_sync_tui.tui.widgets.instruments import Instruments
from exlab_sync_tui.tui.widgets.key_bar import KeyBar
from exlab_sync_tui.tui.widgets.run_list import RunList
from exlab_sync_tui.tui.widgets.title_bar import TitleBar
from exlab_sync_tui.tui.widgets.view_bar import ViewBar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import PurePath

    from textual.app import ComposeResult

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.tui.bridge import Bridge
    from exlab_sync_tui.tui.insight import Tab
    from exlab_sync_tui.tui.instrument import Sight
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.options import ConsoleOptions, Lab

_PARTS = (
    *("title_bar", "health_line", "instruments", "view_bar", "heading", "run_list", "filter_bar", "event_log"),
    *("key_bar", "details/pane"),
)


class MainScreen(Detailed, Screen[None]):
    """The one screen; everything else is a dialog above it."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["main.tcss", *(f"../widgets/{part}.tcss" for part in _PARTS)]

    def __init__(
        self, bridge: Bridge, lab: Lab, look: Look, options: ConsoleOptions, *, title: str, opened_at: datetime
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.lab = lab
        self._look = look
        self._options = options
        self._lab_title = title
        self._opened_at = opened_at
        self.scene = Scene(opened_at)
        self.live = Live()
        self._listing = Listing()
        self._wanted = Wanted()
        self._instrument = ""
        self._typed = ""
        self._looked = False
        self._follows = False

    def compose(self) -> ComposeResult:
        runs = RunList(self._look, self.lab, self.scene)
        yield TitleBar(self._lab_title, self._look)
        yield HealthLine(self._look)
        yield Instruments(self._look, self.lab, self.scene)
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield ViewBar(self._look, self.scene)
                yield RunHeading(runs.columns_of)
                yield runs
                yield Static("", markup=False, id="nothing")
                yield FilterBar()
            yield DetailPane(self._look)
        yield Heading("  What happened", id="log-heading")
        yield EventLog(self._look, self._opened_at)
        yield KeyBar(self._options.keymap)

    def on_mount(self) -> None:
        self.query_one("#nothing").display = False
        self.query_one(RunList).focus()

    @property
    def selected(self) -> Row | None:
        """The run under the cursor."""
        return self.query_one(RunList).selected

    @property
    def marked(self) -> list[Row]:
        """The marked runs."""
        return list(self.query_one(RunList).marked.values())

    @property
    def targets(self) -> list[Row]:
        """The runs that orders go to."""
        row = self.selected
        return self.marked or ([row] if row is not None else [])

    @property
    def health(self) -> Health:
        """How things stand."""
        return health(self.scene, self.live.pulse, self.lab)

    @property
    def sight(self) -> Sight:
        """What is known of the instruments."""
        return self.query_one(Instruments).sight

    @property
    def place_of_keys(self) -> Tab | str:
        """What has the keys, as ``explain`` names it."""
        focused = self.focused
        if isinstance(focused, EventLog):
            return "log"
        pane = self.query_one(DetailPane)
        return pane.tab if pane.display and focused is not None and pane in focused.ancestors_with_self else "runs"

    @on(messages.Looked)
    def show_picture(self, message: messages.Looked) -> None:
        """Show the store as it is now."""
        self.scene, self._listing, self._looked = message.scene, message.listing, True
        self.query_one(RunList).show(message.scene, message.listing, message.place)
        self.query_one(Instruments).show(message.scene)
        self._say_numbers()
        self._say_nothing()
        self.query_one(HealthLine).say(self.health)
        self._show_in_full()

    @on(messages.Found)
    def go_there(self, message: messages.Found) -> None:
        """Select a run that was looked for."""
        self.query_one(RunList).put_cursor(message.place)

    @on(messages.Sampled)
    def show_progress(self, message: messages.Sampled) -> None:
        """Show what moves."""
        self.live = message.live
        self.query_one(RunList).fly(message.live)
        self.query_one(Instruments).fly(message.live)
        self.query_one(TitleBar).fly(message.live)
        if self._looked:
            self.query_one(HealthLine).say(self.health)
        if self._follows:
            self._chase()
        self._show_in_full()

    @on(messages.Surveyed)
    def show_surroundings(self, message: messages.Surveyed) -> None:
        """Show disks and limits."""
        self.query_one(Instruments).place(message.survey)
        self._show_in_full()

    @on(messages.News)
    def show_news(self, message: messages.News) -> None:
        """Put the event into the log."""
        self.query_one(EventLog).add(message.event)

    @on(messages.Trouble)
    def show_trouble(self, message: messages.Trouble) -> None:
        """Say that the store cannot be read."""
        self.query_one(HealthLine).complain(message.sentence)

    @on(RunList.Visible)
    def read_rows(self, message: RunList.Visible) -> None:
        """Have the rows read that are visible now."""
        self.bridge.show(message.first, message.last)

    @on(RunList.Selected)
    def follow_selection(self, message: RunList.Selected) -> None:
        """Have the story of another run read, if somebody looks at it."""
        row = message.row
        self.bridge.select(row.run_path if row is not None else "")
        self.look_into(row)
        self.show_keys()

    @on(RunList.Moved)
    def stop_following(self) -> None:
        """Somebody goes another way."""
        if self._follows:
            self.follow()

    @on(RunList.Opened)
    def open_details(self) -> None:
        """Show or hide the details."""
        self.toggle_details()

    @on(Instruments.Picked)
    def pick_instrument(self, message: Instruments.Picked) -> None:
        """List one instrument's runs alone; a second click lists all again."""
        self._instrument = "" if self._instrument == message.equipment_id else message.equipment_id
        self._want()

    @on(ViewBar.Chosen)
    def pick_view(self, message: ViewBar.Chosen) -> None:
        """List another part."""
        self.choose_view(message.view)

    @on(FilterBar.Changed)
    def filter_runs(self, message: FilterBar.Changed) -> None:
        """List other runs."""
        self._typed = message.typed
        self._want()

    @on(FilterBar.Done)
    def back_to_the_list(self) -> None:
        """Give the keys back to the list."""
        self.query_one(RunList).focus()

    def choose_view(self, view: View) -> None:
        """List a part of the runs."""
        self._wanted = replace(self._wanted, view=view)
        self._want()

    def next_sort(self) -> None:
        """List in the next order."""
        self._wanted = replace(self._wanted, sort=self._wanted.sort.following)
        self._want()

    def next_instrument(self) -> None:
        """List the next instrument's runs alone, then those of all."""
        ids = ["", *(one.id for one in self.lab.instruments)]
        self._instrument = ids[(ids.index(self._instrument) + 1) % len(ids)]
        self._want()

    def ask_for_filter(self) -> None:
        """Let somebody type a filter."""
        self.query_one(FilterBar).ask()

    def mark_selected(self) -> None:
        """Mark the selected run, or unmark it, and go on to the next."""
        row = self.selected
        if row is not None:
            self.mark([row])
            self.query_one(RunList).action_move(1)

    def mark(self, rows: Iterable[Row]) -> None:
        """Mark these runs, or unmark them if all of them are marked."""
        self.query_one(RunList).mark(rows)
        self._marks_changed()

    def unmark(self) -> None:
        """Mark nothing."""
        self.query_one(RunList).unmark()
        self._marks_changed()

    def follow(self) -> None:
        """Keep the cursor on what is being sent, or not any more."""
        self._follows = not self._follows
        self._say_numbers()
        if self._follows:
            self._chase()

    def toggle_log(self) -> None:
        """Show or hide the events."""
        self.toggle_class("-without-log")

    def step_back(self) -> None:
        """Close the details, else forget the marks, else the filter, else the choice of runs."""
        filtering = self.query_one(FilterBar)
        if self.close_details():
            return
        if self.marked:
            self.unmark()
        elif filtering.display:
            filtering.clear()
            self.query_one(RunList).focus()
        elif self._instrument or self._wanted.view is not View.ALL:
            self._instrument, self._wanted = "", replace(self._wanted, view=View.ALL)
            self._want()

    def _show_in_full(self) -> None:
        """Keep the instruments true in the dialog as well."""
        above = self.app.screen
        if isinstance(above, InstrumentsScreen):
            above.show(self.sight)

    def _want(self) -> None:
        ids = [one.id for one in self.lab.instruments]
        wanted = self._wanted.typed(self._typed, ids)
        self.bridge.want(wanted if wanted.equipment_id else replace(wanted, equipment_id=self._instrument))

    def _chase(self) -> None:
        """Go to a run that is being sent, unless the cursor is on one."""
        flights, row = self.live.flights, self.selected
        if flights and not (row is not None and row.job is not None and row.job.id in flights):
            first = next(iter(flights.values()))
            self.run_worker(self.bridge.seek(first.run_path), group="reading")

    def _marks_changed(self) -> None:
        self.show_keys()
        self._say_numbers()

    def _say_numbers(self) -> None:
        listing, wanted = self._listing, self._listing.wanted
        parts = ["following"] if self._follows else []
        parts += [count(len(self.marked), "run") + " marked"] if self.marked else []
        if wanted.equipment_id:
            parts.append(safe_text(wanted.equipment_id))
        if wanted.words or wanted.text:
            more = "+" if listing.is_open else ""
            parts.append(f"{listing.total:,}{more} of {count(self.scene.tally().total, 'run')}")
        if wanted.sort is not Sort.ATTENTION:
            parts.append(wanted.sort.value)
        self.query_one(ViewBar).show(self.scene, wanted, ", ".join(parts))

    def _say_nothing(self) -> None:
        empty = not self._listing.total
        nothing = self.query_one("#nothing", Static)
        nothing.display = empty
        self.query_one(RunList).set_class(empty, "-empty")
        if empty:
            nothing.update(self._why_empty())

    def _why_empty(self) -> str:
        wanted = self._listing.wanted
        if wanted.words or wanted.text:
            return "No run fits the filter. Esc takes it away."
        if not wanted.is_everything:
            whose = f" of {safe_text(wanted.equipment_id)}" if wanted.equipment_id else ""
            return f"{_NONE[wanted.view].format(whose=whose)} Press 1 for all runs."
        if not self.lab.instruments:
            return "No instrument is configured yet: press A to add the first one."
        widest = max(len(one.id) for one in self.lab.instruments)
        lines = [f"{safe_text(one.id):<{widest}}  {safe_text(one.folder)}" for one in self.lab.instruments]
        return "No runs yet. A finished run in one of these folders appears here by itself:\n\n" + "\n".join(lines)


_NONE = {
    View.ALL: "There is no run{whose} yet.",
    View.NEEDS: "No run{whose} needs you.",
    View.MOVING: "No run{whose} is on its way or queued.",
    View.WRITING: "No run{whose} is being written or held.",
    View.SAFE: "No run{whose} is safe yet.",
}
