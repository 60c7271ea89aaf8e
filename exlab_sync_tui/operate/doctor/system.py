"""Is the installation that several people of this PC share set up so that each of them can work with it?"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import command, problem, well
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient

_CHECK = "shared"


def is_shared_well(patient: Patient) -> Iterator[Diagnosis]:
    """The group, the state folder that hands it on, and files that the group can write (umask 002)."""
    if not patient.system_wide or not hasattr(os, "getgroups"):
        return
    import grp  # noqa: PLC0415  # only where there are groups

    name = patient.group
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        yield problem(_CHECK, f"There is no group {name}.", command("sudo", "groupadd", "--system", name))
        return
    if not patient.state.is_dir():
        make = command("sudo", "install", "-d", "-g", name, "-m", "2770", patient.state)
        yield problem(_CHECK, f"The shared state folder {safe_text(patient.state)} is not there.", make)
        return
    yield from _folder(patient, number)
    if os.geteuid() != 0 and number not in {os.getegid(), *os.getgroups()}:
        mend = f'sudo usermod -aG {name} "$USER"'
        yield problem(_CHECK, f"You are not in the group {name}; it counts from the next login on.", mend)


def _folder(patient: Patient, number: int) -> Iterator[Diagnosis]:
    name, state = patient.group, patient.state
    told = state.stat()
    place = safe_text(state)
    if told.st_gid != number:
        yield problem(
            _CHECK, f"{place} does not belong to the group {name}.", command("sudo", "chgrp", "-R", name, state)
        )
    elif not told.st_mode & stat.S_ISGID or not told.st_mode & stat.S_IWGRP:
        said = f"{place} does not hand its group on, or the group cannot write there (setgid, g+w)."
        yield problem(_CHECK, said, command("sudo", "chmod", "2770", state))
    elif store := _closed_file(patient):
        said = f"{store} cannot be written by the group {name}: whoever made it had a umask that is not 002."
        yield problem(_CHECK, said, command("sudo", "chmod", "-R", "g+rwX", state))
    else:
        yield well(_CHECK, f"{place} is shared with the group {name}.")


def _closed_file(patient: Patient) -> str:
    store = patient.state / STORE_NAME
    for place in (store, store.with_name(f"{STORE_NAME}-wal"), store.with_name(f"{STORE_NAME}-shm")):
        if place.exists() and not place.stat().st_mode & stat.S_IWGRP:
            return safe_text(place)
    return ""
