"""What can an operator do? The one registry: keys, key bar, help screens and command palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from textual.binding import Binding

if TYPE_CHECKING:
    from collections.abc import Mapping


class Group(StrEnum):
    """Under which heading the help lists a command."""

    RUN = "The selected run, or the marked ones"
    DETAILS = "Details of a run"
    LIST = "The list of runs"
    INSTRUMENT = "Instruments"
    CONSOLE = "The console"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be done. ``console.keymap`` names its ``id``; ``keys`` and ``action`` are Textual's words.

    ``help`` is the sentence of the help screens, the palette and the tooltip.
    """

    id: str
    keys: str
    name: str
    help: str
    action: str
    group: Group

    def shown(self, keymap: Mapping[str, str] | None = None) -> str:
        """Its keys as a person reads them, after the keymap."""
        keys = (keymap or {}).get(self.id, self.keys)
        return " ".join(shown_key(key.strip()) for key in keys.split(",") if key.strip())

    def first_key(self, keymap: Mapping[str, str]) -> str:
        """The first of them."""
        return self.shown(keymap).partition(" ")[0]


_RUN, _DETAILS, _LIST, _INSTRUMENT, _CONSOLE = Group

COMMANDS = (
    Command("run.retry", "r", "Retry", "Queue a failed run again; prove a safe one once more.", "retry", _RUN),
    Command(
        "run.retry_all", "R", "Retry all failed", "Queue every failed run again. Asks first.", "retry_all_failed", _RUN
    ),
    Command(
        "run.verify", "v", "Verify", "Compare the run with its destination now; nothing is written.", "verify", _RUN
    ),
    Command(
        "run.enqueue",
        "e",
        "Queue now",
        "Queue a run although its instrument has not said that it is finished.",
        "enqueue",
        _RUN,
    ),
    Command(
        "run.enqueue_path", "E", "Queue a folder", "Queue the run in a folder that you type.", "enqueue_path", _RUN
    ),
    Command(
        "run.override",
        "o",
        "Let pass",
        "Let what the gate objects to pass in this run, by name and with a reason.",
        "override",
        _RUN,
    ),
    Command("run.revoke", "x", "Revoke", "Take an override of this run back.", "revoke", _RUN),
    Command("run.resolve", "c", "Resolve", "Decide about a conflict on the NAS, or about a damage.", "resolve", _RUN),
    Command(
        "run.keep_local", "l", "Keep local", "Keep the run's copy on this PC, or let it go again.", "keep_local", _RUN
    ),
    Command(
        "run.cleanup",
        "d",
        "Clean up",
        "Show whether the local copy may go, and delete it if you say so.",
        "cleanup",
        _RUN,
    ),
    Command(
        "run.cleanup_all",
        "D",
        "Clean up all",
        "Show which local copies may go, and delete them if you say so.",
        "cleanup_all",
        _RUN,
    ),
    Command("run.forget", "F", "Forget", "Drop a run that was deleted on purpose; asks for a reason.", "forget", _RUN),
    Command("run.copy_path", "y", "Copy path", "Copy the run's folder on this PC to the clipboard.", "copy_path", _RUN),
    Command("run.copy_far", "Y", "Copy NAS path", "Copy the run's place on the NAS.", "copy_far_path", _RUN),
    Command(
        "run.command_line",
        "dollar_sign",
        "Command line",
        "Show what one would type to do the same in a shell.",
        "command_line",
        _RUN,
    ),
    Command("run.details", "enter", "Details", "Show or hide everything about the selected run.", "details", _DETAILS),
    Command("details.next", "right_square_bracket", "Next tab", "Show the next tab.", "tab(1)", _DETAILS),
    Command("details.previous", "left_square_bracket", "Previous tab", "Show the tab before.", "tab(-1)", _DETAILS),
    Command("details.zoom", "z", "Zoom", "Give the details the whole screen, or take it back.", "zoom", _DETAILS),
    Command(
        "details.unproven",
        "u",
        "Unproven files",
        "In Files: list only what is not proved yet, or everything.",
        "unproven",
        _DETAILS,
    ),
    Command("list.filter", "slash", "Filter", "List only some runs: by name, instrument or state.", "filter", _LIST),
    Command("list.sort", "s", "Sort", "List in another order.", "sort", _LIST),
    Command(
        "list.instrument",
        "i",
        "Instrument",
        "List the runs of the next instrument alone, then of all.",
        "next_instrument",
        _LIST,
    ),
    Command("list.all", "1", "All", "List every run.", "view('all')", _LIST),
    Command("list.needs", "2", "Needs you", "List what waits for a person.", "view('needs')", _LIST),
    Command("list.moving", "3", "On the way", "List what is sent, compared or queued.", "view('moving')", _LIST),
    Command(
        "list.writing", "4", "Not finished", "List what is still being written, or held.", "view('writing')", _LIST
    ),
    Command("list.safe", "5", "Safe", "List what is proved on the NAS.", "view('safe')", _LIST),
    Command(
        "list.mark", "space", "Mark", "Mark the run, or unmark it; orders then go to all marked runs.", "mark", _LIST
    ),
    Command("list.mark_all", "a", "Mark all", "Mark every run that is listed, or none.", "mark_all", _LIST),
    Command("list.follow", "f", "Follow", "Keep the cursor on the run that is being sent.", "follow", _LIST),
    Command(
        "list.goto",
        "colon,ctrl+g",
        "Go to",
        "Go to a run by its number in the list, or by a part of its name.",
        "go_to",
        _LIST,
    ),
    Command(
        "instrument.pause", "p", "Pause", "Pause the selected run's instrument, or resume it.", "pause", _INSTRUMENT
    ),
    Command(
        "instrument.show",
        "I",
        "Instruments",
        "Show each in full: rate, what is left, limit, room on both disks.",
        "instruments",
        _INSTRUMENT,
    ),
    Command(
        "instrument.add", "A", "Add", "Add an instrument: three questions, tried while you answer.", "add", _INSTRUMENT
    ),
    Command("instrument.rescan", "n", "Look now", "Look at all instruments' folders at once.", "rescan", _INSTRUMENT),
    Command("view.log", "w", "What happened", "Show or hide the events.", "log", _CONSOLE),
    Command("view.theme", "T", "Theme", "Choose other colours.", "change_theme", _CONSOLE),
    Command("view.help", "question_mark", "Help", "Show every key, and what the signs mean.", "help", _CONSOLE),
    Command("view.hint", "f1", "What is this?", "Explain what has the keys right now.", "explain", _CONSOLE),
    Command("view.commands", "ctrl+p", "Commands", "Find a command by name.", "command_palette", _CONSOLE),
    Command(
        "view.back", "escape", "Back", "Close what is open: details, marks, then the filter.", "step_back", _CONSOLE
    ),
    Command("console.quit", "q", "Quit", "Leave the console; nothing is lost.", "leave", _CONSOLE),
)
"""Of the whole console."""

