"""Whose folder is this? Two stores never own the same one (``FORMATS.md`` §1, invariant S4)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import FolderOwnedError
from exlab_sync_tui.provenance.atomic import LockBusyError, locked, write_atomic
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exlab_sync_tui.model.run import EquipmentFolder

OWNER_FILE = ".exlab-sync-owner.json"
"""Lies in the instrument's folder; ``{"store_id", "store", "host"}``."""


def claim_folder(folder: EquipmentFolder, store_id: str, store_file: Path) -> bool:
    """Write our name into the instrument's folder, or see that it is there; ``False`` if nothing can be written there.

    A store on this PC that no longer exists is succeeded. Raises ``FolderOwnedError`` if another store owns the folder.
    """
    place = folder.root / OWNER_FILE
    try:
        with locked(place):
            return _claim(folder, place, store_id, store_file)
    except (OSError, LockBusyError):
        return False


def _claim(folder: EquipmentFolder, place: Path, store_id: str, store_file: Path) -> bool:
    mine = {"store_id": store_id, "store": str(store_file.resolve()), "host": socket.gethostname()}
    owner = _read(place)
    if owner == mine:
        return True
    if owner is not None and owner.get("store_id") != store_id and _is_alive(owner, mine["host"], mine["store"]):
        raise FolderOwnedError(
            f"{folder.root} already belongs to the store {safe_text(owner.get('store', ''))} on"
            f" {safe_text(owner.get('host', ''))}; its runs are not taken here. Use that store, or remove {place} once"
            " it is retired."
        )
    write_atomic(place, json.dumps(mine, indent=1).encode() + b"\n")
    return True


def refuse_overlap(folder: EquipmentFolder, others: Iterable[EquipmentFolder]) -> None:
    """Two instruments never own the same files, be it by a link: the configuration only compares how paths are spelled.

    Raises ``FolderOwnedError``.
    """
    real = folder.root.resolve()
    for other in others:
        theirs = other.root.resolve()
        if real == theirs or real in theirs.parents or theirs in real.parents:
            raise FolderOwnedError(
                f"{safe_text(folder.root)} of {folder.equipment_id} and {safe_text(other.root)} of"
                f" {other.equipment_id} are the same place or lie one in the other ({safe_text(real)}); only"
                f" {other.equipment_id} takes its runs. Remove one of the two instruments, or give it another folder."
            )


def _read(place: Path) -> dict[str, str] | None:
    try:
        found = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_alive(owner: dict[str, str], host: str, our_store: str) -> bool:
    """Whether the owner may still be at work: always assumed of another PC, and here if its store still exists."""
    if owner.get("host") != host:
        return True
    store = owner.get("store", "")
    return store != our_store and Path(store).exists()
