"""Which checks are there, and in what order are they made?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ConfigError, ExlabSyncError
from exlab_sync_tui.operate.doctor import (
    config,
    destination,
    folders,
    machine,
    service,
    ssh,
    state,
    system,
    telling,
    tools,
    watching,
)
from exlab_sync_tui.operate.doctor.diagnosis import problem
from exlab_sync_tui.operate.doctor.patient import Patient
from exlab_sync_tui.settings.loading import load_settings
from exlab_sync_tui.settings.locations import find_config
from exlab_sync_tui.settings.problems import ConfigProblems
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis

    Check = Callable[[Patient], Iterator[Diagnosis]]

CHECKS: tuple[Check, ...] = (
    tools.are_named,
    config.is_right,
    config.is_ours_to_change,
    config.cleans_up,
    state.is_on_a_local_disk,
    state.can_be_read,
    state.has_an_engine,
    state.can_log,
    system.is_shared_well,
    service.is_up_to_date,
    machine.knows_the_time,
    machine.has_room,
    folders.are_there,
    folders.are_ours,
    watching.has_enough_watches,
    watching.hears_of_changes,
    ssh.has_tools,
    ssh.has_a_key,
    ssh.knows_the_host,
    destination.answer,
    telling.can_notify,
    telling.can_measure,
)
"""In the order in which a person would mend things."""


def examine(patient: Patient) -> Iterator[Diagnosis]:
    """Make every check; one that cannot be made says so and does not keep the others from being made."""
    for check in CHECKS:
        try:
            yield from check(patient)
        except (OSError, ExlabSyncError) as error:
            family = check.__module__.rpartition(".")[2]
            where = f"{safe_text(error.filename)}: {error.strerror}" if isinstance(error, OSError) else safe_text(error)
            yield problem(family, f"This could not be looked at: {where}", "sudo exlab-sync doctor")


def admit(config_path: Path | None, state_folder: Path, environ: Mapping[str, str]) -> Patient:
    """The set-up that a command means; a configuration that cannot be used is no obstacle."""
    try:
        found = find_config(config_path, environ=environ)
        loaded = load_settings(found, environ=environ)
    except ConfigProblems as error:
        return Patient(state_folder, environ, found, objections=tuple(map(str, error.problems)))
    except ConfigError:
        return Patient(state_folder, environ)
    return Patient(state_folder, environ, found, loaded)
