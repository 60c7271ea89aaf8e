"""Can a file be written, renamed and removed on a destination, how is it proved there, and what time is it there?"""

from __future__ import annotations

import hashlib
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exlab_sync_tui.operate.doctor.diagnosis import advice, edit, problem, well
from exlab_sync_tui.text import duration
from exlab_sync_tui.transport.base import ASSEMBLY, Owner
from exlab_sync_tui.tree.paths import incoming_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.model.evidence import EvidenceLevel
    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient
    from exlab_sync_tui.transport.base import Capabilities, RemoteEntry, Transport

_FILE = "probe.txt"
_TEXT = b"exlab-sync doctor was here\n"
_CLOCKS_APART = 120.0
_SHOW = "exlab-sync destination show"


async def try_out(patient: Patient, transport: Transport, identity: str, subject: str) -> list[Diagnosis]:
    """Do it once, in an incoming folder of our own that goes away again. Raises ``TransportError``."""
    host = socket.gethostname()
    # the same folder every time: what an interrupted doctor has left is taken up and removed by the next one
    token = hashlib.sha256(f"{host}\0{os.fspath(patient.state)}\0{subject}".encode(errors="replace")).hexdigest()[:8]
    incoming, owner = incoming_folder("doctor", token), Owner(f"doctor of {host}", token)
    transport.expect(identity)
    capabilities = await transport.open_incoming(incoming, owner)
    try:
        entries, is_same = await _round(transport, incoming, renames=capabilities.renames_folders)
    finally:
        await transport.remove_incoming(incoming, owner)
    return [
        _written(capabilities, is_same=is_same, subject=subject),
        *_rung(patient, capabilities.rung, subject),
        *_clocks(patient, entries, subject),
    ]


async def _round(transport: Transport, incoming: str, *, renames: bool) -> tuple[list[RemoteEntry], bool]:
    """Write, look, rename the folder, read back; what was seen, and whether the bytes are the same."""
    place = f"{incoming}/{ASSEMBLY}"
    await transport.write_text(place, _FILE, _TEXT)
    entries = [entry async for page in transport.list(place) for entry in page]
    if renames:
        await transport.publish(place, f"{incoming}/renamed")
        place = f"{incoming}/renamed"
    return entries, await transport.read_text(place, _FILE) == _TEXT


def _written(capabilities: Capabilities, *, is_same: bool, subject: str) -> Diagnosis:
    check = "destination.write"
    if not is_same:
        said = "A file that was written there reads back differently, so nothing that is sent there is safe."
        return problem(check, said, _SHOW, subject=subject)
    if not capabilities.renames_folders:
        said = (
            "A file could be written and removed. Folders cannot be renamed there, so a run becomes visible file by"
            " file, its receipt last (publish: direct)."
        )
        return advice(check, said, subject=subject)
    return well(check, "A file could be written, its folder renamed, and both removed.", subject=subject)


def _rung(patient: Patient, rung: EvidenceLevel | None, subject: str) -> list[Diagnosis]:
    """Whether the proof that this destination can give is enough."""
    check = "destination.evidence"
    if patient.settings is None:
        return []
    minimum = patient.settings.verify.minimum
    if rung is None:
        said = "Nothing can be proved there: no rung of evidence is within reach."
        return [problem(check, said, edit(patient.config), subject=subject)]
    said = f"Evidence: {rung.value}, that is: {rung.sentence}"
    if not rung.satisfies(minimum):
        said += f". verify.minimum asks for {minimum.value}, so no run would ever be verified"
        return [problem(check, f"{said}.", edit(patient.config), subject=subject)]
    return [well(check, f"{said}.", subject=subject)]


def _clocks(patient: Patient, entries: Sequence[RemoteEntry], subject: str) -> list[Diagnosis]:
    """How far the destination's clock is from ours, by the time of the file that was just written."""
    written = next((entry.mtime_ns for entry in entries if entry.mtime_ns), 0)
    if not written:
        return []
    apart = (datetime.fromtimestamp(written / 1e9, UTC) - patient.clock.now()).total_seconds()
    if abs(apart) <= _CLOCKS_APART:
        return []
    ahead = "ahead of" if apart > 0 else "behind"
    said = f"The destination's clock is {duration(abs(apart))} {ahead} this PC's; cleanup waits until both agree."
    return [advice("destination.clock", said, "timedatectl", subject=subject)]
