"""Does each destination answer, is it the right one, and can a file be written, renamed and removed there?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.reach import destination_key
from exlab_sync_tui.errors import ExlabSyncError, NotFoundError, StoreError, TransportError, TransportErrorKind
from exlab_sync_tui.operate.doctor.diagnosis import Mood, advice, command, problem, well
from exlab_sync_tui.operate.doctor.ssh import knows_the_host
from exlab_sync_tui.operate.doctor.tryout import try_out
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.settings.transports import RsyncSshTransport, SftpTransport
from exlab_sync_tui.text import duration, safe_text, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient
    from exlab_sync_tui.settings import Equipment, Settings
    from exlab_sync_tui.settings.transports import TransportBlock
    from exlab_sync_tui.transport.base import DestinationState, Transport

_CHECK = "destination"
_PATIENCE = 30.0
_LONGER_PATIENCE = 180.0
_GIB = 1 << 30
_SMALL_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class _Place:
    """One destination, for the instruments that share it."""

    block: TransportBlock
    equipment_id: str
    names: str
    adopted: str


def answer(patient: Patient) -> Iterator[Diagnosis]:
    """Every destination once, however many instruments share it."""
    if patient.settings is None:
        return
    unknown = {found.subject for found in knows_the_host(patient) if found.mood is Mood.PROBLEM}
    for place in _places(patient.settings, asyncio.run(_adopted(patient))):
        if place.equipment_id in unknown:
            continue  # nothing is sent there before its key is known
        yield from asyncio.run(_examine(patient, place))
    for item in patient.settings.equipment:
        if item.transport is None:
            said = f"ExLab-Wizard moves the runs of {item.id} (sync_mode stage); it has no destination here."
            yield well(_CHECK, said, subject=item.id)


def _places(settings: Settings, adopted: Mapping[str, str]) -> list[_Place]:
    shared: dict[str, list[Equipment]] = {}
    for item in settings.equipment:
        if item.transport is not None:
            shared.setdefault(destination_key(item.transport), []).append(item)
    return [
        _Place(items[0].transport, items[0].id, ", ".join(item.id for item in items), adopted.get(key, ""))
        for key, items in shared.items()
        if items[0].transport is not None
    ]


async def _adopted(patient: Patient) -> dict[str, str]:
    """The ids that were adopted, as far as the store can be read."""
    if patient.settings is None:
        return {}
    keys = {destination_key(item.transport) for item in patient.settings.equipment if item.transport is not None}
    store = SQLiteStore(patient.state / STORE_NAME, read_only=True)
    try:
        await store.open()
        return {key: await store.noted(f"destination:{key}") or "" for key in keys}
    except (NotFoundError, StoreError):
        return {}
    finally:
        await store.close()


async def _examine(patient: Patient, place: _Place) -> list[Diagnosis]:
    show = command("exlab-sync", "destination", "show", place.equipment_id)
    try:
        transport = patient.machine.transport(place.block)
    except ExlabSyncError as error:
        return [problem(_CHECK, safe_text(error), "exlab-sync config show", subject=place.names)]
    try:
        async with asyncio.timeout(_PATIENCE):
            state = await transport.probe()
        async with asyncio.timeout(_LONGER_PATIENCE):
            return await _look(patient, place, transport, state)
    except TransportError as error:
        return [problem(_CHECK, safe_text(error), _mends(error, place) or show, subject=place.names)]
    except TimeoutError:
        waited = f"{duration(_PATIENCE)}, or {duration(_LONGER_PATIENCE)} while it was tried out"
        said = f"{transport.title} did not answer in time ({waited})."
        return [problem(_CHECK, safe_text(said), show, subject=place.names)]
    finally:
        await transport.close()


def _mends(error: TransportError, place: _Place) -> str:
    """What to do about an answer that is an error, where that is always the same."""
    block = place.block
    if error.error_kind is TransportErrorKind.NETWORK and block.type == "mount":
        return command("sudo", "mount", block.path)
    if error.error_kind is TransportErrorKind.AUTH and isinstance(block, SftpTransport | RsyncSshTransport):
        return command("ssh-copy-id", "-i", block.ssh_key_path, "-p", block.port, block.ssh_target)
    return ""


async def _look(patient: Patient, place: _Place, transport: Transport, state: DestinationState) -> list[Diagnosis]:
    title, subject = safe_text(transport.title), place.names
    adopt = command("exlab-sync", "destination", "adopt", place.equipment_id)
    if state.identity is None:
        said = f"{title} answers and has no marker: it was never adopted, or another share is mounted there."
        return [problem(_CHECK, said, adopt, subject=subject), *_space(state, title, subject)]
    if place.adopted and state.identity.id != place.adopted:
        said = (
            f"{title} is another destination ({state.identity.id[:8]}) than the one that was adopted"
            f" ({place.adopted[:8]}); mount the right share, or move to this one."
        )
        mend = command("exlab-sync", "destination", "move", place.equipment_id)
        return [problem(_CHECK, safe_text(said), mend, subject=subject)]
    found = [
        well(_CHECK, f"{title} answers and is the right one ({safe_text(state.identity.id)[:8]}).", subject=subject)
    ]
    if not place.adopted:
        said = f"{title} has a marker, and this PC has not accepted it yet."
        found = [problem(_CHECK, said, adopt, subject=subject)]
    found += _space(state, title, subject)
    return found + await try_out(patient, transport, state.identity.id, subject)


def _space(state: DestinationState, title: str, subject: str) -> list[Diagnosis]:
    check = "destination.space"
    free, total = state.free_bytes, state.total_bytes
    if free is None:
        return [advice(check, f"{title} does not tell how much room it has.", subject=subject)]
    of = f" of {size(total)}" if total else ""
    said = f"{size(free)}{of} are free on {title}"
    if free < _GIB:
        return [problem(check, f"Only {said}; runs will wait.", "exlab-sync destination show", subject=subject)]
    if total and free / total < _SMALL_SHARE:
        return [advice(check, f"Only {said}.", "exlab-sync destination show", subject=subject)]
    return [well(check, f"{said}.", subject=subject)]
