"""Do the answers about a first instrument hold? They are tried on the disk and at the NAS, then written down."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from exlab_sync_tui.engine import destinations
from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.model.run import EquipmentFolder, Layout
from exlab_sync_tui.settings.addition import add_instrument
from exlab_sync_tui.settings.schema import Settings
from exlab_sync_tui.settings.sentences import refusals
from exlab_sync_tui.settings.starter import filled_config, write_starter
from exlab_sync_tui.text import count, safe_text, size
from exlab_sync_tui.watch.discovery import discover

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.engine.destinations import AdoptOutcome
    from exlab_sync_tui.model.run import RunFolder

SENTINEL, MANIFEST, QUIESCENCE = "sentinel_file", "manifest", "quiescence"
_ACCOUNT = re.compile(r"(?P<account>[^@:/\s]+@[^:/\s]+):(?P<path>/.*)")
_REMOTE = re.compile(r"(?P<remote>[A-Za-z0-9_][\w .+@-]*):(?P<path>.*)")
_NOT_IN_AN_ID = re.compile(r"[^A-Z0-9_]+")
_LOOKED_AT = 500
_NOWHERE = "/nowhere/exlab-sync"
"""A folder for settings that only ask the NAS."""
_KINDS = {
    "mount": "a mounted share",
    "sftp": "a server over SSH",
    "rclone": "a remote of rclone",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What was typed and chosen. ``nas`` is ``/a/folder``, ``user@host:/path`` or ``remote:path``.

    ``local``: a folder that is not a mounted share is meant.
    """

    folder: str = ""
    plain: bool = True
    id: str = ""
    signal: str = QUIESCENCE
    filename: str = ""
    nas: str = ""
    local: bool = False

    def equipment(self) -> dict[str, object]:
        """The item of the ``equipment`` list."""
        folder = Path(self.folder.strip()).expanduser()
        item: dict[str, object] = {
            "id": self.id.strip(),
            "label": self.id.strip(),
            "local_root": str(folder if self.plain else folder.parent),
            "nas_root": self.nas.strip(),
            "layout": "plain" if self.plain else "exlab",
            "completeness_signal": self.signal,
        }
        if self.signal == SENTINEL:
            item["sentinel_filename"] = self.filename.strip()
        if self.signal == MANIFEST:
            item["manifest_filename"] = self.filename.strip()
        item["transport"] = transport_of(self.nas.strip())
        return item


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test found: one sentence, safe to show. ``ok`` is ``None`` where there is nothing to test yet."""

    ok: bool | None
    sentence: str


def transport_of(place: str) -> dict[str, object]:
    """The transport that a place means."""
    if account := _ACCOUNT.fullmatch(place):
        return {"type": "sftp", "ssh_target": account["account"], "remote_path": account["path"]}
    if not place.startswith(("/", "~")) and (remote := _REMOTE.fullmatch(place)):
        return {"type": "rclone", "rclone_remote": remote["remote"], "rclone_remote_path": remote["path"]}
    return {"type": "mount", "path": str(Path(place).expanduser())}


def id_for(folder: str) -> str:
    """An id that the folder's name suggests."""
    name = _NOT_IN_AN_ID.sub("_", Path(folder.strip()).name.upper()).strip("_")
    return name[:32] if name[:1].isalpha() else ""


def settings_of(answers: Answers) -> Settings:
    """The settings that the answers make. Raises ``ValidationError``."""
    return Settings.model_validate({"equipment": [answers.equipment()]})


def objection(answers: Answers) -> str:
    """What the configuration would refuse, as a sentence; empty if nothing."""
    try:
        settings_of(answers)
    except ValidationError as error:
        _, sentence, _ = next(iter(refusals(error)))
        return safe_text(sentence)
    return ""


async def try_folder(answers: Answers) -> Tried:
    """Is the instrument's folder there, can it be read, and what lies in it?"""
    return await asyncio.to_thread(_try_folder, answers)


async def try_signal(answers: Answers) -> Tried:
    """How many of the runs that are there say that they are finished?"""
    return await asyncio.to_thread(_try_signal, answers)


