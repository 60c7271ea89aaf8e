"""Does an override lift its class exactly as long as nobody took it back?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.provenance.overrides import OverrideInForce, active_classes, in_force, revoked_since

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
RULE = "unresolved_placeholder_token"
Json = dict[str, Any]


def override(**changes: object) -> Json:
    entry: Json = {
        "id": "ov-1",
        "problem_class": RULE,
        "operator": "mira",
        "recorded_at": "2024-11-02T10:00:00Z",
        "reason": "vendor naming",
        "revoked": False,
    }
    return entry | changes


def tombstone(**changes: object) -> Json:
    entry: Json = {
        "id": "tb-1",
        "revokes": "ov-1",
        "operator": "mira",
        "recorded_at": "2024-12-02T10:00:00Z",
        "reason": "fixed",
        "revoked": True,
    }
    return entry | changes


@pytest.mark.parametrize(
    ("entries", "active"),
    [
        ([], False),
        ([override()], True),
        ([override(expires_at=None)], True),
        ([override(expires_at="2025-06-02T12:00:01Z")], True),
        ([override(expires_at="2025-06-02T14:00:01+02:00")], True),
        ([override(expires_at="2025-06-02T12:00:00Z")], False),
        ([override(expires_at="")], False),
        ([override(expires_at="soon")], False),
        ([override(expires_at=5)], False),
        ([override(revoked=True)], False),
        ([override(), tombstone()], False),
        ([tombstone(), override()], False),
        ([override(), tombstone(revokes="nobody")], True),
        ([override(id=7), tombstone(revokes=7)], False),
        ([override(id=None), tombstone(revokes="None")], True),
        ([override(id=""), tombstone(revokes="")], True),
        ([override(), tombstone(), tombstone(id="tb-2", revokes="tb-1")], False),
        ([override(), tombstone(), override(id="ov-2")], True),
        ([override(problem_class=None)], False),
        ([tombstone(problem_class=RULE)], False),
    ],
)
def test_active_is_what_is_neither_revoked_nor_named_nor_expired(entries: list[Json], active: bool) -> None:
    assert active_classes(entries, NOW) == (frozenset({RULE}) if active else frozenset())


def test_an_entry_without_an_id_is_active() -> None:
    entry = override()
    del entry["id"]
    assert active_classes([entry], NOW) == {RULE}


def test_the_receipt_is_told_who_lifted_what_and_why() -> None:
    entries = [override(expires_at="2030-01-01T00:00:00Z"), override(id="ov-0", problem_class="orphan", operator=3)]
    assert in_force(entries, NOW) == (
        OverrideInForce("orphan", "ov-0", "3", "vendor naming", "2024-11-02T10:00:00Z"),
        OverrideInForce(RULE, "ov-1", "mira", "vendor naming", "2024-11-02T10:00:00Z", "2030-01-01T00:00:00Z"),
    )


_ids = st.sampled_from(["a", "b", "c", None, 4])
_times = st.sampled_from([None, "", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00+05:00", "2031-01-01"])
_overrides = st.builds(
    lambda number, name, until, revoked: override(id=number, problem_class=name, expires_at=until, revoked=revoked),
    _ids,
    st.sampled_from(["x", "y"]),
    _times,
    st.booleans(),
)
_tombstones = st.builds(lambda number, named: tombstone(id=number, revokes=named), _ids, _ids.filter(bool))
_entries = st.lists(_overrides | _tombstones, max_size=8)


@given(entries=_entries, data=st.data())
def test_the_order_of_entries_does_not_matter(entries: list[Json], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(entries))
    assert in_force(shuffled, NOW) == in_force(entries, NOW)
    assert revoked_since(shuffled, NOW) == revoked_since(entries, NOW)


@given(entries=_entries, more=_tombstones)
def test_another_tombstone_never_revives_anything(entries: list[Json], more: Json) -> None:
    assert active_classes([*entries, more], NOW) <= active_classes(entries, NOW)


@given(entries=_entries, more=_overrides)
def test_another_override_never_takes_anything_back(entries: list[Json], more: Json) -> None:
    assert active_classes(entries, NOW) <= active_classes([*entries, more], NOW)


@given(entries=_entries, hours=st.integers(0, 10**6))
def test_an_expired_override_stays_expired(entries: list[Json], hours: int) -> None:
    assert active_classes(entries, NOW + timedelta(hours=hours)) <= active_classes(entries, NOW)


@pytest.mark.parametrize(
    ("entries", "blocks"),
    [
        ([override()], False),
        ([override(), tombstone(recorded_at="2025-06-02T11:59:59Z")], False),
        ([override(), tombstone(recorded_at="2025-06-02T12:00:00Z")], True),
        ([override(), tombstone(recorded_at="2025-06-02T14:00:00+02:00")], True),
        ([override(), tombstone(recorded_at=None)], True),
        ([override(), tombstone(recorded_at="yesterday")], True),
        ([override(), tombstone(revokes="nobody", recorded_at="2025-06-03T00:00:00Z")], True),
        ([override(revoked=True)], True),
    ],
)
def test_a_revocation_since_then_is_found_even_if_its_time_is_unreadable(entries: list[Json], blocks: bool) -> None:
    assert revoked_since(entries, NOW + timedelta(milliseconds=900)) is blocks
