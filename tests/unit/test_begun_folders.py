"""A final folder that a killed engine had just begun to fill is taken up again, and nobody else's is."""

from __future__ import annotations

import pytest

from exlab_sync_tui.engine.travel.assembled import _is_unfinished_owner


@pytest.mark.parametrize(
    ("rel", "is_ours"),
    [
        (".exlab-wizard/..exlab-owner.json.exlab-part", True),
        (".exlab-wizard/.exlab-owner.json.1a2b.part", True),
        (".exlab-wizard/.exlab-owner.json", False),
        ("..exlab-owner.json.exlab-part", False),
        (".exlab-wizard/deep/..exlab-owner.json.exlab-part", False),
        (".exlab-wizard/creation.json", False),
        ("a.raw", False),
    ],
)
def test_only_an_owner_file_that_is_half_written_says_nothing(rel: str, *, is_ours: bool) -> None:
    assert _is_unfinished_owner(rel) is is_ours
