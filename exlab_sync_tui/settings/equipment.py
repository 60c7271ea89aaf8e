"""What is known of one instrument? An item of the ``equipment`` list (``FORMATS.md`` §9)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator

from exlab_sync_tui.model.run import Layout
from exlab_sync_tui.settings.block import AbsolutePath, Block, FileName, Number, Text, at, objection
from exlab_sync_tui.settings.transports import MountTransport, TransportBlock
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from pydantic_core import InitErrorDetails

_ID = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_SETTLE_SECONDS = 30.0
_QUIESCENCE_SECONDS = 600.0


class CompletenessSignal(StrEnum):
    """How an instrument says that a run is finished (``FORMATS.md`` §4)."""

    SENTINEL_FILE = "sentinel_file"
    MANIFEST = "manifest"
    QUIESCENCE = "quiescence"


class SyncMode(StrEnum):
    """Whether this PC sends to the NAS itself, or ExLab-Wizard stages to another PC."""

    NAS = "nas"
    STAGE = "stage"


class StagingType(StrEnum):
    """How ExLab-Wizard reaches the PC that it stages to."""

    SMB_MOUNT = "smb_mount"
    FILE_TRANSFER = "file_transfer"


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise objection("must be capital letters, digits and underscores, begin with a letter and have at most 32")
    return text


def _below(text: str) -> str:
    if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
        raise objection("must be a pattern of folders below local_root, such as * or */*")
    return text


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _left_to_the_signal() -> Any:
    return None


OptionalName = Annotated[FileName | None, BeforeValidator(_blank_is_none), Field(validate_default=True)]


class StagingTransport(Block):
    """Where ExLab-Wizard stages runs to; it is read and kept, and runs of such an instrument are not queued."""

    type: StagingType
    """smb_mount or file_transfer."""
    mount_point: Text | None = None
    """Where the other PC's share is mounted."""
    staging_subpath: str = ""
    """Folder below it."""


class Equipment(Block):
    """One instrument: where it writes, when a run is finished, and where the runs go."""

    id: Annotated[str, AfterValidator(_identifier)]
    """Name in paths and commands: capital letters, digits, underscores; unique."""
    label: Text
    """Name for people."""
    local_root: AbsolutePath
    """Folder on this PC; the instrument's own is <local_root>/<id>, or local_root itself with layout plain."""
    nas_root: Text
    """The destination as people know it; shown, and written as paths.nas."""
    layout: Layout = Layout.EXLAB
    """exlab: <project>/Runs/Run_<date>, as ExLab-Wizard writes; plain: any folder that matches run_pattern."""
    run_pattern: Annotated[Text, AfterValidator(_below)] = "*"
    """With layout plain: which folders below local_root are runs."""
    completeness_signal: CompletenessSignal
    """How a run says that it is finished: sentinel_file, manifest or quiescence."""
    sentinel_filename: OptionalName = None
    """With sentinel_file: the file that the instrument writes last."""
    manifest_filename: OptionalName = None
    """With manifest: the JSON file that lists the run's files and sizes."""
    settle_seconds: Annotated[float, Number, Field(ge=0, validate_default=True, default_factory=_left_to_the_signal)]
    """Seconds for which nothing may change before a run counts as finished; 600 with quiescence, else 30."""
    sync_mode: SyncMode = SyncMode.NAS
    """nas, or stage where ExLab-Wizard stages to another PC: those runs are not queued here."""
    transport: Annotated[TransportBlock | None, Field(validate_default=True)] = None
    """How this PC reaches the destination."""
    orchestrator_staging_transport: Annotated[StagingTransport | None, Field(validate_default=True)] = None
    """With sync_mode stage: where ExLab-Wizard stages to."""

    @property
    def folder(self) -> Path:
        """The folder that this instrument owns, as written and not resolved (``FORMATS.md`` §1)."""
        return _own_folder(self.id, self.local_root, self.layout)

    @field_validator("sentinel_filename", "manifest_filename")
    @classmethod
    def _named_for_its_signal(cls, name: str | None, info: ValidationInfo) -> str | None:
        needed = {
            "sentinel_filename": CompletenessSignal.SENTINEL_FILE,
            "manifest_filename": CompletenessSignal.MANIFEST,
        }[info.field_name or ""]
        if name is None and info.data.get("completeness_signal") is needed:
            raise objection(f"missing; completeness_signal {needed} needs it")
        return name

    @field_validator("settle_seconds", mode="before")
    @classmethod
    def _as_the_signal_needs(cls, seconds: object, info: ValidationInfo) -> object:
        if seconds is not None:
            return seconds
        quiet = info.data.get("completeness_signal") is CompletenessSignal.QUIESCENCE
        return _QUIESCENCE_SECONDS if quiet else _SETTLE_SECONDS

    @field_validator("settle_seconds")
    @classmethod
    def _some_stillness(cls, seconds: float, info: ValidationInfo) -> float:
        if seconds == 0 and info.data.get("completeness_signal") is CompletenessSignal.QUIESCENCE:
            raise objection("must be more than 0: with quiescence nothing else tells that a run is finished")
        return seconds

    @field_validator("transport")
    @classmethod
    def _reaches_the_nas(cls, transport: TransportBlock | None, info: ValidationInfo) -> TransportBlock | None:
        if transport is None and info.data.get("sync_mode") is SyncMode.NAS:
            raise objection("missing; it says how this PC reaches the destination")
        if isinstance(transport, MountTransport) and {"id", "local_root", "layout"} <= info.data.keys():
            source = _own_folder(info.data["id"], info.data["local_root"], info.data["layout"])
            if sentence := _watched(info.data["id"], transport.path, source):
                raise ValidationError.from_exception_data("transport", [at(("path",), sentence)])
        return transport

    @field_validator("orchestrator_staging_transport")
    @classmethod
    def _reaches_staging(cls, staging: StagingTransport | None, info: ValidationInfo) -> StagingTransport | None:
        if staging is None and info.data.get("sync_mode") is SyncMode.STAGE:
            raise objection("missing; sync_mode stage needs it")
        return staging


