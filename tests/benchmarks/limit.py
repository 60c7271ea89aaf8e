"""Does the bandwidth limit hold to the point? ``python -m tests.benchmarks.limit`` watches a real transfer for 10 s.

What is sent and what is read back share one limit (``FORMATS.md`` §6), so both are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui import NASSyncClient
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.provenance.creation import CreationWriter
from tests.acceptance.bench_lab import Lab, write_run
from tests.benchmarks.measure import workplace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_ROOM = 1 << 30
_MIB = 1 << 20
_BITS = 8
_KIBPS_PER_MBPS = 128
"""As the configuration counts (``FORMATS.md`` §9)."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a limit of ``mbps`` was held: percent off over the whole time, and the most that was ever ahead of it."""

    mbps: float
    percent_off: float
    seconds_ahead: float


def judge(seen: Sequence[tuple[float, int]], mbps: float) -> Held:
    """Of pairs of a moment in seconds and the bytes moved until then. Raises ``ValueError`` without two of them."""
    if len(seen) < 2:  # a rate needs a beginning and an end
        raise ValueError("nothing moved while it was watched")
    rate = round(mbps * _KIBPS_PER_MBPS) * 1024
    (begun, before), (ended, after) = seen[0], seen[-1]
    ahead = max(
        (later - earlier) / rate - (then - since)
        for number, (since, earlier) in enumerate(seen)
        for then, later in seen[number:]
    )
    off = 100 * ((after - before) / (ended - begun) / rate - 1)
    return Held(mbps, round(off, 2), round(ahead, 3))


async def measure(folder: Path, mbps: float, seconds: float = _SECONDS) -> Held:
    """Send a run that takes longer than that, and watch it."""
    lab = Lab(folder).prepare(mbps=mbps)
    write_run(lab.local / "Run_A", large_mib=int(mbps / _BITS * (seconds + 5)) + 1)
    client = NASSyncClient(
        config=json.loads(lab.config.read_text()),
        queue_db=lab.state / "queue.db",
        validator=Validator(),
        cache_creation=CreationWriter(),
    )
    seen: list[tuple[float, int]] = []
    async with client:
        await client.scan()
        deadline = time.perf_counter() + 2 * seconds + 60
        while not seen or seen[-1][0] - seen[0][0] < seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.perf_counter()
            if now > deadline:
                break
            moved = sum(flight.pulse.sent_bytes + flight.pulse.checked_bytes for flight in client.progress())
            if moved:
                seen.append((now, moved))
    return judge(seen, mbps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limit", description=__doc__)
    parser.add_argument("--mbps", type=float, nargs="+", default=[8.0, 80.0, 400.0], help="limits in Mbit/s")
    chosen = parser.parse_args(arguments)
    found = []
    for mbps in chosen.mbps:
        with workplace(_ROOM) as folder:
            found.append(asdict(asyncio.run(measure(folder, mbps))))
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
