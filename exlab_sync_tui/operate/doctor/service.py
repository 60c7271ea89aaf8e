"""Does the service that starts the engine fit this configuration?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import problem, well
from exlab_sync_tui.operate.service.systemd import Manager, fits
from exlab_sync_tui.operate.service.unit import OURS
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient


def is_up_to_date(patient: Patient) -> Iterator[Diagnosis]:
    """A unit that was written for other folders keeps the engine from writing to new ones."""
    if not sys.platform.startswith("linux") or patient.loaded is None:
        return
    for manager in (Manager.of_system(), Manager.of_user(patient.environ)):
        text = manager.installed()
        if not text.startswith(OURS) or f"--state {patient.state} " not in text:
            continue  # none, or that of another set-up
        again = "sudo exlab-sync service install --system" if manager.for_system else "exlab-sync service install"
        if fits(manager, patient.loaded.settings, config=patient.loaded.path, state=patient.state):
            yield well("service", f"{safe_text(manager.unit)} fits the configuration.")
        else:
            said = f"{safe_text(manager.unit)} was written for another configuration than the one in force."
            yield problem("service", said, again)
