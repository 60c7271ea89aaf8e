"""With which word and glyph is a state or an event shown? Never by colour alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.job import SyncJobState

if TYPE_CHECKING:
    from collections.abc import Mapping

GOOD, BAD, WAIT, MOVE, NOTE = "good", "bad", "wait", "move", "note"

_GLYPHS = {GOOD: "✓", BAD: "✗", WAIT: "◦", MOVE: "→", NOTE: "·"}
_ASCII = {GOOD: "+", BAD: "x", WAIT: "o", MOVE: ">", NOTE: "-"}
_COLOURS = {GOOD: "green", BAD: "red", WAIT: "yellow", MOVE: "cyan", NOTE: None}

OF_EVENT: Mapping[EventKind, tuple[str, str]] = {
    EventKind.ENGINE_STARTED: (NOTE, "started"),
    EventKind.ENGINE_STOPPED: (NOTE, "stopped"),
    EventKind.RUN_DISCOVERED: (NOTE, "found"),
    EventKind.RUN_QUEUED: (NOTE, "queued"),
    EventKind.RUN_STARTED: (MOVE, "sending"),
    EventKind.RUN_SENT: (MOVE, "checking"),
    EventKind.RUN_VERIFIED: (GOOD, "verified"),
    EventKind.RUN_RETRY: (WAIT, "again"),
    EventKind.RUN_FAILED: (BAD, "failed"),
    EventKind.RUN_CLEANED: (GOOD, "cleaned"),
    EventKind.HOLD_SET: (WAIT, "waits"),
    EventKind.HOLD_CLEARED: (NOTE, "free"),
    EventKind.FILE_MISMATCH: (BAD, "mismatch"),
    EventKind.OPERATOR: (NOTE, "operator"),
    EventKind.WARNING: (WAIT, "warning"),
}
_OF_STATE = {
    SyncJobState.VERIFIED.value: GOOD,
    SyncJobState.CLEANUP_ELIGIBLE.value: GOOD,
    SyncJobState.CLEANED.value: GOOD,
    SyncJobState.RUNNING.value: MOVE,
    SyncJobState.AWAITING_VERIFY.value: MOVE,
    SyncJobState.QUEUED.value: NOTE,
    SyncJobState.FAILED.value: BAD,
    "blocked": BAD,
    "damaged": BAD,
}


def mood_of(word: str) -> str:
    """The mood of a state or of a hold's kind; a hold that is not named here waits."""
    return _OF_STATE.get(word, WAIT)


def spoken(word: str) -> str:
    """A state's or hold's value as a person says it."""
    return word.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Look:
    """What a stream can show. ``unicode``: glyphs beyond ASCII. ``colour``: it is a terminal and colour is wanted."""

    unicode: bool = True
    colour: bool = False

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str] = os.environ) -> Look:
        """As *stream* is: its encoding, whether it is a terminal, and ``NO_COLOR`` (no-color.org)."""
        colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        return cls(_can_encode(stream, "".join(_GLYPHS.values()) + "…"), colour)

    def glyph(self, mood: str) -> str:
        """The glyph of a mood."""
        return (_GLYPHS if self.unicode else _ASCII)[mood]

    def colour_of(self, mood: str) -> str | None:
        """The colour's name of a mood; ``None`` for no colour."""
        return _COLOURS[mood] if self.colour else None

    @property
    def ellipsis(self) -> str:
        """What stands for text that was cut."""
        return "…" if self.unicode else "..."


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
