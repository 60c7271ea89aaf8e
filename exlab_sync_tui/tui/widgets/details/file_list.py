"""Which files has the selected run, and how is each?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.message import Message

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.tui.files import FileList
from exlab_sync_tui.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from rich.style import Style
    from textual.strip import Strip

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.model.entry import FileRecord

_WORD, _SIZE = 10, 9
_EMPTY = "No file of this run is known yet: its folder is recorded when its transfer begins."
_PROVED = "Every file is proved. Press u for the whole list."


class FileRows(Lines):
    """The rows of the files that are visible; a million cost what a screen does."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*(f"files--{mood}" for mood in (GOOD, BAD, MOVE, NOTE)), "files--rest"}

    class Visible(Message):
        """Other rows are visible now."""

        def __init__(self, first: int, last: int, *, unproven_only: bool) -> None:
            super().__init__()
            self.first = first
            self.last = last
            self.unproven_only = unproven_only

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="file-rows")
        self._files = FileList()
        self._run_path = ""
        self._is_read = False
        self.unproven_only = False

    def show(self, run_path: str, files: FileList) -> None:
        """Show these."""
        if run_path != self._run_path:
            self._run_path = run_path
            self.scroll_home(animate=False)
        self._files, self._is_read = files, True
        self.resize_to(files.total)
        self.refresh()

    def forget(self, run_path: str) -> None:
        """Another run, whose files have not been read yet."""
        if run_path != self._run_path:
            self.show(run_path, FileList(unproven_only=self.unproven_only))
            self._is_read = False

    def only_unproven(self) -> None:
        """List what is not proved yet, or everything again."""
        self.unproven_only = not self.unproven_only
        self.scroll_home(animate=False)
        self._say_what_is_visible()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._say_what_is_visible()

    def on_resize(self) -> None:
        self._say_what_is_visible()

    def _say_what_is_visible(self) -> None:
        top = self.scroll_offset.y
        self.post_message(self.Visible(top, top + self.size.height, unproven_only=self.unproven_only))

    def render_line(self, y: int) -> Strip:
        index, width, base = self.scroll_offset.y + y, self.across, self.rich_style
        if index >= self._files.total:
            empty = _PROVED if self._files.unproven_only and self._files.totals.files else _EMPTY
            text = empty if y == 0 and self._is_read and not self._files.total else ""
            return self.strip([(self.fit(text, width), base + self._style("rest"))], width, base)
        record = self._files.row(index)
        if record is None:
            return self.strip([(self.look.ellipsis, base + self._style(NOTE))], width, base)
        mood, word = state_of(record)
        sign = f"{self.look.glyph(mood)} {self.fit(word, _WORD)}"
        parts: list[tuple[str, Style]] = [
            (sign, base + self._style(mood)),
            (f"{size(record.size):>{_SIZE}}  ", base + self._style("rest")),
            (self.fit(safe_text(record.rel), width - len(sign) - _SIZE - 2), base),
        ]
        return self.strip(parts, width, base)

    def _style(self, name: str) -> Style:
        return self.part(f"files--{name}")


def state_of(record: FileRecord) -> tuple[str, str]:
    """The mood and the word of one file."""
    if record.proven:
        return GOOD, "proved"
    if record.sha256 is None:
        return NOTE, "to send"
    if record.far_sha256 is None:
        return MOVE, "sent"
    return BAD, "differs"
