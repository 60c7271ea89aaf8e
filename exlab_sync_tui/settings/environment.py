"""Which single keys does the environment override? ``EXLAB_SYNC_<BLOCK>__<KEY>`` (``FORMATS.md`` §9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.settings.block import NO_SECRETS, looks_secret
from exlab_sync_tui.settings.document import parse
from exlab_sync_tui.settings.locations import CONFIG_VARIABLE, STATE_VARIABLE
from exlab_sync_tui.settings.problems import Problem, nearest_of
from exlab_sync_tui.settings.schema import OVERRIDABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "EXLAB_SYNC_"


@dataclass(frozen=True, slots=True)
class Override:
    """One value from outside the file. ``source`` is the variable's name, or ``flag``."""

    block: str
    key: str
    value: object
    source: str


def from_environment(environ: Mapping[str, str]) -> tuple[list[Override], list[Problem]]:
    """The overrides in *environ*, and what is wrong with its other ``EXLAB_SYNC_`` variables.

    Text in brackets or braces is read as YAML, ``null`` is null, anything else is taken as it is.
    """
    keys = _variables()
    overrides, problems = [], []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in {CONFIG_VARIABLE, STATE_VARIABLE}:
            continue
        if name not in keys:
            problems.append(_stranger(name, keys))
            continue
        block, key = keys[name]
        value, readable = _value(environ[name])
        if readable:
            overrides.append(Override(block, key, value, name))
        else:
            problems.append(Problem(name, None, f"{block}.{key}", "begins like a YAML list or block but is not one"))
    return overrides, problems


def variable_name(block: str, key: str) -> str:
    """The variable that overrides a key: ``EXLAB_SYNC_SYNC__RESCAN_SECONDS``."""
    return f"{PREFIX}{block}__{key}".upper()


def _variables() -> dict[str, tuple[str, str]]:
    return {
        variable_name(block, key): (block, key) for block, model in OVERRIDABLE.items() for key in model.known_keys()
    }


def _stranger(name: str, keys: Mapping[str, tuple[str, str]]) -> Problem:
    if looks_secret(name):
        return Problem(name, None, "", NO_SECRETS)
    if name.startswith(PREFIX + "EQUIPMENT"):
        return Problem(name, None, "", "instruments are set in the file; a variable cannot override them")
    known = [known.removeprefix(PREFIX) for known in (*keys, CONFIG_VARIABLE, STATE_VARIABLE)]
    nearest = nearest_of(name.removeprefix(PREFIX), known)
    sentence = "no such key; `exlab-sync config show` lists them"
    return Problem(name, None, "", sentence, nearest and PREFIX + nearest)


def _value(text: str) -> tuple[object, bool]:
    stripped = text.strip()
    if stripped in {"null", "~"}:
        return None, True
    if not stripped.startswith(("[", "{")):
        return text, True
    document = parse(stripped)
    return document.value, not document.troubles
