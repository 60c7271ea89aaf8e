"""What does ``creation.json`` say about a run?"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import CreationError, CreationInvalidError, CreationVersionError, OrphanRunError
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.verbatim import parse_object
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CREATION_NAME = "creation.json"
OUR_VERSION = (1, 9)
"""The schema version that our writing raises a file to (``FORMATS.md`` §2)."""

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_NO_FILE = frozenset({errno.ELOOP, errno.EMLINK, errno.EINVAL})
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Creation:
    """The fields of ``FORMATS.md`` §2 as they were read, absent ones with their defaults; ``raw`` is all of it.

    Unknown keys and unknown values are kept. Texts are those of the file: ``safe_text`` them before showing.
    """

    schema_version: str
    created_at: str = ""
    created_by: str = ""
    level: str = "run"
    run_kind: str = "experimental"
    template: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, Any] = field(default_factory=dict)
    lims_project: Mapping[str, Any] | None = None
    plugins_applied: tuple[Any, ...] = ()
    orchestrator: Mapping[str, Any] = field(default_factory=dict)
    sync_status: str = "pending"
    validation_overrides: tuple[Mapping[str, Any], ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    duplicate_keys: tuple[str, ...] = ()

    @property
    def version(self) -> tuple[int, int]:
        """``schema_version`` as numbers, so that 1.10 is newer than 1.9."""
        major, minor = self.schema_version.split(".")
        return int(major), int(minor)


def read_creation(run: Path) -> Creation:
    """Read the run's ``creation.json``; makes no file, follows no link, waits for nobody.

    Raises ``OrphanRunError`` if there is none, ``CreationVersionError`` for another major or a malformed version,
    ``CreationInvalidError`` for a part of the wrong shape, ``CreationError`` if it cannot be read at all.
    """
    return parse_creation(read_bytes(run), run)


def parse_creation(data: bytes, run: Path) -> Creation:
    """The same for bytes that were read already; *run* is named in errors."""
    try:
        parsed = parse_object(data)
    except ValueError as error:
        raise CreationError(f"creation.json of {safe_text(run)} cannot be read: {error}; repair it.") from error
    document = parsed.document
    version = document.get("schema_version")
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None or match[1] != "1":
        raise CreationVersionError(
            f"creation.json of {safe_text(run)} has schema version {_shown(version)}, but only 1.x is known here; "
            "use the program that wrote it, or a newer exlab-sync."
        )
    return Creation(
        schema_version=match[0],
        created_at=_part(document, "created_at", str, "", run),
        created_by=_part(document, "created_by", str, "", run),
        level=_part(document, "level", str, "run", run),
        run_kind=_part(document, "run_kind", str, "experimental", run),
        template=_part(document, "template", dict, _NOTHING, run),
        variables=_part(document, "variables", dict, _NOTHING, run),
        paths=_part(document, "paths", dict, None, run),
        lims_project=document.get("lims_project") and _part(document, "lims_project", dict, None, run),
        plugins_applied=tuple(_part(document, "plugins_applied", list, (), run)),
        orchestrator=_part(document, "orchestrator", dict, _NOTHING, run),
        sync_status=_part(document, "sync_status", str, "pending", run),
        validation_overrides=_overrides(document, run),
        raw=document,
        duplicate_keys=parsed.duplicates,
    )


def read_bytes(run: Path) -> bytes:
    """The bytes of the run's ``creation.json``; errors as ``read_creation``."""
    try:
        with (
            Folder.root(run) as folder,
            folder.sub(CACHE_FOLDER) as cache,
            cache.open_regular(CREATION_NAME) as file,
        ):
            return file.readall()
    except OSError as error:
        if error.errno in _ABSENT:
            raise OrphanRunError(
                f"{safe_text(run)} has no creation.json, so it cannot be queued; let ExLab-Wizard make one, "
                "or use a plain layout."
            ) from error
        if error.errno in _NO_FILE:
            said = "is a link or no file at all; put the real file there"
        else:
            said = f"cannot be read ({error.strerror}); check its permissions and its disk"
        raise CreationError(f"creation.json of {safe_text(run)} {said}.") from error


def _part(document: dict[str, Any], key: str, kind: type, default: Any, run: Path) -> Any:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind):
        said = "lacks" if value is None else "has an unusable"
        raise CreationInvalidError(f"creation.json of {safe_text(run)} {said} {key!r}; repair it.")
    return value


def _overrides(document: dict[str, Any], run: Path) -> tuple[Mapping[str, Any], ...]:
    entries = _part(document, "validation_overrides", list, [], run)
    if not all(isinstance(entry, dict) for entry in entries):
        raise CreationInvalidError(
            f"creation.json of {safe_text(run)} has an unusable entry in 'validation_overrides'; repair it."
        )
    return tuple(entries)


def _shown(value: object) -> str:
    return "none" if value is None else repr(safe_text(value)[:40])
