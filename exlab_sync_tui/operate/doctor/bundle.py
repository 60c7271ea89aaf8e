"""What does somebody who helps from afar need to see? One archive, without secrets, and without names if asked for."""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import socket
import tarfile
from dataclasses import asdict
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ExlabSyncError, NotFoundError, RefusedError, StoreError
from exlab_sync_tui.operate.doctor.diagnosis import as_data
from exlab_sync_tui.operate.doctor.redaction import Redactor, names_in
from exlab_sync_tui.operate.doctor.registry import examine
from exlab_sync_tui.operate.doctor.tools import versions
from exlab_sync_tui.operate.listing import as_data as row_data
from exlab_sync_tui.operate.listing import listed
from exlab_sync_tui.operate.runs import all_holds, all_jobs
from exlab_sync_tui.operate.state_folder import STORE_NAME, log_path
from exlab_sync_tui.platform import user_name
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.settings.overview import effective
from exlab_sync_tui.text import safe_text, utc, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exlab_sync_tui.operate.doctor.patient import Patient

_RUNS = 500
_LINES = 1_000
_LOG_BYTES = 1 << 20
_CHOICES = frozenset({"layout", "completeness_signal", "sync_mode", "type", "days"})
"""Keys whose values are words of ours."""


def write_bundle(patient: Patient, place: Path, *, redact: bool) -> str:
    """Make the archive at *place*, never over something; the sentence that says what is in it.

    Raises ``RefusedError``, ``ExlabSyncError``.
    """
    parts, names = asyncio.run(_from_store(patient))
    parts["doctor"] = [as_data(one) for one in examine(patient)]
    parts["versions"] = versions()
    rows = _configuration(patient)
    parts["log"] = _log(patient)
    if redact:
        redactor = Redactor(_names(patient, names), salt=secrets.token_bytes(16))
        parts = {name: redactor.data(part) for name, part in parts.items()}
        rows = _redacted_rows(rows, redactor)
    parts["configuration"] = rows
    _pack(place, {name: _clean(part) for name, part in parts.items()}, patient)
    told = "names are replaced" if redact else "names of runs, folders and people are in it; --redact replaces them"
    return f"{safe_text(place)} has {', '.join(sorted(parts))}; no secret is in it, {told}."


async def _from_store(patient: Patient) -> tuple[dict[str, object], set[str]]:
    """Runs, holds and history of late, and every name that the store knows."""
    store = SQLiteStore(patient.state / STORE_NAME, read_only=True)
    names: set[str] = set()
    try:
        await store.open()
        async for job in all_jobs(store):
            names.update((*job.run_path.split("/"), *job.nas_path.split("/"), job.equipment_id))
        holds = [hold async for hold in all_holds(store)]
        for hold in holds:
            names.update(hold.key.split("/"))
        history = await store.news(max(await store.newest() - _LINES, 0), _LINES)
        names.update(line.who for line in history if line.who not in {"engine", "monitor", "lane"})
        return {
            "runs": [row_data(row) for row in await listed(store, limit=_RUNS)],
            "holds": [
                {**asdict(hold), "since": utc(hold.since), "until": utc(hold.until) if hold.until else None}
                for hold in holds[:_RUNS]
            ],
            "counts": [
                {"equipment_id": name, "state": state.value, "runs": number}
                for (name, state), number in (await store.counts()).items()
            ],
            "history": [
                {"at": utc(line.at), "run": line.run_path, "who": line.who, "what": line.what, "after": line.after}
                for line in history
            ],
        }, names
    except (NotFoundError, StoreError) as error:
        return {"runs": [], "store": str(error)}, names
    finally:
        await store.close()


def _configuration(patient: Patient) -> list[list[str]]:
    """The keys that are ours; ExLab-Wizard's own blocks are left out whole."""
    return [list(row) for row in effective(patient.loaded)] if patient.loaded else [list(patient.objections)]


def _redacted_rows(rows: Iterable[list[str]], redactor: Redactor) -> list[list[str]]:
    """Keys, and values that can only be words of ours, stay; other values and their places in files are redacted."""
    return [[*row[: _kept(row)], *map(redactor.text, row[_kept(row) :])] for row in rows]


def _kept(row: list[str]) -> int:
    if len(row) == 1:
        return 0
    return 2 if row[0].rpartition(".")[2] in _CHOICES else 1


def _names(patient: Patient, known: set[str]) -> set[str]:
    names = {*known, socket.gethostname(), user_name(), str(patient.config), str(patient.state)}
    if patient.settings is not None:
        equipment = [item.model_dump(mode="json") for item in patient.settings.equipment]
        for item in equipment:
            item.pop("transport_type", None)
            names.update(_own_words(item))
        names.update(patient.settings.operators.allowlist)
    return names


def _own_words(item: Mapping[str, object]) -> set[str]:
    found: set[str] = set()
    for key, value in item.items():
        if key in _CHOICES:
            continue
        if isinstance(value, dict):
            found |= _own_words(value)
        else:
            found.update(names_in({key: value}))
    return found


def _log(patient: Patient) -> list[str]:
    """The end of the log."""
    path = log_path(patient.state)
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _LOG_BYTES, 0))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return lines[-_LINES:]


def _clean(value: object) -> object:
    """The same without what looks like a secret."""
    match value:
        case str():
            return without_secrets(value)
        case dict():
            return {key: _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case _:
            return value


def _pack(place: Path, parts: Mapping[str, object], patient: Patient) -> None:
    now = patient.clock.now()
    try:
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except FileExistsError:
        raise RefusedError(f"{safe_text(place)} is there already and was left as it is; name another file.") from None
    except OSError as error:
        raise ExlabSyncError(f"{safe_text(place)} cannot be written: {error.strerror}; name another file.") from error
    with os.fdopen(fd, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, part in sorted(parts.items()):
            data = json.dumps(part, indent=1).encode() + b"\n"
            member = tarfile.TarInfo(f"exlab-sync-support/{name}.json")
            member.size, member.mtime, member.mode = len(data), int(now.timestamp()), 0o600
            archive.addfile(member, io.BytesIO(data))
