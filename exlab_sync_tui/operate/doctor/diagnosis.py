"""What does one check of the doctor say? A tick or a cross, a sentence, and the command that mends it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


_PROGRAM = "exlab-sync "


class Mood(StrEnum):
    """How a check ended. Advice is worth reading and stops nothing."""

    WELL = "well"
    ADVICE = "advice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``check`` is the family and the name of the check, ``command`` what a person can paste into a shell, or empty.

    ``subject`` is the instrument or the file that it is about; empty for the whole set-up. All texts are safe to show.
    """

    check: str
    mood: Mood
    sentence: str
    command: str = ""
    subject: str = ""


def well(check: str, sentence: str, *, subject: str = "") -> Diagnosis:
    """Nothing to do."""
    return Diagnosis(check, Mood.WELL, sentence, subject=subject)


def advice(check: str, sentence: str, command: str = "", *, subject: str = "") -> Diagnosis:
    """Worth knowing; runs still arrive."""
    return Diagnosis(check, Mood.ADVICE, sentence, command, subject)


def problem(check: str, sentence: str, command: str, *, subject: str = "") -> Diagnosis:
    """Something that keeps runs from arriving, or will."""
    return Diagnosis(check, Mood.PROBLEM, sentence, command, subject)


def command(*words: object) -> str:
    """A shell command in which every word is quoted, safe to show."""
    return " ".join(safe_text(shlex.quote(str(word))) for word in words)


def edit(path: Path | None) -> str:
    """The command that opens a file to be mended by hand."""
    return f'"${{EDITOR:-vi}}" {command(path)}' if path is not None else "exlab-sync init"


def as_called(found: Diagnosis, options: Sequence[object]) -> Diagnosis:
    """The same with its command as this set-up is called: with the *options* that name its files."""
    if not options or not found.command.startswith(_PROGRAM):
        return found
    return replace(found, command=f"{command('exlab-sync', *options)} {found.command.removeprefix(_PROGRAM)}")


def as_data(found: Diagnosis) -> dict[str, str]:
    """For programs."""
    return {
        "check": found.check,
        "mood": found.mood.value,
        "subject": found.subject,
        "sentence": found.sentence,
        "command": found.command,
    }


def has_problem(all_found: Iterable[Diagnosis]) -> bool:
    """Whether anything keeps runs from arriving."""
    return any(found.mood is Mood.PROBLEM for found in all_found)
