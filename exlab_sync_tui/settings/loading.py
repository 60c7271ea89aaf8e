"""What is configured, and where is each value written? File, then environment, then flags (``FORMATS.md`` §9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from exlab_sync_tui.settings.document import Document, parse
from exlab_sync_tui.settings.environment import Override, from_environment
from exlab_sync_tui.settings.locations import find_config
from exlab_sync_tui.settings.problems import ConfigProblems, Problem, key_text
from exlab_sync_tui.settings.schema import Settings
from exlab_sync_tui.settings.sentences import refusals, shown_key
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exlab_sync_tui.settings.problems import KeyPath

FLAG = "flag"
CLEANUP_OFF = "default (the file has no nas_cleanup block)"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force. ``sources`` tells where each key was set: ``file:line``, a variable, or ``flag``."""

    settings: Settings
    path: Path
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a value was set: the file and a line of it, or a variable or flag and no line."""

    name: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


def load_settings(
    path: Path | None = None, *, environ: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> LoadedSettings:
    """Read the configuration at *path*, or where ``find_config`` finds it.

    *flags* maps keys such as ``"console.ascii"`` to values; ``None`` means that the flag was not given. Raises
    ``ConfigProblems`` with every problem at once, or ``ConfigError`` if there is no configuration at all.
    """
    found = find_config(path, environ=environ)
    shown = safe_text(found)
    document, problems = _read(found, shown)
    if not isinstance(document.value, dict):
        raise ConfigProblems(problems)
    overrides, strangers = from_environment(environ)
    flagged, misspelt = _from_flags(flags or {})
    origins = {key: _Origin(shown, line) for key, line in document.lines.items()}
    data = _overlaid(document.value, [*overrides, *flagged], origins)
    problems += strangers + misspelt
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        problems += _located(error, origins, shown)
        raise ConfigProblems(_in_order(problems)) from None
    if problems:
        raise ConfigProblems(_in_order(problems))
    return LoadedSettings(settings, found, {key_text(key): str(origin) for key, origin in origins.items()})


def _read(path: Path, shown: str) -> tuple[Document, list[Problem]]:
    text, problem = _text(path, shown)
    if problem is not None:
        return Document(None, {}), [problem]
    document = parse(text)
    problems = [Problem(shown, trouble.line, shown_key(trouble.key), trouble.message) for trouble in document.troubles]
    if not isinstance(document.value, dict) and not problems:
        empty = "is empty; `exlab-sync init` shows what a configuration looks like"
        message = empty if document.value is None else "must be a block of keys and values, such as `equipment:`"
        problems.append(Problem(shown, None, "", message))
    return document, problems


def _text(path: Path, shown: str) -> tuple[str, Problem | None]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return "", Problem(shown, None, "", "there is no such file; `exlab-sync init` writes a configuration")
    except OSError as error:
        return "", Problem(shown, None, "", f"cannot be read: {error.strerror or type(error).__name__}")
    try:
        return raw.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return "", Problem(shown, line, "", "is not UTF-8; save it again with that encoding")


def _from_flags(flags: Mapping[str, object]) -> tuple[list[Override], list[Problem]]:
    overrides, problems = [], []
    for name, value in flags.items():
        block, dot, key = name.partition(".")
        if value is None:
            continue
        if dot and key:
            overrides.append(Override(block, key, value, FLAG))
        else:
            problems.append(Problem(FLAG, None, safe_text(name), "is not the name of a key, such as sync.enabled"))
    return overrides, problems


def _overlaid(
    data: dict[str, object], overrides: Iterable[Override], origins: dict[KeyPath, _Origin]
) -> dict[str, object]:
    """*data* with the overrides put in; *origins* learns where they came from."""
    result = dict(data)
    for override in overrides:
        block = result.get(override.block)
        if block is None and (override.block == "nas_cleanup" or override.block not in result):
            block = {}
            if override.block == "nas_cleanup":
                # Deleting is turned on by the block or by its own switch, never by a figure in the environment.
                block = {"enabled": False}
                origins["nas_cleanup", "enabled"] = _Origin(CLEANUP_OFF)
        if not isinstance(block, dict):
            continue
        result[override.block] = {**block, override.key: override.value}
        place = (override.block, override.key)
        for key in [key for key in origins if key[:2] == place]:
            del origins[key]
        origins[place] = _Origin(override.source)
    return result


def _located(error: ValidationError, origins: Mapping[KeyPath, _Origin], shown: str) -> list[Problem]:
    problems = []
    for key, message, nearest in refusals(error):
        origin = _origin(key, origins) or _Origin(shown)
        problems.append(Problem(origin.name, origin.line, shown_key(key), message, nearest))
    return problems


def _origin(key: KeyPath, origins: Mapping[KeyPath, _Origin]) -> _Origin | None:
    """Where *key* is written; a key that is missing is looked for in the block that should have it."""
    spellings = [(*key[:-1], "from_")] if key[-1:] == ("from",) else []
    parents = [key[:length] for length in range(len(key) - 1, 0, -1)]
    return next((origins[place] for place in (key, *spellings, *parents) if place in origins), None)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """The file's problems from top to bottom, those of variables and flags after them."""
    return sorted(problems, key=lambda problem: (problem.line is None, problem.line or 0))
