"""Which runs does somebody want to see, and in which order?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.glance import SAFE_STATES

if TYPE_CHECKING:
    from collections.abc import Collection

    from exlab_sync_tui.model.hold import Hold


class View(StrEnum):
    """Which part of the runs; the value is what a command says."""

    ALL = "all"
    NEEDS = "needs"
    MOVING = "moving"
    WRITING = "writing"
    SAFE = "safe"


class Sort(StrEnum):
    """The value is what the heading says."""

    ATTENTION = "what needs you first"
    NEWEST = "newest first"
    OLDEST = "oldest first"
    LARGEST = "largest first"
    NAME = "by folder"

    @property
    def following(self) -> Sort:
        """The next one; after the last the first."""
        every = list(Sort)
        return every[(every.index(self) + 1) % len(every)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the filter lets through; empty fields do not restrict. ``words`` are states and kinds of holds."""

    words: frozenset[str] = frozenset()
    equipment_id: str = ""
    text: str = ""
    view: View = View.ALL
    sort: Sort = Sort.ATTENTION

    def typed(self, typed: str, equipment_ids: Collection[str]) -> Wanted:
        """The same with what was typed: instruments and states by name, everything else is part of the run's path."""
        words: set[str] = set()
        equipment, rest = "", []
        instruments = {name.casefold(): name for name in equipment_ids}
        for part in typed.split():
            plain = part.casefold()
            if plain in instruments:
                equipment = instruments[plain]
            elif plain in _WORDS:
                words |= _WORDS[plain]
            else:
                rest.append(part)
        return replace(self, words=frozenset(words), equipment_id=equipment, text=" ".join(rest))

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.words or self.equipment_id or self.text) and self.view is View.ALL

    def admits(self, hold: Hold) -> bool:
        """Whether a run without a job is listed."""
        return (
            (not self.words or hold.kind.value in self.words)
            and self.equipment_id in {"", hold.equipment_id}
            and self.text.casefold() in hold.key.casefold()
        )


_SAFE_WORDS = frozenset(state.value for state in SAFE_STATES)
_WORDS: dict[str, frozenset[str]] = {
    "failed": frozenset({"failed"}),
    "queued": frozenset({"queued"}),
    "sending": frozenset({"running"}),
    "running": frozenset({"running"}),
    "checking": frozenset({"awaiting_verify"}),
    "safe": _SAFE_WORDS,
    "verified": _SAFE_WORDS,
    "cleaned": frozenset({"cleaned"}),
    "blocked": frozenset({"blocked"}),
    "acquiring": frozenset({"acquiring"}),
}
