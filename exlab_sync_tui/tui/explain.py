"""What is this that has the keys? A few sentences and the keys that matter there, for F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from exlab_sync_tui.tui.commands import BY_ID
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.screens.help import keys_of, signs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exlab_sync_tui.headless.words import Look

_LIST = (
    "The list of runs",
    (
        "Every run that was ever seen, what needs you first. The line on top answers whether the data is safe; each"
        " line here says what happens next with one run. Orders go to the run under the cursor, or to all marked ones."
    ),
    (
        "run.retry",
        "run.verify",
        "run.override",
        "run.enqueue",
        "list.mark",
        "list.filter",
        "list.needs",
        "list.sort",
        "list.follow",
        "list.goto",
        "run.details",
        "instrument.show",
    ),
)
_TABS = {
    Tab.STORY: (
        "Story",
        "Why the run is or is not safe, what happens next, and every step and every order so far, the newest first.",
        ("details.next", "details.zoom", "run.copy_path", "run.command_line", "view.back"),
    ),
    Tab.FILES: (
        "Files",
        (
            "Every file of the run. proved: the SHA-256 of both sides is known and equal. sent: the far side is still"
            " to be compared. differs: it is sent once more, then the run fails. to send: its turn comes."
        ),
        ("details.unproven", "details.next", "details.zoom", "view.back"),
    ),
    Tab.FINDINGS: (
        "Findings",
        (
            "What the gate has against names and contents, asked just now. Repair it in the folder, and the run is"
            " taken by itself; or let a rule pass in this run, by name and with a reason that stays in the record."
        ),
        ("run.override", "run.revoke", "details.next", "view.back"),
    ),
    Tab.LOG: (
        "Log",
        "The last lines of the logs in the run's own folder, those of ExLab-Wizard too. Nothing here is judged.",
        ("details.next", "details.zoom", "view.back"),
    ),
}
_EVENTS = (
    "What happened",
    "Everything that happened since this console was opened, the newest below. Scroll back, and it stays there.",
    ("view.log", "view.back"),
)


def explained(place: Tab | str, look: Look, keymap: Mapping[str, str]) -> Group:
    """*place* is a tab of the details, ``runs`` or ``log``."""
    title, sentence, ids = _TABS[place] if isinstance(place, Tab) else _EVENTS if place == "log" else _LIST
    keys = keys_of([BY_ID[one] for one in ids], keymap)
    return Group(Text(title, "bold"), Text(), Text(sentence), Text(), keys, Text(), signs(look))
