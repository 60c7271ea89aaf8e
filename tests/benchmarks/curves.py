"""How does a cost grow? A curve of measured points, its growth in one number, and a plot made of characters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELLS = 40
_LEFT = 10


@dataclass(frozen=True, slots=True)
class Curve:
    """``values`` in *unit*, one for each of ``sizes``, which count *things*."""

    name: str
    unit: str
    things: str
    sizes: Sequence[int]
    values: Sequence[float] = field(default_factory=list)

    @property
    def exponent(self) -> float | None:
        """The slope in doubly logarithmic scale: 0 is flat, 1 is proportional. ``None`` if there are not two points."""
        points = [
            (math.log(size), math.log(value)) for size, value in zip(self.sizes, self.values, strict=True) if value
        ]
        if len(points) < 2:  # a slope has two ends
            return None
        middle_x = sum(x for x, _ in points) / len(points)
        middle_y = sum(y for _, y in points) / len(points)
        spread = sum((x - middle_x) ** 2 for x, _ in points)
        return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else None

    def plot(self) -> str:
        """The curve as text: a bar for each size, the longest value filling the line."""
        exponent = self.exponent
        growth = "" if exponent is None else f"; grows with the power {exponent:.2f} of the {self.things}"
        most = max(self.values, default=0.0) or 1.0
        bars = [
            f"  {size:>{_LEFT},}  {'█' * max(round(value / most * _CELLS), 1):<{_CELLS}}  {value:,.4g}"
            for size, value in zip(self.sizes, self.values, strict=True)
        ]
        return "\n".join([f"{self.name}, {self.unit}{growth}", *bars])


def as_json(curves: Sequence[Curve]) -> list[dict[str, object]]:
    """The same for a program."""
    return [
        {
            "name": curve.name,
            "unit": curve.unit,
            "things": curve.things,
            "points": [list(point) for point in zip(curve.sizes, curve.values, strict=True)],
            "exponent": curve.exponent,
        }
        for curve in curves
    ]
