"""How is one instrument doing? Its state in a word, its limit in few, and everything that is known of it in pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.headless.words import MOVE, NOTE, WAIT
from exlab_sync_tui.text import duration, safe_text, size
from exlab_sync_tui.tui.moments import soon, when
from exlab_sync_tui.tui.premises import Survey
from exlab_sync_tui.tui.scene import Live, Scene, seconds_left
from exlab_sync_tui.tui.telling import mood_of_hold, word_of

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.engine.cockpit.room import Room
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.tui.options import Instrument, Lab
    from exlab_sync_tui.tui.premises import Limit

SCARCE = 0.05
"""A disk with less than this share free is shown as a warning."""
_KIBPS_PER_MBPS = 128


@dataclass(frozen=True, slots=True)
class Sight:
    """What the screen knows at one moment."""

    lab: Lab
    scene: Scene
    live: Live = field(default_factory=Live)
    survey: Survey = field(default_factory=Survey)

    def hold_on(self, one: Instrument) -> Hold | None:
        """Why nothing of it moves: a hold on the instrument itself, else one on its destination."""
        behind = (hold for hold in self.scene.destination_holds if one in self.lab.behind(hold))
        return self.scene.instrument_holds.get(one.id) or next(behind, None)

    def needing(self, one: Instrument) -> int:
        """How many of its runs wait for a person."""
        stuck = sum(1 for run in self.scene.stuck if run.equipment_id == one.id)
        return self.scene.tally(one.id).failed + stuck


def state_of(one: Instrument, sight: Sight) -> tuple[str, str]:
    """A mood (``headless.words``) and a word."""
    scene, hold = sight.scene, sight.hold_on(one)
    backlog = scene.tally(one.id).backlog
    if hold is not None:
        return mood_of_hold(hold.kind.value), word_of(hold.kind.value)
    if sight.live.at(one.id) is not None:
        return MOVE, "sending"
    if backlog and not sight.live.pulse.alive:
        return WAIT, "stopped"
    if backlog:
        return NOTE, "queued"
    if any(held.equipment_id == one.id and held.kind.value == "acquiring" for held in scene.bare):
        return NOTE, "acquiring"
    return NOTE, "idle"


def facts_of(one: Instrument, sight: Sight) -> list[tuple[str, str]]:
    """Label and text of each thing that is known of it, the pressing ones first; safe to show."""
    now, tally, survey = sight.scene.at, sight.scene.tally(one.id), sight.survey
    needing, hold = sight.needing(one), sight.hold_on(one)
    runs = [f"{needing:,} need{'s' if needing == 1 else ''} you"] if needing else []
    runs += [f"{tally.backlog:,} to send", f"{tally.safe:,} safe"]
    facts = []
    if hold is not None:
        facts.append(("Held", f"{safe_text(hold.sentence).rstrip('.')} (since {when(hold.since, now)})."))
    facts += [("Runs", ", ".join(runs)), ("Rate", _rate(one, sight))]
    facts.append(("Limit", limit_words(survey.limits.get(one.id), now, then=True)))
    facts += [("Free here", _room(survey.here.get(one.id))), ("Free on NAS", _room(survey.there.get(one.id)))]
    facts += [("Folder", safe_text(one.folder)), ("NAS", safe_text(one.far_root or one.far_name))]
    return facts


def limit_words(limit: Limit | None, now: datetime, *, then: bool = False) -> str:
    """How fast it may send, until when, and *then* how fast."""
    if limit is None or (limit.now is None and limit.until is None):
        return "no limit"
    text = _speed(limit.now)
    if limit.until is None:
        return text
    return f"{text} until {soon(limit.until, now)}" + (f", then {_speed(limit.then)}" if then else "")


def is_scarce(room: Room) -> bool:
    """Whether so little is free that somebody should know."""
    return room.total > 0 and room.free < room.total * SCARCE


def _rate(one: Instrument, sight: Sight) -> str:
    flight, left = sight.live.at(one.id), seconds_left(sight.scene, sight.live, one.id)
    if flight is None:
        return "nothing is being sent"
    rate = f"{size(round(flight.rate))}/s" if flight.rate else "just begun"
    return rate if left is None else f"{rate}, all sent in {duration(left)}"


def _room(room: Room | None) -> str:
    if room is None:
        return "not known yet"
    return f"{'! ' if is_scarce(room) else ''}{size(room.free)} of {size(room.total)}"


def _speed(kibps: int | None) -> str:
    return "no limit" if kibps is None else f"{kibps / _KIBPS_PER_MBPS:,.4g} Mbit/s"