def _own_folder(name: str, local_root: Path, layout: object) -> Path:
    return local_root if layout == Layout.PLAIN else local_root / name


def _watched(name: str, root: Path, source: Path) -> str:
    """Why the runs of *name* cannot go to *root*: they would be found again in the watched folder *source*."""
    source, root = Path(os.path.normpath(source)), Path(os.path.normpath(root))
    target = root if root.name == name else root / name
    if root.is_relative_to(source) or target.is_relative_to(source) or source.is_relative_to(target):
        return f"runs would be put into the folder that is watched ({safe_text(source)}); choose another one"
    return ""


def loops(equipment: Sequence[Equipment]) -> list[InitErrorDetails]:
    """Objections to destinations that lie in the folder of another instrument."""
    return [
        at((index, "transport", "path"), sentence)
        for index, item in enumerate(equipment)
        for other in equipment
        if isinstance(item.transport, MountTransport) and other is not item
        if (sentence := _watched(item.id, item.transport.path, other.folder))
    ]


def clashes(items: object) -> list[InitErrorDetails]:
    """Objections to instruments of the same id, and to folders that lie in each other, of raw or validated *items*.

    Folders are compared as written; two names of one folder on disk are found when they are watched.
    """
    if not isinstance(items, list | tuple):
        return []
    refused = []
    claims = [(index, *claim) for index, item in enumerate(items) if (claim := _claim(item)) is not None]
    for place, (index, name, folder) in enumerate(claims):
        for other, other_name, other_folder in claims[:place]:
            if name == other_name:
                refused.append(at((index, "id"), f"equipment[{other}] already has the id {safe_text(name)}"))
            elif folder.is_relative_to(other_folder) or other_folder.is_relative_to(folder):
                refused.append(at((index, "local_root"), _overlap(name, folder, other_name, other_folder)))
    return refused


def _claim(item: object) -> tuple[str, Path] | None:
    if isinstance(item, Equipment):
        return item.id, Path(os.path.normpath(item.folder))
    if not isinstance(item, Mapping):
        return None
    name, root = item.get("id"), item.get("local_root")
    if not isinstance(name, str) or not isinstance(root, str | Path) or not _ID.fullmatch(name):
        return None
    folder = Path(os.path.expanduser(root))  # noqa: PTH111  # Path.expanduser raises without a home
    return name, Path(os.path.normpath(_own_folder(name, folder, item.get("layout"))))


def _overlap(name: str, folder: Path, other_name: str, other_folder: Path) -> str:
    how = "is the same as" if folder == other_folder else "overlaps"
    other = f"that of {other_name} ({safe_text(other_folder)})"
    return f"the folder of {name} ({safe_text(folder)}) {how} {other}; each instrument needs a folder of its own"
