"""Which folder, when is a run finished, and where is the NAS? Each answer is tried off the loop while it is typed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, RadioSet, Static

from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.headless.words import BAD, GOOD, NOTE, Look
from exlab_sync_tui.operate import first_run
from exlab_sync_tui.operate.first_run import MANIFEST, QUIESCENCE, SENTINEL, Answers, Tried
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.widgets.instruments import COLOURS
from exlab_sync_tui.tui.widgets.lines import WholeCells
from exlab_sync_tui.tui.widgets.toggles import Choice, Tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path, PurePath

    from textual.app import ComposeResult

    from exlab_sync_tui.model.clock import Clock

_PAUSE = 0.3
"""Seconds without a key before an answer is tried."""
_SIGNALS = (SENTINEL, MANIFEST, QUIESCENCE)


@dataclass(frozen=True, slots=True)
class Paper:
    """Where it is written: the configuration, anew or with one instrument more, and the store whose id the NAS gets."""

    config: Path
    store_path: Path
    adding: bool = False


class FirstRunScreen(ModalScreen[bool]):
    """One page; the last button writes the file. It ends with ``True`` once it is written."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["form.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Not now"),
        Binding("ctrl+s", "write", "Write it"),
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Previous", show=False),
    ]

    def __init__(self, paper: Paper, look: Look, clock: Clock) -> None:
        super().__init__()
        self._paper = paper
        self._look = look
        self._clock = clock
        self._named = False

    def compose(self) -> ComposeResult:
        place = safe_text(self._paper.config)
        title, says, write = (
            (
                "One more instrument",
                f"Adds it to {place}, where everything else stays, and keeps a copy of the file as it is now.",
                "Add it  ctrl+s",
            )
            if self._paper.adding
            else (
                "Your first instrument",
                f"Writes {place}. Nothing of yours is changed, nothing is sent yet.",
                "Write it and begin  ctrl+s",
            )
        )
        yield Static(Content.assemble(("exlab-sync", "bold $primary"), f"  {title}"), id="form-title")
        with VerticalScroll(id="form", can_focus=False):
            yield Static(
                "Three questions; every answer is tried at once, and nothing is written before the end.", markup=False
            )
            yield Static("1  Which folder does the instrument write into?", markup=False, classes="question")
            yield Input(placeholder="/data/plates", compact=True, id="folder")
            yield Static("", markup=False, id="tried-folder", classes="tried")
            with RadioSet(id="layout", compact=True):
                yield Choice("Every folder in it is a run", value=True)
                yield Choice("ExLab-Wizard's folders: project / Runs / Run_…")
            yield Input(placeholder="Name of the instrument, such as READER_01", compact=True, id="id")
            yield Static("2  When is a run finished?", markup=False, classes="question")
            with RadioSet(id="signal", compact=True):
                yield Choice("When the instrument has written a certain file last")
                yield Choice("When every file of a JSON list is there")
                yield Choice("When nothing has changed for ten minutes", value=True)
            yield Input(placeholder="Name of that file", compact=True, id="filename")
            yield Static("", markup=False, id="tried-signal", classes="tried")
            yield Static("3  Where is the NAS?", markup=False, classes="question")
            yield Input(placeholder="/mnt/nas/lab", compact=True, id="nas")
            yield Static("", markup=False, id="tried-nas", classes="tried")
            yield Tick("A folder of this PC is meant, not a share", compact=True, id="local")
            yield Static(says, markup=False, id="says")
            with Horizontal(id="form-buttons"):
                yield Button(write, id="write", compact=True)
                yield Button("Not now  esc", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#form", VerticalScroll).vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # per instance
        self.query_one("#folder").focus()
        self._try_all()

    @property
    def answers(self) -> Answers:
        """What stands there now."""
        texts = {name: self.query_one(f"#{name}", Input).value for name in ("folder", "id", "filename", "nas")}
        return Answers(
            folder=texts["folder"],
            plain=self.query_one("#layout", RadioSet).pressed_index != 1,
            id=texts["id"],
            signal=_SIGNALS[max(self.query_one("#signal", RadioSet).pressed_index, 0)],
            filename=texts["filename"],
            nas=texts["nas"],
            local=self.query_one("#local", Checkbox).value,
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "id":
            self._named = self._named or event.value != first_run.id_for(self.answers.folder)
        elif event.input.id == "folder" and not self._named:
            self.query_one("#id", Input).value = first_run.id_for(event.value)
        self._try_all()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        event.stop()
        self._try_all()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._try_all()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "write":
            self.action_write()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """End without writing anything."""
        self.dismiss(False)

    def action_write(self) -> None:
        """Write the file, if the answers hold."""
        self.run_worker(self._write(), group="write", exclusive=True)

    def _try_all(self) -> None:
        file = self.query_one("#filename")
        file.display = self.answers.signal != QUIESCENCE
        for name, trying in (
            ("folder", first_run.try_folder),
            ("signal", first_run.try_signal),
            ("nas", first_run.try_nas),
        ):
            work: Callable[[], Awaitable[None]] = partial(self._try, name, trying)
            self.run_worker(work, group=name, exclusive=True)  # a coroutine that never began would be complained of

    async def _try(self, name: str, trying: Callable[[Answers], Awaitable[Tried]]) -> None:
        await asyncio.sleep(_PAUSE)
        self._show(name, await trying(self.answers))

    def _show(self, name: str, tried: Tried) -> None:
        mood = NOTE if tried.ok is None else GOOD if tried.ok else BAD
        sign = f"{self._look.glyph(mood)} "
        self.query_one(f"#tried-{name}", Static).update(
            Content.assemble((sign, COLOURS[mood]), (tried.sentence, COLOURS[mood]))
        )

    async def _write(self) -> None:
        answers, says = self.answers, self.query_one("#says", Static)
        wrong = first_run.objection(answers)
        if wrong:
            says.update(Content.styled(f"{self._look.glyph(BAD)} {wrong}", "bold $error"))
            return
        for name, trying in (("folder", first_run.try_folder), ("nas", first_run.try_nas)):
            tried = await trying(answers)
            self._show(name, tried)
            if not tried.ok:
                says.update(Content.styled(f"{self._look.glyph(BAD)} {tried.sentence}", "bold $error"))
                return
        try:
            await self._put_down(answers)
        except ExlabSyncError as error:
            says.update(Content.styled(f"{self._look.glyph(BAD)} {safe_text(error)}", "bold $error"))
            return
        self.dismiss(True)

    async def _put_down(self, answers: Answers) -> None:
        paper = self._paper
        if paper.adding:
            await first_run.add(answers, paper.config, paper.store_path, self._clock.now())
        else:
            await first_run.write(answers, paper.config, paper.store_path)
