"""What is in force, key by key, and who said so? The table of ``config show``."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING

from pydantic import BaseModel

from exlab_sync_tui.settings.problems import key_text
from exlab_sync_tui.settings.schema import FOREIGN_BLOCKS
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.settings.loading import LoadedSettings
    from exlab_sync_tui.settings.problems import KeyPath

DEFAULT = "default"


def effective(loaded: LoadedSettings) -> list[tuple[str, str, str]]:
    """Key, value as text, and source (``file:line``, a variable, ``flag`` or ``default``) of every key that is ours."""
    rows = []
    for path, value in _leaves(loaded.settings, ()):
        if path[0] in FOREIGN_BLOCKS:
            continue
        key = key_text(path)
        source = loaded.sources.get(key) or loaded.sources.get(_other_spelling(key)) or DEFAULT
        rows.append((safe_text(key), safe_text(_text(value)), source))
    return rows


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _leaves(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _other_spelling(key: str) -> str:
    return f"{key}_" if key.endswith(".from") else key


def _text(value: object) -> str:
    match value:
        case bool() | None:
            return json.dumps(value)
        case Enum():
            return str(value.value)
        case float():
            return f"{value:.15g}"
        case tuple():
            return f"[{', '.join(_text(item) for item in value)}]"
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)
