"""When was that, in local time and few characters? Month names are ours, so that no locale changes a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def when(moment: datetime, now: datetime) -> str:
    """``14:02`` today, ``3 Mar 14:02`` this year, ``3 Mar 2024`` before."""
    local, today = moment.astimezone(), now.astimezone()
    day = f"{local.day} {_MONTHS[local.month - 1]}"
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{day} {local:%H:%M}" if local.year == today.year else f"{day} {local.year}"


def soon(moment: datetime, now: datetime) -> str:
    """``18:00`` today, ``Mon 08:00`` within a week."""
    local, today = moment.astimezone(), now.astimezone()
    return f"{local:%H:%M}" if local.date() == today.date() else f"{_DAYS[local.weekday()]} {local:%H:%M}"


def age(moment: datetime, now: datetime) -> str:
    """How long ago, in its largest unit: ``14 s``, ``3 min``, ``2 h``, ``5 d``; ``now`` for less than a second."""
    rest = (now - moment).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if rest >= length:
            return f"{int(rest // length):,} {unit}"
    return "now"


def exactly(moment: datetime) -> str:
    """``2025-03-03 14:02:11`` in local time."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
