"""What just happened? The event stream as lines for a person, or as JSON lines for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import click

from exlab_sync_tui.headless.words import BAD, OF_EVENT, WAIT, Look, mood_of, spoken
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.text import safe_text, utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import TextIO

    from exlab_sync_tui.model.event import Event

_WORD_WIDTH = 9


class Line(Protocol):
    """Something on the terminal that must be out of the way before a line is written: the progress bar."""

    def clear(self) -> None:
        """Make room; it is drawn again later."""
        ...


class Reporter:
    """Writes every event to *out*, one line each."""

    def __init__(self, out: TextIO, *, as_json: bool = False, bar: Line | None = None) -> None:
        self._out = out
        self._as_json = as_json
        self._bar = bar
        self._look = Look.of(out)

    async def follow(self, events: AsyncIterator[Event]) -> None:
        """Write what comes until the stream ends."""
        before = ""
        async for event in events:
            if self._as_json or not _is_noise(event, before):
                self.show(event)
                before = event.sentence

    def show(self, event: Event) -> None:
        """Write one event."""
        self._put(json.dumps(as_data(event)) if self._as_json else self._line(event))

    def problem(self, equipment_id: str, sentence: str) -> None:
        """Write that something could not be looked into."""
        if self._as_json:
            self.write_json({"event": "problem", "equipment_id": equipment_id, "sentence": sentence})
        else:
            self._put(f"{self._look.glyph(WAIT)} {'problem':<{_WORD_WIDTH}}  {equipment_id}: {safe_text(sentence)}")

    def write(self, line: str) -> None:
        """Write one line of text, already safe; nothing in JSON mode."""
        if not self._as_json:
            self._put(line)

    def write_json(self, data: Mapping[str, object]) -> None:
        """Write one JSON object as a line; nothing in text mode. ASCII only, so that no name can drive a terminal."""
        if self._as_json:
            self._put(json.dumps(data))

    def _put(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        click.echo(line, file=self._out, color=self._look.colour)

    def _line(self, event: Event) -> str:
        mood, word = OF_EVENT[event.kind]
        if event.kind is EventKind.HOLD_SET:
            kind = str(event.data.get("hold", ""))
            mood, word = mood_of(kind), spoken(kind) or word
        marked = f"{self._look.glyph(mood)} {word:<{_WORD_WIDTH}}"
        colour = self._look.colour_of(mood)
        shown = click.style(marked, fg=colour, bold=mood == BAD or None) if colour else marked
        return f"{event.at.astimezone():%H:%M:%S}  {shown}  {named(event)}"


def named(event: Event) -> str:
    """The sentence, with the run's name in front where the sentence does not have it. Safe to show."""
    sentence = safe_text(event.sentence)
    name, instrument = safe_text(event.run_path.rpartition("/")[2]), safe_text(event.equipment_id)
    if name and name not in sentence:
        return f"{instrument} {name}: {sentence}".strip()
    if instrument and not name and instrument not in sentence:
        return f"{instrument}: {sentence}"
    return sentence


def as_data(event: Event) -> dict[str, object]:
    """An event as the JSON lines show it; paths keep their undecodable bytes as lone surrogates."""
    return {
        "at": utc(event.at),
        "event": event.kind.value,
        "sentence": event.sentence,
        "equipment_id": event.equipment_id,
        "run_path": event.run_path,
        "job_id": event.job_id,
        "data": dict(event.data),
    }


def _is_noise(event: Event, before: str) -> bool:
    """What the line *before*, or the next one, says as well."""
    hold = event.data.get("hold")
    if event.kind is EventKind.HOLD_CLEARED:
        return hold == HoldKind.ACQUIRING.value
    if event.kind is EventKind.HOLD_SET:
        return hold in _SAID_BY_ITS_RUN and event.data.get("scope") == HoldScope.RUN.value
    return event.kind is EventKind.RUN_RETRY and bool(before) and event.sentence.startswith(before)


_SAID_BY_ITS_RUN = frozenset({HoldKind.CONFLICT.value, HoldKind.WAITING.value, HoldKind.OVERSIZE.value})
"""Holds that a failure of the run lays: the line of the failure comes right behind."""
