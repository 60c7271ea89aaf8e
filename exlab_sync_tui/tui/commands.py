"""What can an operator do? The one registry: keys, footer, help screen and command palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.binding import Binding

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be done. A keymap names its ``id``; ``keys`` and ``action`` are as Textual calls them.

    ``help`` is the sentence of the help screen, the palette and the footer's tooltip.
    """

    id: str
    keys: str
    shown_keys: str
    name: str
    help: str
    action: str
    in_footer: bool = True


COMMANDS = (
    Command(
        "run.retry",
        "r",
        "r",
        "Retry",
        "Queue the selected failed run again; a run that is already safe is proved once more.",
        "retry",
    ),
    Command("run.verify", "v", "v", "Verify", "Compare the selected run with its destination now.", "verify"),
    Command("instrument.pause", "p", "p", "Pause", "Pause the selected run's instrument, or resume it.", "pause"),
    Command("run.details", "enter", "enter", "Details", "Show or hide everything about the selected run.", "details"),
    Command("list.filter", "slash", "/", "Filter", "List only some runs: by name, instrument or state.", "filter"),
    Command("view.back", "escape", "esc", "Back", "Close the details, then the filter.", "step_back", in_footer=False),
    Command("view.help", "question_mark,f1", "?", "Help", "Show every key, and what the signs mean.", "help"),
    Command(
        "view.commands",
        "ctrl+p",
        "ctrl+p",
        "Commands",
        "Find a command by name, or choose another theme.",
        "command_palette",
        in_footer=False,
    ),
    Command("console.quit", "q", "q", "Quit", "Leave the console; nothing is lost.", "leave"),
)
"""Of the whole console, in the order of the footer."""

MOVES = (
    Command("list.up", "up,k", "up", "Up", "Select the run above.", "move(-1)", in_footer=False),
    Command("list.down", "down,j", "down", "Down", "Select the run below.", "move(1)", in_footer=False),
    Command("list.page_up", "pageup", "pgup", "Page up", "Go up a page.", "page(-1)", in_footer=False),
    Command("list.page_down", "pagedown", "pgdn", "Page down", "Go down a page.", "page(1)", in_footer=False),
    Command("list.first", "home,g", "home", "First", "Select the first run.", "first", in_footer=False),
    Command("list.last", "end,G", "end", "Last", "Select the last run.", "last", in_footer=False),
)
"""Of the list of runs."""


def bindings(commands: tuple[Command, ...]) -> list[Binding]:
    """The commands as Textual binds them; the id lets a keymap choose other keys."""
    return [
        Binding(
            one.keys,
            one.action,
            one.name,
            show=one.in_footer,
            key_display=one.shown_keys,
            tooltip=one.help,
            id=one.id,
        )
        for one in commands
    ]


def unknown_ids(keymap: Mapping[str, str]) -> list[str]:
    """Ids in a keymap that no command has."""
    return sorted(keymap.keys() - {one.id for one in (*COMMANDS, *MOVES)})
