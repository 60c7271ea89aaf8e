"""How wide is each column of the list of runs? Narrow terminals keep what an operator needs most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

MARK, GLYPH, WORD, GAP = 2, 2, 11, 2
_AMOUNT, _AGE = 9, 7
_PROOF = 26
_WITH_INSTRUMENT, _WITH_AMOUNT, _WITH_PROJECT, _WITH_PROOF = 70, 92, 132, 168
_DATED_NAME = 22
_LONGEST_NAME = 44


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells; a column of 0 is not shown."""

    name: int
    instrument: int
    project: int
    amount: int
    age: int
    proof: int
    story: int

    @classmethod
    @cache
    def of(cls, width: int, longest_id: int) -> Columns:
        """Share *width* out: the name gets what a dated name needs, the story the rest."""
        instrument = max(min(longest_id, 16), len("Instrument")) if width >= _WITH_INSTRUMENT else 0
        project = 14 if width >= _WITH_PROJECT else 0
        amount, age = (_AMOUNT, _AGE) if width >= _WITH_AMOUNT else (0, 0)
        proof = _PROOF if width >= _WITH_PROOF else 0
        fixed = (
            MARK + GLYPH + WORD + GAP + sum(each + GAP for each in (instrument, project, amount, age, proof) if each)
        )
        rest = max(width - fixed - GAP, 0)
        name = max(min(max(rest * 2 // 5, _DATED_NAME), rest // 2, _LONGEST_NAME), 0)
        return cls(name, instrument, project, amount, age, proof, max(rest - name, 0))

    def titles(self) -> str:
        """The names of the columns."""
        text = " " * (MARK + GLYPH) + "State".ljust(WORD + GAP) + "Run".ljust(self.name + GAP)
        for width, title in ((self.instrument, "Instrument"), (self.project, "Project")):
            text += title.ljust(width + GAP) if width else ""
        for width, title in ((self.amount, "Size"), (self.age, "Age")):
            text += title.rjust(width) + " " * GAP if width else ""
        text += "Proof".ljust(self.proof + GAP) if self.proof else ""
        return text + "What happens next"


ColumnsOf = Callable[[int], Columns]