MOVES = (
    Command("list.up", "up,k", "Up", "Select the run above.", "move(-1)", _LIST),
    Command("list.down", "down,j", "Down", "Select the run below.", "move(1)", _LIST),
    Command("list.page_up", "pageup", "Page up", "Go up a page.", "page(-1)", _LIST),
    Command("list.page_down", "pagedown", "Page down", "Go down a page.", "page(1)", _LIST),
    Command("list.first", "home,g", "First", "Select the first run.", "first", _LIST),
    Command("list.last", "end,G", "Last", "Select the last run.", "last", _LIST),
)
"""Of the list of runs, and of every other list."""

BY_ID = {one.id: one for one in (*COMMANDS, *MOVES)}


def bindings(commands: tuple[Command, ...]) -> list[Binding]:
    """The commands as Textual binds them; the id lets a keymap choose other keys."""
    return [
        Binding(one.keys, one.action, one.name, show=False, key_display=one.shown(), tooltip=one.help, id=one.id)
        for one in commands
    ]


def unknown_ids(keymap: Mapping[str, str]) -> list[str]:
    """Ids in a keymap that no command has."""
    return sorted(keymap.keys() - BY_ID.keys())


def shown_key(key: str) -> str:
    """A key as it is written on the keyboard."""
    return _SHOWN.get(key, key)


_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "dollar_sign": "$",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "f1": "F1",
}
