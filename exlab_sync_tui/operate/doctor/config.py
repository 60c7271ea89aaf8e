"""Is the configuration there, right, and only changed by those who may?"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import advice, command, edit, problem, well
from exlab_sync_tui.text import count, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient

_CHECK = "config"


def is_right(patient: Patient) -> Iterator[Diagnosis]:
    """Every problem of the file, each with the command that opens it."""
    if patient.config is None:
        yield problem(_CHECK, "There is no configuration yet.", "exlab-sync init")
        return
    for sentence in patient.objections:
        yield problem(_CHECK, safe_text(sentence), edit(patient.config))
    if patient.settings is None:
        return
    place = safe_text(patient.config)
    if not patient.settings.equipment:
        yield problem(_CHECK, f"{place} has no instrument, so there is nothing to watch.", edit(patient.config))
        return
    yield well(_CHECK, f"{place} is right: {count(len(patient.settings.equipment), 'instrument')}.")


def is_ours_to_change(patient: Patient) -> Iterator[Diagnosis]:
    """Who can write the configuration decides where data goes."""
    if patient.config is None or patient.loaded is None:
        return
    mode = patient.config.stat().st_mode
    if mode & stat.S_IWOTH:
        yield problem(
            f"{_CHECK}.access",
            f"Everybody on this PC can change {safe_text(patient.config)}, and so where the data goes.",
            command("chmod", "o-w", patient.config),
        )


def cleans_up(patient: Patient) -> Iterator[Diagnosis]:
    """Whether local copies are ever released is worth a line."""
    if patient.settings is None:
        return
    if patient.settings.cleanup_enabled:
        yield well(f"{_CHECK}.cleanup", "Cleanup is on: proven local copies are released.")
    else:
        yield advice(
            f"{_CHECK}.cleanup",
            "Cleanup is off, so local copies stay until somebody deletes them; nas_cleanup.enabled turns it on.",
        )
    if not patient.settings.sync.enabled:
        yield problem(f"{_CHECK}.sync", "sync.enabled is false, so nothing is sent.", edit(patient.config))
