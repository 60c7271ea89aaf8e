"""How many tests run at the same time?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors: most of the long tests wait for a child."""
    return (os.cpu_count() or 1) + 1
