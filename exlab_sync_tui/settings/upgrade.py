"""How does an older configuration become one of today? Nothing else in it changes, and a copy is made first (§9)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.provenance.atomic import write_atomic
from exlab_sync_tui.settings.bandwidth import Window
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Edit:
    """*old* at a line and column (from 0) of the text becomes *new*; ``place`` is the key above it."""

    line: int
    column: int
    old: str
    new: str
    place: str

    @property
    def sentence(self) -> str:
        """What a person reads."""
        return f"{self.place}: {self.old} is written {self.new} today"


def upgraded(text: str) -> tuple[str, list[str]]:
    """The text as it is written today, and a sentence for each change; every other character stays.

    Raises ``ConfigError`` for what is no YAML.
    """
    try:
        document = YAML().load(text)
    except YAMLError as error:
        raise ConfigError("The configuration is no YAML; `exlab-sync config check` names the line.") from error
    edits = [edit for step in _STEPS for edit in step(document)]
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda one: (one.line, one.column), reverse=True):
        line = lines[edit.line]
        start = line.index(edit.old, edit.column)
        lines[edit.line] = line[:start] + edit.new + line[start + len(edit.old) :]
    return "".join(lines), [edit.sentence for edit in edits]


def exchange(path: Path, old: bytes, text: str, now: datetime) -> Path:
    """Put *text* in the place of *old*, whole or not at all; where the copy of *old* lies. Raises ``OSError``."""
    copy = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%SZ}.bak")
    with copy.open("xb") as file:
        os.chmod(copy, path.stat().st_mode & 0o7777)  # noqa: PTH101  # before anything stands in it
        file.write(old)
        file.flush()
        os.fsync(file.fileno())
    write_atomic(path, text.encode(), keep_mode_of=path)
    return copy


def upgrade_file(path: Path, now: datetime, *, dry_run: bool = False) -> tuple[list[str], Path | None]:
    """Upgrade the file at *path*; the changes, and where the copy of the old one lies.

    Raises ``ConfigError`` if it cannot be read or written; it is as it was then.
    """
    try:
        old = path.read_bytes()
        text, changes = upgraded(old.decode("utf-8-sig"))
        if dry_run or not changes:
            return changes, None
        copy = exchange(path, old, text, now)
    except OSError as error:
        where = safe_text(error.filename or path)
        raise ConfigError(f"{where}: {error.strerror}; the configuration is as it was.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{safe_text(path)} is not UTF-8; save it again with that encoding.") from error
    return changes, copy


def _spelt_as_today(document: Any) -> Iterator[_Edit]:
    """Windows of a bandwidth schedule: ``from_`` was accepted for ``from``."""
    for place, window in _windows(document):
        for old, new in Window.spellings.items():
            if old in window and new not in window:
                line, column = window.lc.key(old)
                yield _Edit(line, column, old, new, place)


def _windows(document: Any) -> Iterator[tuple[str, CommentedMap]]:
    items = document.get("equipment") if isinstance(document, CommentedMap) else None
    for number, item in enumerate(items if isinstance(items, list) else ()):
        windows: Any = item
        for key in ("transport", "bandwidth", "schedule"):
            windows = windows.get(key) if isinstance(windows, CommentedMap) else None
        for inner, window in enumerate(windows if isinstance(windows, list) else ()):
            if isinstance(window, CommentedMap):
                yield f"equipment[{number}].transport.bandwidth.schedule[{inner}]", window


_STEPS = (_spelt_as_today,)
"""What has changed from version to version, oldest first."""
