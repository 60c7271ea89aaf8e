"""What becomes of a local copy or of a conflict? The dialogs that show the consequence before it is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from exlab_sync_tui.headless.words import GOOD, WAIT, Look
from exlab_sync_tui.text import count, safe_text, size
from exlab_sync_tui.tui.moments import when
from exlab_sync_tui.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from textual.widget import Widget

    from exlab_sync_tui.engine.cockpit.wishes import Foreseen

_WAYS = (
    (
        "adopt",
        "Take what lies there, if it is identical",
        "Every byte is compared first. If it is the same run, it gets its papers; else nothing is changed.",
    ),
    (
        "beside",
        "Publish beside it",
        "The run is sent again as <run>__conflict-<8 chars>. What is there stays as it is.",
    ),
    (
        "repair",
        "Send damaged files again",
        "Damaged far files are moved aside, never overwritten, and sent again if they are good on this PC.",
    ),
)


class CleanupScreen(Dialog[bool]):
    """``True`` if the local copies that may go shall go now."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "yes", "Delete"), Binding("n", "cancel", "No")]

    def __init__(self, sentence: str, runs: Sequence[Foreseen], more: int, look: Look, now: datetime) -> None:
        self._goes = [run for run in runs if run.would_go]
        super().__init__("Local copies: what would go, and what stays")
        self._sentence = sentence
        self._runs = sorted(runs, key=lambda run: not run.would_go)
        self._more = more
        self._look = look
        self._now = now
        self.set_class(bool(self._goes), "danger-dialog")

    def content(self) -> Iterable[Widget]:
        """The answer, and a line for each run."""
        yield Static(safe_text(self._sentence), markup=False, classes="consequence")
        options = OptionList(*[Option(self._line(run)) for run in self._runs], markup=False, compact=True)
        options.display = bool(self._runs)
        yield options
        if self._more:
            yield Static(f"and {self._more:,} more", markup=False, classes="hint")
        if self._goes:
            amount = size(sum(run.size for run in self._goes))
            yield Static(
                f"Deleting frees {amount} on this PC. Each run is proved once more first, file by file; the copies on"
                " the NAS stay. It cannot be taken back.",
                markup=False,
                classes="consequence",
            )

    def buttons(self) -> Iterable[Widget]:
        """Leave them, or delete them."""
        yield Button("Close  esc", id="cancel", compact=True)
        if self._goes:
            copies = count(len(self._goes), "local copy", "local copies")
            yield Button(f"Delete {copies}  y", id="yes", compact=True, classes="danger")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#cancel").focus()

    def chosen(self, button: str) -> None:
        """Delete them."""
        self.dismiss(button == "yes")

    def action_yes(self) -> None:
        """Delete them, if there is something that may go."""
        if self._goes:
            self.dismiss(True)

    def _line(self, run: Foreseen) -> Content:
        mood, word = (GOOD, "goes ") if run.would_go else (WAIT, "stays")
        name = safe_text(run.run_path.rpartition("/")[2])
        until = f" (until {when(run.until, self._now)})" if run.until is not None else ""
        why = "" if run.would_go else f"\n         {safe_text(run.sentence)}{until}"
        return Content.assemble(
            (f"{self._look.glyph(mood)} {word}  ", "bold"),
            f"{name}  ",
            (size(run.size), "$secondary"),
            (why, "$secondary"),
        )


class ResolveScreen(Dialog[str]):
    """One of ``wishes.WAYS``."""

    def __init__(self, run_name: str, problem: str) -> None:
        super().__init__(f"Decide about {run_name}")
        self._problem = safe_text(problem)

    def content(self) -> Iterable[Widget]:
        """What is wrong, and the ways out."""
        yield Static(self._problem, markup=False, classes="consequence")
        options = [
            Option(Content.assemble((f"{title}\n", "bold"), (f"  {consequence}", "$secondary")), id=way)
            for way, title, consequence in _WAYS
        ]
        chosen = OptionList(*options, markup=False, compact=True)
        chosen.highlighted = 0
        yield chosen

    def buttons(self) -> Iterable[Widget]:
        """Do it, or not."""
        yield Button("Do this  enter", id="yes", compact=True, classes="danger")
        yield Button("Close  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(OptionList).focus()

    def chosen(self, button: str) -> None:  # noqa: ARG002  # there is only one
        """It is decided."""
        self.dismiss(_WAYS[self.query_one(OptionList).highlighted or 0][0])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.chosen("yes")


class ReasonScreen(Dialog[str]):
    """A reason, which stays in the record; never empty. *consequence* must be safe to show."""

    def __init__(self, title: str, consequence: str, yes: str) -> None:
        super().__init__(title)
        self._consequence = consequence
        self._yes = yes
        self.add_class("danger-dialog")

    def content(self) -> Iterable[Widget]:
        """The consequence and the reason."""
        yield Static(self._consequence, markup=False, classes="consequence")
        yield Static("Why (it stays in the record for good)", markup=False, classes="label")
        yield Input(compact=True, id="reason")
        yield Static("", markup=False, id="objection", classes="objection")

    def buttons(self) -> Iterable[Widget]:
        """Do it, or not."""
        yield Button(self._yes, id="yes", compact=True, classes="danger")
        yield Button("Close  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#objection").display = False
        self.query_one("#reason").focus()

    def chosen(self, button: str) -> None:  # noqa: ARG002  # there is only one
        """Take the reason, if there is one."""
        reason = self.query_one("#reason", Input).value.strip()
        if reason:
            self.dismiss(reason)
            return
        line = self.query_one("#objection", Static)
        line.update("Say why; without a reason nothing is done.")
        line.display = True
        self.query_one("#reason").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.chosen("yes")
