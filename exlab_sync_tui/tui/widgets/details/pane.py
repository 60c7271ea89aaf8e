"""What is known of the selected run? Its name on top, and a tab for its story, files, findings and log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static, TabbedContent, TabPane

from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.widgets.details.file_list import FileRows
from exlab_sync_tui.tui.widgets.details.findings import FindingsView
from exlab_sync_tui.tui.widgets.details.log import LogView
from exlab_sync_tui.tui.widgets.details.story import StoryView
from exlab_sync_tui.tui.widgets.instruments import COLOURS

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.operate.objections import Objections
    from exlab_sync_tui.tui.detail import Detail
    from exlab_sync_tui.tui.telling import Telling

_NAMES = {Tab.STORY: "Story", Tab.FILES: "Files", Tab.FINDINGS: "Findings", Tab.LOG: "Log"}


class DetailPane(Vertical):
    """Hidden until somebody opens it."""

    class TabShown(Message):
        """Another tab is looked at."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, look: Look) -> None:
        super().__init__(id="details")
        self.display = False
        self._look = look
        self._shown: Detail | None = None

    def compose(self) -> ComposeResult:
        yield Static(_NOBODY, markup=False, id="detail-title")
        with TabbedContent(initial=Tab.STORY, id="detail-tabs"):
            for tab, view in (
                (Tab.STORY, StoryView()),
                (Tab.FILES, FileRows(self._look)),
                (Tab.FINDINGS, FindingsView(self._look)),
                (Tab.LOG, LogView(self._look)),
            ):
                with TabPane(Content(_NAMES[tab]), id=tab):
                    yield view

    @property
    def tab(self) -> Tab:
        """Which one is open."""
        return Tab(self.query_one(TabbedContent).active or Tab.STORY)

    def turn(self, by: int) -> None:
        """Show the tab so many further."""
        every = list(Tab)
        self.query_one(TabbedContent).active = every[(every.index(self.tab) + by) % len(every)]

    def open(self, tab: Tab) -> None:
        """Show this tab."""
        self.query_one(TabbedContent).active = tab

    def tell(self, detail: Detail | None, told: Telling | None) -> None:
        """Show a run; ``None`` for none."""
        self._shown = detail
        self.query_one(StoryView).tell(detail)
        title = self.query_one("#detail-title", Static)
        if detail is None:
            title.update(_NOBODY)
            return
        place = f"  {detail.equipment_id}" + (f" / {detail.project}" if detail.project else "")
        sign = f"{self._look.glyph(told.mood)} {told.word}  " if told is not None else ""
        colour = COLOURS[told.mood] if told is not None else ""
        title.update(Content.assemble((sign, f"bold {colour}"), (detail.name, "bold"), (place, "$secondary")))
        self._rename(Tab.FILES, f"Files {detail.files:,}" if detail.files else "Files")

    def judge(self, objections: Objections) -> None:
        """Show what the gate says."""
        self.query_one(FindingsView).judge(objections)
        number = len(objections.findings)
        self._rename(Tab.FINDINGS, f"Findings {number:,}" if number else "Findings")

    def unjudged(self) -> None:
        """Another run, whose findings are not known."""
        self.query_one(FindingsView).wait()
        self._rename(Tab.FINDINGS, "Findings")

    def _rename(self, tab: Tab, text: str) -> None:
        label = self.query_one(TabbedContent).get_tab(tab)
        if label.label_text != text:
            label.label = Content(text)

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        event.stop()
        self.post_message(self.TabShown(self.tab))


_NOBODY = "No run is selected."
