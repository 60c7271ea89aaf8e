"""What is wrong with the configuration, and where is it written?"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

KeyPath = tuple[str | int, ...]
"""The way to a value from the top of the configuration: ``("equipment", 0, "label")``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. ``file`` is the file, the environment variable or ``flag``; ``line`` counts from 1.

    ``key`` reads like ``equipment[0].transport.bandwidth.schedule[0].from``; ``nearest`` is the known key that was
    probably meant, or empty. No field ever holds a configured secret.
    """

    file: str
    line: int | None
    key: str
    message: str
    nearest: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        start = ": ".join(safe_text(part) for part in (place, self.key) if part)
        meant = f'; did you mean "{safe_text(self.nearest)}"?' if self.nearest else ""
        return f"{start}: {self.message}{meant}" if start else f"{self.message}{meant}"


class ConfigProblems(ConfigError):  # noqa: N818  # its name says that there are several
    """The configuration has problems; every one of them is listed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def key_text(path: KeyPath) -> str:
    """``("equipment", 0, "label")`` as ``equipment[0].label``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def nearest_of(name: str, known: Iterable[str]) -> str:
    """The known name that *name* was probably meant to be, or empty text."""
    return next(iter(get_close_matches(name, list(known), n=1)), "")
