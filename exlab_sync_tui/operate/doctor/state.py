"""Is the state folder on a local disk and ours, can the store be read, and does an engine work on it?"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.heartbeat import BEAT_NOTE, LOST_SECONDS, parse_beat
from exlab_sync_tui.errors import NotFoundError, StoreDamagedError, StoreError, StoreTooNewError
from exlab_sync_tui.operate.doctor.diagnosis import advice, command, problem, well
from exlab_sync_tui.operate.state_folder import STORE_NAME, engine_runs, log_path
from exlab_sync_tui.platform import NETWORK_FILE_SYSTEMS
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.text import ago, count, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient
    from exlab_sync_tui.queue.store import Debt

_CHECK = "state"


def is_on_a_local_disk(patient: Patient) -> Iterator[Diagnosis]:
    """Locks and a database are unsafe on a share."""
    folder = next((place for place in (patient.state, *patient.state.parents) if place.exists()), patient.state)
    kind = patient.machine.file_system(folder)
    place = safe_text(patient.state)
    if kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse."):
        said = f"The state folder {place} lies on {kind}; locks and a database are unsafe there."
        yield problem(_CHECK, said, "export EXLAB_SYNC_STATE=/var/lib/exlab-sync")
    elif not os.access(folder, os.W_OK | os.X_OK):
        mend = command("sudo", "install", "-d", "-o", str(_owner()), patient.state)
        yield problem(_CHECK, f"The state folder {place} cannot be written.", mend)
    elif not patient.state.is_dir() and folder == patient.state:
        yield problem(_CHECK, f"{place} is no folder.", "export EXLAB_SYNC_STATE=/var/lib/exlab-sync")
    else:
        yield well(_CHECK, f"The state folder {place} is on a local disk ({kind or 'kind unknown'}).")


def _owner() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def can_be_read(patient: Patient) -> Iterator[Diagnosis]:
    """The store opens, and nothing is owed for long."""
    path = patient.state / STORE_NAME
    try:
        debts = asyncio.run(_debts(patient))
    except NotFoundError:
        yield well("state.store", "Nothing has been queued yet; the store is made at the first start.")
    except StoreTooNewError as error:
        said = f"{safe_text(error)} In a clone of the newer version:"
        yield problem("state.store", said, command(sys.executable, "-m", "pip", "install", "--upgrade", "."))
    except StoreDamagedError as error:
        said = f"{safe_text(error)} An engine that starts sets it aside and begins anew from the runs' own records."
        yield problem("state.store", said, "exlab-sync run")
    except StoreError as error:
        yield problem("state.store", safe_text(error), "exlab-sync status")
    else:
        yield well("state.store", f"The store {safe_text(path)} can be read.")
        if debts:
            first = debts[0]
            why = f": {first.last_error}" if first.last_error else ""
            said = f"{count(len(debts), 'record')} could not be written yet, the first for {first.run_path}{why}"
            mend = command("exlab-sync", "show", first.run_path)
            yield advice("state.owed", f"{safe_text(said)}. It is tried again by itself.", mend)


async def _debts(patient: Patient) -> list[Debt]:
    store = SQLiteStore(patient.state / STORE_NAME, read_only=True)
    await store.open()
    try:
        return [debt for debt in await store.debts() if debt.last_error]
    finally:
        await store.close()


def has_an_engine(patient: Patient) -> Iterator[Diagnosis]:
    """Somebody holds the lock, and has given a sign of life lately."""
    if not patient.state.is_dir():
        return
    runs = engine_runs(patient.state)
    if runs is None:
        yield advice(
            "state.engine", "Whether an engine runs cannot be seen from this account.", "sudo exlab-sync doctor"
        )
    elif not runs:
        yield advice("state.engine", "No engine is running, so nothing moves.", "exlab-sync run")
    else:
        yield asyncio.run(_pulse(patient))


async def _pulse(patient: Patient) -> Diagnosis:
    store = SQLiteStore(patient.state / STORE_NAME, read_only=True)
    try:
        await store.open()
        beat = parse_beat(await store.noted(BEAT_NOTE))
    except (NotFoundError, StoreError):
        beat = None
    finally:
        await store.close()
    now = patient.clock.now()
    if beat is None or beat.stopped:
        said = "A process holds the state folder and gives no sign of life; it starts, ends or hangs."
        return problem("state.engine", said, "systemctl restart exlab-sync")
    if (now - beat.at).total_seconds() > LOST_SECONDS:
        said = f"An engine (process {beat.process}) holds the state folder and was last heard of {ago(beat.at, now)}."
        return problem("state.engine", said, "systemctl restart exlab-sync")
    return well("state.engine", f"An engine is running (process {beat.process}).")


def can_log(patient: Patient) -> Iterator[Diagnosis]:
    """The log that somebody will want to read one day can be written."""
    path = log_path(patient.state)
    if path.exists() and not os.access(path, os.W_OK):
        yield problem("state.log", f"The log {safe_text(path)} cannot be written.", command("sudo", "rm", path))
