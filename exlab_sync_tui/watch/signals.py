"""Has the instrument said that the run is finished?"""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.errors import UnsafePathError
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tree.paths import checked_rel

if TYPE_CHECKING:
    from pathlib import Path

    from exlab_sync_tui.model.entry import Entry

MAX_LIST_BYTES = 256 * 1024**2
"""A list of two million files is smaller than this; what is larger is no list."""


class Signal(Protocol):
    """One look at a completeness signal (``FORMATS.md`` §4)."""

    def see(self, entry: Entry) -> None:
        """Take one entry of the run's walk into account."""
        ...

    def absent(self) -> str:
        """What is known to be missing before the walk, as it stands after "waiting for"."""
        ...

    def missing(self) -> str:
        """What is missing after the walk; empty if the signal is given."""
        ...


class Quiet:
    """``quiescence``: stillness is the whole signal."""

    def see(self, entry: Entry) -> None:
        pass

    def absent(self) -> str:
        return ""

    def missing(self) -> str:
        return ""


class Sentinel:
    """``sentinel_file``: a regular file of that name at the top of the run."""

    def __init__(self, run: Path, name: str) -> None:
        self._absent = _regular_file_absent(run, name)

    def see(self, entry: Entry) -> None:
        pass

    def absent(self) -> str:
        return self._absent

    def missing(self) -> str:
        return self._absent


class FileList:
    """``manifest``: a JSON list of files, all of which are there with the sizes it tells."""

    def __init__(self, run: Path, name: str) -> None:
        self._name = name
        self._expected: dict[str, int] = {}
        self._wrong = ""
        self._absent = _regular_file_absent(run, name)
        if not self._absent:
            self._read(run / name)
        self._total = len(self._expected)

    def _read(self, path: Path) -> None:
        shown = safe_text(self._name)
        try:
            with path.open("rb") as file:
                self._expected = parse_file_list(file.read(MAX_LIST_BYTES + 1))
        except UnsafePathError as error:
            self._absent = f"a `{shown}` that can be trusted: {error}"
        except ValueError as error:
            self._absent = f"a `{shown}` that can be read: {error}"

    def see(self, entry: Entry) -> None:
        size = self._expected.get(entry.rel)
        if size is None:
            return
        if entry.kind is EntryKind.FILE and entry.size == size:
            del self._expected[entry.rel]
        elif not self._wrong:
            has = f"has {entry.size:,} of {size:,} bytes" if entry.kind is EntryKind.FILE else "is no file"
            self._wrong = f"`{safe_text(entry.rel)}` {has}"

    def absent(self) -> str:
        return self._absent

    def missing(self) -> str:
        if self._absent or not self._expected:
            return self._absent
        first = self._wrong or f"`{safe_text(next(iter(self._expected)))}` is not there"
        listed = f"{count(self._total, 'file')} that `{safe_text(self._name)}` lists"
        return f"{len(self._expected):,} of the {listed} ({first})"


def parse_file_list(data: bytes) -> dict[str, int]:
    """Path and size (bytes) of every file that a manifest signal lists, without those in the run's own cache folder.

    *data* is JSON: ``{"files": [{"path": "a/b.raw", "size": 123}, …]}`` or the bare list. Raises ``UnsafePathError``
    for a path that leaves the run, and ``ValueError`` with a sentence for anything else that is wrong.
    """
    if len(data) > MAX_LIST_BYTES:
        raise ValueError("it is too large")
    try:
        document = json.loads(data.decode("utf-8-sig", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON (yet)") from error
    files = document.get("files") if isinstance(document, dict) else document
    if not isinstance(files, list):
        raise ValueError("it has no list of files")  # noqa: TRY004  # the content is wrong, not an argument
    sizes: dict[str, int] = {}
    for file in files:
        path, size = _listed(file)
        if path.startswith(f"{CACHE_FOLDER}/"):
            continue
        if sizes.setdefault(path, size) != size:
            raise ValueError(f"it lists `{safe_text(path)}` with two sizes")
    return sizes


def _listed(file: object) -> tuple[str, int]:
    path = file.get("path") if isinstance(file, dict) else None
    if not isinstance(path, str):
        raise ValueError("it lists a file without a path")  # noqa: TRY004  # the content is wrong, not an argument
    size = file.get("size") if isinstance(file, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"it lists `{safe_text(path)}` without a size in bytes")
    return checked_rel(path.removeprefix("./")), size


def _regular_file_absent(run: Path, name: str) -> str:
    """The *name* as what is missing, unless it is a regular file at the top of the run."""
    shown = safe_text(name)
    try:
        mode = (run / name).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"`{shown}`"
    return "" if stat.S_ISREG(mode) else f"`{shown}`, which is there but is no regular file"
