"""How fast may an instrument send at this moment? (``FORMATS.md`` §9)"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exlab_sync_tui.settings.block import Block, Number, objection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_KIBPS_PER_MBPS = 128
_LOOK_AHEAD_DAYS = 9
"""A week, the rest of today, and an edge at midnight."""
_HOUR = 60
_DAY = 24 * _HOUR
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)


def _clock_time(value: object) -> object:
    # YAML 1.1 reads an unquoted 18:00 as the number 1080; below 60 it can only have been meant as something else.
    if isinstance(value, int) and not isinstance(value, bool) and _HOUR <= value <= _DAY:
        value = f"{value // _HOUR:02d}:{value % _HOUR:02d}"
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or _minutes(match[0]) > _DAY:
        raise objection('must be a time of day such as "18:00"')
    return match[0].zfill(5)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * _HOUR + int(minutes)


def _begins_in_the_day(text: str) -> str:
    if _minutes(text) == _DAY:
        raise objection('a window begins at "23:59" at the latest; "00:00" of the next day is meant')
    return text


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _nothing_is_no_window(value: object) -> object:
    return () if value is None else value


ClockTime = Annotated[str, BeforeValidator(_clock_time)]


class Window(Block):
    """A span ``[from, to)`` of local time on some days; over midnight it belongs to the day on which it begins."""

    spellings: ClassVar[Mapping[str, str]] = {"from_": "from"}

    days: Annotated[tuple[Annotated[Day, BeforeValidator(_lower)], ...], Field(min_length=1)]
    """Days on which the window begins: mon tue wed thu fri sat sun."""
    from_: Annotated[ClockTime, AfterValidator(_begins_in_the_day), Field(alias="from")]
    """Local time at which the cap begins, such as "08:00"."""
    to: ClockTime
    """Local time at which the cap ends; "24:00" is the end of the day."""

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.from_ == self.to:
            raise objection('begins and ends at the same time; for a whole day write from "00:00" to "24:00"')
        return self

    def covers(self, local: datetime) -> bool:
        """Whether the local time *local* lies in the window."""
        today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        minute, start, end = local.hour * _HOUR + local.minute, _minutes(self.from_), _minutes(self.to)
        if start < end:
            return today in self.days and start <= minute < end
        return (today in self.days and minute >= start) or (yesterday in self.days and minute < end)


class Bandwidth(Block):
    """A cap on sending; without a schedule it always applies."""

    upload_mbps: Annotated[float, Number, Field(gt=0, le=1_000_000)] | None = None
    """Megabits per second; null means no limit."""
    schedule: Annotated[tuple[Window, ...], BeforeValidator(_nothing_is_no_window)] = ()
    """Windows of local time in which the cap applies; none means always."""


def limit_kibps(bandwidth: Bandwidth, local: datetime) -> int | None:
    """The cap in KiB/s at the local time *local*, at least 1; ``None`` means no limit."""
    if bandwidth.upload_mbps is None:
        return None
    if bandwidth.schedule and not any(window.covers(local) for window in bandwidth.schedule):
        return None
    return max(1, round(bandwidth.upload_mbps * _KIBPS_PER_MBPS))


def next_change(bandwidth: Bandwidth, local: datetime) -> tuple[datetime, int | None] | None:
    """When the cap is another one next, and which; ``None`` if it never changes. Only window edges are looked at."""
    now = limit_kibps(bandwidth, local)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    edges = {_minutes(edge) for window in bandwidth.schedule for edge in (window.from_, window.to)} | {0}
    for day in range(_LOOK_AHEAD_DAYS):
        for minutes in sorted(edges):
            moment = midnight + timedelta(days=day, minutes=minutes)
            if moment > local and limit_kibps(bandwidth, moment) != now:
                return moment, limit_kibps(bandwidth, moment)
    return None
