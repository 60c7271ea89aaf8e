"""Do clock, disks and limits of this PC allow the work?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import advice, command, problem, well
from exlab_sync_tui.operate.wiring import equipment_folders
from exlab_sync_tui.text import safe_text, size, utc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient

_GIB = 1 << 30
_STATE_NEEDS = _GIB // 4
_FIRST_SENSIBLE_YEAR = 2024
_SMALL_SHARE = 0.05


def knows_the_time(patient: Patient) -> Iterator[Diagnosis]:
    """A wrong clock dates proofs wrongly and lets cleanup wait for ever."""
    now = patient.clock.now()
    synchronise = "sudo timedatectl set-ntp true"
    if now.year < _FIRST_SENSIBLE_YEAR:
        yield problem("machine.clock", f"This PC believes that it is {utc(now)}; its clock is wrong.", synchronise)
        return
    told = patient.machine.ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if told == "no":
        said = f"The clock ({utc(now)}) is not synchronised; proofs are dated by it."
        yield advice("machine.clock", said, synchronise)
    else:
        yield well("machine.clock", f"The clock says {utc(now)}{' and is synchronised' if told == 'yes' else ''}.")


def has_room(patient: Patient) -> Iterator[Diagnosis]:
    """An instrument whose disk is full stops; so does an engine."""
    places: dict[Path, str] = {}
    if patient.settings is not None:
        places = {folder.root: folder.equipment_id for folder in equipment_folders(patient.settings)}
    for place, subject in places.items():
        if place.is_dir():
            yield _room(patient, place, subject)
    state = next((place for place in (patient.state, *patient.state.parents) if place.is_dir()), None)
    if state is not None:
        free, _ = patient.machine.space(state)
        if free < _STATE_NEEDS:
            said = f"Only {size(free)} are free for the state folder {safe_text(patient.state)}; the store needs room."
            yield problem("machine.space", said, command("df", "-h", state))


def _room(patient: Patient, place: Path, subject: str) -> Diagnosis:
    free, total = patient.machine.space(place)
    said = f"{size(free)} of {size(total)} are free on the disk of {safe_text(place)}"
    if free < _GIB:
        mend = "exlab-sync list --state verified"
        return problem("machine.space", f"Only {said}; the instrument will stop.", mend, subject=subject)
    if total and free / total < _SMALL_SHARE:
        return advice("machine.space", f"Only {said}.", "exlab-sync list --state verified", subject=subject)
    return well("machine.space", f"{said[0].upper()}{said[1:]}.", subject=subject)
