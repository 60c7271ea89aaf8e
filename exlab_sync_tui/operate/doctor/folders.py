"""Are the instruments' folders there, readable, and ours alone?"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.ownership import OWNER_FILE, refuse_overlap
from exlab_sync_tui.errors import FolderOwnedError
from exlab_sync_tui.model.run import Layout
from exlab_sync_tui.operate.doctor.diagnosis import command, edit, problem, well
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.operate.wiring import equipment_folders
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.model.run import EquipmentFolder
    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient

_CHECK = "folder"


def are_there(patient: Patient) -> Iterator[Diagnosis]:
    """Each exists and can be read; where provenance is written into runs, it can be written to as well."""
    for folder in equipment_folders(patient.settings) if patient.settings else ():
        yield _look(folder)


def _look(folder: EquipmentFolder) -> Diagnosis:
    place, subject = safe_text(folder.root), folder.equipment_id
    if not folder.root.exists():
        above = folder.root.parent
        missing = f"{place} is not there; make it, or mount its disk."
        if not above.exists():
            missing = f"{place} is not there, nor is {safe_text(above)}: is its disk mounted?"
        return problem(_CHECK, missing, command("mkdir", "-p", folder.root), subject=subject)
    if not folder.root.is_dir():
        said = f"{place} is no folder; local_root must name one."
        return problem(_CHECK, said, "exlab-sync config show", subject=subject)
    if not os.access(folder.root, os.R_OK | os.X_OK):
        mend = command("sudo", "setfacl", "-m", f"u:{_user()}:rx", folder.root)
        return problem(_CHECK, f"{place} cannot be read by {_user()}.", mend, subject=subject)
    if folder.layout is Layout.EXLAB and not os.access(folder.root, os.W_OK):
        mend = command("sudo", "setfacl", "-R", "-m", f"u:{_user()}:rwx", folder.root)
        said = f"{place} cannot be written by {_user()}, so sync_status cannot be kept in creation.json."
        return problem(_CHECK, said, mend, subject=subject)
    return well(_CHECK, f"{place} is there and readable.", subject=subject)


def _user() -> str:
    return safe_text(os.environ.get("USER") or str(os.getuid() if hasattr(os, "getuid") else "this user"))


def are_ours(patient: Patient) -> Iterator[Diagnosis]:
    """No other store claims one, and none is another under a second name."""
    seen: list[EquipmentFolder] = []
    for folder in equipment_folders(patient.settings) if patient.settings else ():
        owner = _other_owner(folder.root, patient)
        if owner:
            said = (
                f"{safe_text(folder.root)} belongs to the store {owner}; its runs are not taken here. If that store is"
                " retired, remove its name."
            )
            mend = command("rm", folder.root / OWNER_FILE)
            yield problem(f"{_CHECK}.owner", said, mend, subject=folder.equipment_id)
        try:
            refuse_overlap(folder, seen)
        except FolderOwnedError as error:
            yield problem(f"{_CHECK}.owner", safe_text(error), edit(patient.config), subject=folder.equipment_id)
        seen.append(folder)


def _other_owner(root: Path, patient: Patient) -> str:
    """The store on this PC or another that has put its name there; empty for ours, for none, and for one long gone."""
    try:
        told = json.loads((root / OWNER_FILE).read_bytes())
        store, host = str(told["store"]), str(told["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    ours = str((patient.state / STORE_NAME).resolve())
    if store == ours or (host == socket.gethostname() and not os.path.exists(store)):  # noqa: PTH110
        return ""
    return f"{safe_text(store)} on {safe_text(host)}"
