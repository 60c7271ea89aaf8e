"""Can those be told and those measure whom the configuration names?"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotifyError
from exlab_sync_tui.operate.doctor.diagnosis import command, problem, well
from exlab_sync_tui.operate.metrics import gauger
from exlab_sync_tui.operate.notify import post
from exlab_sync_tui.text import count, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.patient import Patient


def can_notify(patient: Patient) -> Iterator[Diagnosis]:
    """apprise is installed and every URL is found; whether a message arrives is for `notify test`."""
    targets = patient.settings.notify.targets if patient.settings else ()
    if not targets:
        return
    if find_spec("apprise") is None:
        yield problem("notify", "Nobody is told: the package apprise is not installed.", post.INSTALL)
        return
    wrong = False
    for target in targets:
        try:
            post.resolve(target, patient.environ)
        except NotifyError as error:
            wrong = True
            yield problem("notify", safe_text(error), command("exlab-sync", "notify", "test", target.name))
    if not wrong:
        yield well("notify", f"{count(len(targets), 'target')} will be told.")


def can_measure(patient: Patient) -> Iterator[Diagnosis]:
    """prometheus-client is installed where figures are asked for."""
    if patient.settings is None or (
        patient.settings.metrics.port is None and patient.settings.metrics.textfile is None
    ):
        return
    if find_spec("prometheus_client") is None:
        said = "No figures are given: the package prometheus-client is not installed."
        yield problem("metrics", said, gauger.INSTALL)
    else:
        yield well("metrics", "Figures are given while an engine runs.")
