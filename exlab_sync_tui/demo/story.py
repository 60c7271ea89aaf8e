"""What happens in the live demo, and when? The script: a plain list of scenes, about two minutes long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.lab import Instrument, SampleLab, SampleRun, Trait

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP = 0.5
_CONFOCAL, _SEQUENCER, _READER = Instrument.CONFOCAL, Instrument.SEQUENCER, Instrument.READER
_WRITING = {
    _CONFOCAL: ((3, 12), (15, 20), (23, 29), (36, 45)),
    _SEQUENCER: ((5, 18), (46, 54)),
    _READER: ((26, 31), (47, 52)),
}
"""From when to when each instrument writes its runs that are not there yet, in seconds."""


class Deed(Enum):
    """What somebody in the lab does."""

    WRITE = auto()
    """An instrument goes on writing its run, up to ``share`` of its bytes; the signal is not among them."""
    FINISH = auto()
    """The instrument writes what is left, and the signal that the run is complete."""
    SWITCH_OFF = auto()
    """The NAS goes away."""
    SWITCH_ON = auto()
    """The NAS is back."""
    REPAIR = auto()
    """Somebody fills in the name that the run's files lack."""
    CLEAR = auto()
    """Somebody moves away what lies in the run's place on the NAS."""
    RETRY = auto()
    """The operator's turn: the failed run is to be tried again."""
    REST = auto()
    """Nothing; there is only something to say, or to wait for."""


class Cue(Enum):
    """What must be seen before a scene can be played."""

    BLOCKED = auto()
    """The gate keeps the run here."""
    FAILED = auto()
    """The run has failed."""
    AWAY = auto()
    """The engine has noticed that the NAS is away."""
    BACK = auto()
    """The engine has noticed that the NAS is back."""
    ALL_SAFE = auto()
    """Every run is verified."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that happens ``at`` so many seconds after the beginning, and not before its ``cue``.

    ``share`` belongs to ``WRITE``. ``words`` are told to whoever watches; they fit into the event log at 80 columns.
    """

    at: float
    deed: Deed
    run: SampleRun | None = None
    share: float = 0.0
    cue: Cue | None = None
    words: str = ""


def already_there(lab: SampleLab) -> tuple[SampleRun, ...]:
    """The runs that were finished while nobody was looking: the first one of two instruments."""
    return tuple(next(run for run in lab.runs if run.instrument is one) for one in (_CONFOCAL, _READER))


def story(lab: SampleLab) -> tuple[Scene, ...]:
    """The scenes in their order: runs that are written, and what befalls them."""
    return tuple(sorted((*_instruments_at_work(lab), *_mishaps(lab)), key=lambda scene: scene.at))


def _instruments_at_work(lab: SampleLab) -> Iterator[Scene]:
    """Each instrument writes one run after the other, in the order of the plan."""
    times = {one: iter(spans) for one, spans in _WRITING.items()}
    there = already_there(lab)
    for run in lab.runs:
        if run in there:
            continue
        begin, end = next(times[run.instrument])
        steps = int((end - begin) / _STEP)
        for step in range(steps):
            yield Scene(begin + step * _STEP, Deed.WRITE, run, share=(step + 1) / steps)
        yield Scene(end, Deed.FINISH, run)


def _mishaps(lab: SampleLab) -> Iterator[Scene]:
    unnamed = next(run for run in lab.runs if run.trait is Trait.BROKEN_NAME)
    refused = next(run for run in lab.runs if run.trait is Trait.OCCUPIED)
    yield Scene(1, Deed.REST, words="A made-up lab at work. Lean back; one run needs you.")
    yield Scene(42.25, Deed.SWITCH_OFF, words="Somebody switches the NAS off. Runs simply wait.")
    yield Scene(67, Deed.SWITCH_ON, cue=Cue.AWAY, words="The NAS is on again; the next look will find it.")
    yield Scene(76, Deed.CLEAR, refused, cue=Cue.FAILED, words=f"Somebody cleared the place of {refused.path.name}.")
    yield Scene(79, Deed.RETRY, refused, cue=Cue.BACK)
    yield Scene(84, Deed.REPAIR, unnamed, cue=Cue.BLOCKED, words=f"Somebody repaired the names in {unnamed.path.name}.")
    yield Scene(106, Deed.RETRY, refused)  # once more, because much has scrolled by since
    yield Scene(107, Deed.REST, cue=Cue.ALL_SAFE, words="That was the story: every run is safe on the NAS.")
