"""Does the system tell us of changes, or does its limit on watches stand in the way?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import advice, problem, well
from exlab_sync_tui.operate.wiring import equipment_folders
from exlab_sync_tui.platform import NETWORK_FILE_SYSTEMS
from exlab_sync_tui.text import duration, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient

_CHECK = "watching"
_TOO_FEW_WATCHES = 8_192
_ENOUGH_WATCHES = 65_536
_ENOUGH_SETS = 16


def has_enough_watches(patient: Patient) -> Iterator[Diagnosis]:
    """inotify(7): every folder of an open run takes one watch of the user's."""
    watches = patient.machine.kernel("fs/inotify/max_user_watches")
    sets = patient.machine.kernel("fs/inotify/max_user_instances")
    if watches is None or sets is None:
        return
    raise_watches = "sudo sysctl -w fs.inotify.max_user_watches=524288"
    late = "runs are then noticed by the rescan only"
    if watches < _TOO_FEW_WATCHES:
        yield problem(_CHECK, f"A user may watch only {watches:,} folders; {late}.", raise_watches)
    elif watches < _ENOUGH_WATCHES:
        yield advice(_CHECK, f"A user may watch {watches:,} folders, few for large runs; {late}.", raise_watches)
    else:
        yield well(_CHECK, f"A user may watch {watches:,} folders.")
    if sets < _ENOUGH_SETS:
        yield problem(
            _CHECK,
            f"A user may have only {sets:,} sets of watches, and other programs take some; {late}.",
            "sudo sysctl -w fs.inotify.max_user_instances=512",
        )


def hears_of_changes(patient: Patient) -> Iterator[Diagnosis]:
    """A folder on a share sends no events; it is polled."""
    if patient.settings is None:
        return
    often = duration(patient.settings.sync.rescan_seconds)
    for folder in equipment_folders(patient.settings):
        try:
            kind = patient.machine.file_system(folder.root)
        except OSError:
            continue  # whether it is there is another check's business
        if kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse."):
            said = (
                f"{safe_text(folder.root)} lies on {kind}, which tells of no change that others make; it is looked at"
                f" again and again, at least every {often}."
            )
            yield advice(_CHECK, said, subject=folder.equipment_id)