async def try_nas(answers: Answers) -> Tried:
    """Does the NAS answer, and how much room has it? Nothing is written."""
    if not answers.nas.strip():
        return Tried(None, "A mounted folder, user@host:/path, or a remote of rclone as remote:path.")
    probe = Answers(_NOWHERE, plain=True, id="X", nas=answers.nas)
    if wrong := objection(probe):
        return Tried(ok=False, sentence=wrong)
    kind = str(transport_of(answers.nas.strip())["type"])
    if kind == "mount" and not answers.local:
        path = await asyncio.to_thread(_unmounted, answers.nas)
        if path:
            return Tried(ok=False, sentence=f"{path} is no mounted share. Mount it, or tick the box below.")
    (report,) = await destinations.show(settings_of(probe))
    if report.problem and not report.problem.startswith("not adopted yet"):
        return Tried(ok=False, sentence=safe_text(report.problem))
    room = f", {size(report.free_bytes)} free" if report.free_bytes is not None else ""
    marker = "it has our marker" if report.identity_id else "it gets a small marker file when this is written"
    what = "a folder of this PC" if kind == "mount" and answers.local else _KINDS[kind]
    return Tried(ok=True, sentence=f"It answers: {what}{room}; {marker}.")


async def write(answers: Answers, config: Path, store_path: Path) -> AdoptOutcome:
    """Write the configuration, then mark the destination as the right one.

    Raises ``ConfigError`` if something lies at *config*, and what ``destinations.adopt`` raises: the configuration
    stays then, and `exlab-sync destination adopt` is what is left to do.
    """
    settings = settings_of(answers)
    await asyncio.to_thread(write_starter, config, filled_config(answers.equipment()))
    return await destinations.adopt(settings, answers.id.strip(), local=answers.local, store_path=store_path)


async def add(answers: Answers, config: Path, store_path: Path, now: datetime) -> AdoptOutcome:
    """Add the instrument to the configuration that is there, then mark its destination as the right one.

    Raises ``ConfigError`` if it cannot be added, and what ``destinations.adopt`` raises, as ``write`` does.
    """
    settings = settings_of(answers)
    await asyncio.to_thread(add_instrument, config, answers.equipment(), now)
    return await destinations.adopt(settings, answers.id.strip(), local=answers.local, store_path=store_path)


def _unmounted(nas: str) -> str:
    """The folder, safe to show, if it is one that no share is mounted on."""
    path = Path(nas.strip()).expanduser()
    return safe_text(path) if path.is_dir() and not path.is_mount() else ""


def _folder_of(answers: Answers) -> EquipmentFolder:
    layout = Layout.PLAIN if answers.plain else Layout.EXLAB
    return EquipmentFolder(answers.id or "X", Path(answers.folder.strip()).expanduser(), layout)


def _runs(answers: Answers) -> list[RunFolder]:
    return list(islice(discover(_folder_of(answers), lambda _: None), _LOOKED_AT))


def _try_folder(answers: Answers) -> Tried:
    if not answers.folder.strip():
        return Tried(None, "The folder that the instrument writes its runs into.")
    folder = Path(answers.folder.strip()).expanduser()
    shown = safe_text(folder)
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        return Tried(ok=False, sentence=f"{shown} cannot be read: {safe_text(error.strerror or error)}.")
    if not answers.plain and answers.id.strip() and folder.name != answers.id.strip():
        return Tried(ok=False, sentence=f"ExLab-Wizard's folder is named like the instrument, and {shown} is not.")
    try:
        found = _runs(answers)
    except (ExlabSyncError, OSError) as error:
        return Tried(ok=False, sentence=safe_text(error))
    more = " or more" if len(found) == _LOOKED_AT else ""
    runs = f"{count(len(found), 'run')}{more} in it" if found else "no run in it yet"
    return Tried(ok=True, sentence=f"It is there and can be read; {runs}.")


def _try_signal(answers: Answers) -> Tried:
    if answers.signal == QUIESCENCE:
        return Tried(ok=True, sentence="A run counts as finished once nothing in it has changed for ten minutes.")
    name = answers.filename.strip()
    if not name:
        return Tried(None, "The name of that file, as it lies in the run's folder.")
    if "/" in name:
        return Tried(ok=False, sentence="Only a file's name, without folders.")
    if not answers.folder.strip():
        return Tried(None, "It is looked for in the runs of the folder above.")
    try:
        runs = _runs(answers)
        having = sum((run.path / name).is_file() for run in runs)
    except OSError as error:
        return Tried(ok=False, sentence=safe_text(error))
    if not runs:
        return Tried(ok=True, sentence="No run is there yet to look for it in.")
    sentence = f"{having:,} of {count(len(runs), 'run')} there {'has' if having == 1 else 'have'} {safe_text(name)}."
    return Tried(ok=having > 0, sentence=sentence)
