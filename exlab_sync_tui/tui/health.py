"""Is my data safe? The one sentence on top of the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT
from exlab_sync_tui.model.hold import Hold, HoldKind
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tui.moments import when

if TYPE_CHECKING:
    from exlab_sync_tui.engine.cockpit.view import Pulse
    from exlab_sync_tui.tui.options import Lab
    from exlab_sync_tui.tui.scene import Scene, Tally


@dataclass(frozen=True, slots=True)
class Health:
    """A mood (``headless.words``) and its sentence; safe to show."""

    mood: str
    sentence: str


def health(scene: Scene, pulse: Pulse, lab: Lab) -> Health:
    """What matters most: a lost engine, runs that need somebody, a destination that is away, work, peace."""
    total = scene.tally()
    if not pulse.alive:
        work = f"has been at work since {when(pulse.last_beat, scene.at)}" if pulse.last_beat else "is at work"
        return Health(BAD, f"No engine {work}: nothing moves, nothing is lost. `exlab-sync run` starts one.")
    outages = [_outage(hold, scene, lab) for hold in scene.destination_holds]
    if scene.needing:
        verb = "needs" if scene.needing == 1 else "need"
        return Health(BAD, _said(f"{count(scene.needing, 'run')} {verb} you.", *outages[:1], _rest(total, lab)))
    if outages:
        return Health(WAIT, " ".join(outages))
    stopped = [hold for hold in scene.instrument_holds.values() if hold.kind is not HoldKind.DISABLED]
    if stopped:
        return Health(WAIT, _said(_stopped(stopped, scene), _rest(total, lab)))
    if not total.total:
        return Health(NOTE, f"No runs yet: watching {_folders(lab)}.")
    return _at_work(total, lab)


def _at_work(total: Tally, lab: Lab) -> Health:
    if total.safe == total.total:
        all_of_them = "The only run is" if total.safe == 1 else f"All {count(total.safe, 'run')} are"
        return Health(GOOD, f"{all_of_them} safe on {lab.far_names}.")
    if not total.backlog:
        writing = count(total.held, "run")
        verb = "is" if total.held == 1 else "are"
        return Health(NOTE, _said(f"{writing} {verb} not finished yet.", _rest(total, lab)))
    verb = "is" if total.backlog == 1 else "are"
    return Health(MOVE, _said(f"{count(total.backlog, 'run')} {verb} on the way.", _rest(total, lab)))


def _said(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _rest(total: Tally, lab: Lab) -> str:
    if not total.safe:
        return ""
    return f"{total.safe:,} of {count(total.total, 'run')} are safe on {lab.far_names}."


def _outage(hold: Hold, scene: Scene, lab: Lab) -> str:
    behind = lab.behind(hold)
    backlog = sum(scene.tally(one.id).backlog for one in behind)
    runs = f"{count(backlog, 'run')} waiting, nothing lost" if backlog else "nothing is waiting"
    if hold.kind is HoldKind.AWAY:
        name = safe_text(behind[0].far_name) if behind else "The destination"
        return f"{name} is away since {when(hold.since, scene.at)}: {runs}."
    return f"{safe_text(hold.sentence).rstrip('.')} (since {when(hold.since, scene.at)}): {runs}."


def _stopped(holds: list[Hold], scene: Scene) -> str:
    first, more = holds[0], len(holds) - 1
    if first.kind is HoldKind.PAUSED:
        backlog = scene.tally(first.key).backlog
        waiting = f": {count(backlog, 'run')} waiting" if backlog else ""
        sentence = f"{safe_text(first.key)} is paused since {when(first.since, scene.at)}{waiting}."
    else:
        sentence = f"{safe_text(first.key)}: {safe_text(first.sentence).rstrip('.')}."
    others = f" So {'is' if more == 1 else 'are'} {count(more, 'other instrument')}." if more else ""
    return sentence + others


def _folders(lab: Lab) -> str:
    if not lab.instruments:
        return "nothing, because no instrument is configured"
    if len(lab.instruments) == 1:
        return safe_text(lab.instruments[0].folder)
    return f"the folders of {count(len(lab.instruments), 'instrument')}"
