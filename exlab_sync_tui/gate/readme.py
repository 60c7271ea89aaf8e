"""Are the fields there that the lab requires of every run?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exlab_sync_tui.gate.rules import Objection
from exlab_sync_tui.model.finding import Rule
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from exlab_sync_tui.provenance.creation import Creation

README_FIELDS = "readme_fields.json"
_LAYERS = ("core_fields", "template_fields", "config_fields", "system_fields")
_LIMS_SINCE = (1, 5)


def readme_objections(cache: Path, required: Iterable[str]) -> Iterator[Objection]:
    """One objection for each *required* field that ``readme_fields.json`` in *cache* lacks or leaves empty.

    A file that is absent or unreadable has no fields.
    """
    wanted = sorted(required)
    if not wanted:
        return
    filled, problem = _filled_fields(cache / README_FIELDS)
    for field in wanted:
        if field not in filled:
            detail = f"the required field `{safe_text(field)}` {problem or 'is absent or empty'}"
            yield Objection(Rule.MISSING_REQUIRED_FIELD, field, detail)


def lims_objections(creation: Creation) -> Iterator[Objection]:
    """An objection to a ``creation.json`` of schema 1.5 or newer without ``lims_project`` (§2)."""
    if creation.lims_project is None and creation.version >= _LIMS_SINCE:
        yield Objection(
            Rule.MISSING_REQUIRED_FIELD,
            "lims_project",
            f"creation.json of schema {safe_text(creation.schema_version)} has no lims_project",
        )


def _filled_fields(path: Path) -> tuple[frozenset[str], str]:
    """Names of the fields that say something, and why nothing could be read, if so."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return frozenset(), f"is absent: there is no {README_FIELDS}"
    except OSError as error:
        return frozenset(), f"cannot be read from {README_FIELDS}: {safe_text(error.strerror)}"
    except (ValueError, RecursionError):
        return frozenset(), f"cannot be read: {README_FIELDS} is not JSON"
    return frozenset(name for name, value in _fields(document) if not _is_empty(value)), ""


def _fields(document: object) -> Iterator[tuple[str, object]]:
    if not isinstance(document, dict):
        return
    for layer in _LAYERS:
        fields = document.get(layer)
        if isinstance(fields, dict):
            yield from fields.items()
    custom = document.get("custom_fields")
    for field in custom if isinstance(custom, list) else ():
        if isinstance(field, dict) and isinstance(field.get("label"), str):
            yield field["label"], field.get("value")


def _is_empty(value: object) -> bool:
    """Zero and ``false`` are answers; nothing, blanks and empty lists are not."""
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {})
