"""Which keys help right now? Those that fit the selected run first, then the ones that always do; a click works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import SAFE_STATES
from exlab_sync_tui.tui.commands import BY_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual import events

    from exlab_sync_tui.tui.listing import Row

_ALWAYS = ("run.details", "list.filter", "instrument.pause", "view.help", "console.quit")
_DETAILED = ("view.back", "details.next", "details.zoom")
_NEVER_LEFT_OUT = ("view.help", "console.quit")
_MORE = ("list.sort", "list.mark", "run.command_line", "view.commands")


class KeyBar(Static):
    """The bottom line."""

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(markup=False, id="key-bar")
        self._keymap = keymap
        self._ids: tuple[str, ...] = _ALWAYS
        self._ranges: list[tuple[int, int, str]] = []

    def show(self, row: Row | None, marked: int, *, detailed: bool) -> None:
        """Show what fits this run, or the marked ones; *detailed*: somebody looks into it."""
        now = (*fitting(row, marked), *(_DETAILED if detailed else ()))
        ids = tuple(dict.fromkeys((*now, *_ALWAYS, *_MORE)))
        if ids != self._ids:
            self._ids = ids
            self.refresh()

    def render(self) -> Content:
        parts: list[Content | str] = [" "]
        self._ranges, column = [], 1
        lengths = {one: len(BY_ID[one].first_key(self._keymap)) + len(BY_ID[one].name) + 3 for one in self._ids}
        reserved = sum(lengths[one] for one in _NEVER_LEFT_OUT)
        for one in self._ids:
            command, length = BY_ID[one], lengths[one]
            key = command.first_key(self._keymap)
            if one in _NEVER_LEFT_OUT:
                reserved -= length
            elif column + length + reserved > self.size.width + 1:
                continue
            parts += [Content.styled(key, "bold $primary"), f" {command.name}  "]
            self._ranges.append((column, column + length - 2, command.action))
            column += length
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        for first, last, action in self._ranges:
            if first <= event.x < last:
                await self.app.run_action(action)


def fitting(row: Row | None, marked: int) -> tuple[str, ...]:
    """The orders that make sense for a run, the most helpful one first."""
    if marked:
        return ("run.retry", "run.verify", "list.mark_all", "view.back")
    if row is None:
        return ()
    kind = row.hold.kind if row.hold is not None else None
    state = row.job.state if row.job is not None else None
    if kind in {HoldKind.CONFLICT, HoldKind.DAMAGED}:
        return ("run.resolve", "run.retry")
    if kind is HoldKind.BLOCKED:
        return ("run.override", "run.details")
    if state is SyncJobState.FAILED:
        is_conflict = (row.job.last_error or "").startswith("conflict") if row.job is not None else False
        return ("run.resolve", "run.retry") if is_conflict else ("run.retry",)
    if state is None:
        return ("run.enqueue",) if kind in {HoldKind.ACQUIRING, HoldKind.LOCKED} else ()
    if state in SAFE_STATES:
        return ("run.verify", "run.cleanup", "run.keep_local")
    return ()
