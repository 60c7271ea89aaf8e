"""How does a verb print? Text on stdout that any terminal can show, or JSON."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, TypeVar

import click

from exlab_sync_tui.headless.words import Look, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_Command = TypeVar("_Command", bound="Callable[..., object]")


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def put(line: str = "") -> None:
    """Print one line that is already safe."""
    click.echo(line)


def put_lines(lines: Iterable[str]) -> None:
    """Print lines that are already safe."""
    for line in lines:
        click.echo(line)


def put_json(data: Mapping[str, object] | list[object]) -> None:
    """Print a JSON document in ASCII: undecodable bytes of a path stay lone surrogates, as Python reads them back."""
    click.echo(json.dumps(data, indent=2))


def look() -> Look:
    """What stdout can show."""
    return Look.of(sys.stdout)


def marked(mood: str, word: str, shown: Look) -> str:
    """Glyph and word, in the mood's colour where colour is wanted."""
    text = f"{shown.glyph(mood)} {spoken(word)}"
    colour = shown.colour_of(mood)
    return click.style(text, fg=colour) if colour else text


def width() -> int:
    """Cells that a table may take: those of the terminal, else 80."""
    return shutil.get_terminal_size((80, 24)).columns
