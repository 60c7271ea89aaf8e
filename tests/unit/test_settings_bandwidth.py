"""Is the cap the right one at every moment of the week?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exlab_sync_tui.settings import Bandwidth, Window, limit_kibps
from exlab_sync_tui.settings.bandwidth import DAYS

OFFICE = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}]
NIGHT = [{"days": ["mon"], "from": "22:00", "to": "06:00"}]
MONDAY = "2025-03-10"
TUESDAY = "2025-03-11"
MONDAY_0 = datetime.fromisoformat(f"{MONDAY}T00:00:00")
WEEK_MINUTES = 7 * 24 * 60


@pytest.mark.parametrize(
    ("mbps", "schedule", "now", "expected"),
    [
        (None, OFFICE, f"{MONDAY}T12:00:00", None),
        (8, [], f"{MONDAY}T03:00:00", 1024),
        (50, [], f"{MONDAY}T03:00:00", 6400),
        (1000, [], f"{MONDAY}T03:00:00", 128_000),
        (0.0039, [], f"{MONDAY}T03:00:00", 1),
        (0.02734375, [], f"{MONDAY}T03:00:00", 4),
        (0.01953125, [], f"{MONDAY}T03:00:00", 2),
        (50, OFFICE, f"{MONDAY}T07:59:59.999999", None),
        (50, OFFICE, f"{MONDAY}T08:00:00", 6400),
        (50, OFFICE, f"{MONDAY}T08:10:00", 6400),
        (50, OFFICE, f"{MONDAY}T17:59:59", 6400),
        (50, OFFICE, f"{MONDAY}T18:00:00", None),
        (50, OFFICE, f"{MONDAY}T18:00:00.000001", None),
        (50, OFFICE, "2025-03-09T12:00:00", None),
        (20, [{"days": ["mon"], "from": "08:00", "to": "08:01"}], f"{MONDAY}T08:00:59", 2560),
        (20, NIGHT, f"{MONDAY}T05:00:00", None),
        (20, NIGHT, f"{MONDAY}T22:00:00", 2560),
        (20, NIGHT, f"{TUESDAY}T05:59:59", 2560),
        (20, NIGHT, f"{TUESDAY}T06:00:00", None),
        (20, NIGHT, f"{TUESDAY}T22:00:00", None),
        (20, [{"days": ["mon"], "from": "18:00", "to": "24:00"}], f"{MONDAY}T23:59:59", 2560),
        (20, [{"days": ["mon"], "from": "18:00", "to": "24:00"}], f"{TUESDAY}T00:00:00", None),
        (20, [{"days": ["sun"], "from": "23:00", "to": "01:00"}], f"{MONDAY}T00:30:00", 2560),
    ],
)
def test_the_cap_at_a_moment(mbps: float | None, schedule: list[Any], now: str, expected: int | None) -> None:
    bandwidth = Bandwidth.model_validate({"upload_mbps": mbps, "schedule": schedule})

    assert limit_kibps(bandwidth, datetime.fromisoformat(now)) == expected


minutes = st.integers(0, 1439)


@given(day=st.sampled_from(DAYS), start=minutes, length=st.integers(1, 1439), asked=st.integers(0, WEEK_MINUTES - 1))
def test_a_window_is_as_long_as_it_says_and_begins_on_its_day(day: str, start: int, length: int, asked: int) -> None:
    end = (start + length) % 1440
    window = Window.model_validate({"days": [day], "from": clock(start), "to": clock(end)})

    begins = DAYS.index(day) * 1440 + start
    inside = (asked - begins) % WEEK_MINUTES < length

    assert window.covers(MONDAY_0 + timedelta(minutes=asked)) == inside


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@pytest.mark.parametrize(
    ("written", "read"), [("8:05", "08:05"), (1080, "18:00"), (60, "01:00"), (1440, "24:00"), ("24:00", "24:00")]
)
def test_the_end_can_be_written_in_several_ways(written: object, read: str) -> None:
    assert Window.model_validate({"days": ["Mon"], "from": "00:00", "to": written}).to == read


@pytest.mark.parametrize(
    "written", [8, 18, 1441, -60, True, 18.0, "24:01", "18", "18:00:00", "", None, "\uff11\uff18:00"]
)
def test_what_is_not_a_time_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="time of day"):
        Window.model_validate({"days": ["mon"], "from": "00:00", "to": written})


@pytest.mark.parametrize(
    "bad",
    [
        {"days": ["mon"], "from": "24:00", "to": "06:00"},
        {"days": [], "from": "08:00", "to": "18:00"},
        {"days": ["monday"], "from": "08:00", "to": "18:00"},
        {"from": "08:00", "to": "18:00"},
        {"days": ["mon"], "from": "08:00", "from_": "09:00", "to": "18:00"},
    ],
)
def test_windows_that_cannot_be_meant_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate(bad)


@pytest.mark.parametrize("mbps", [0, -1, True, "fast", float("nan"), float("inf"), 1e308])
def test_a_cap_is_a_sensible_number(mbps: object) -> None:
    with pytest.raises(ValidationError):
        Bandwidth.model_validate({"upload_mbps": mbps})


def test_no_schedule_can_be_written_as_null() -> None:
    assert Bandwidth.model_validate({"schedule": None}) == Bandwidth()
