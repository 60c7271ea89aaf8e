"""What acceptance tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.shares import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def new_share(tmp_path: Path) -> Iterator[Callable[..., Share]]:
    """Mounts shares below the test's folder: the first is seen at ``nas``, where a ``Lab`` looks for it."""
    shares: list[Share] = []

    def make(name: str = "nas", *, mib: int = 64) -> Share:
        share = Share(tmp_path / name, tmp_path / f"server of {name}")
        shares.append(share)
        return share.create(mib)

    yield make
    for share in reversed(shares):
        share.remove()
