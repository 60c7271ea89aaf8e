"""How heavy is the engine while it moves what lies in a lab? A process of its own; prints JSON.

``python -m tests.acceptance.weigh CONFIG STATE``: the ``seconds`` that it took, ``peak`` bytes of memory, children
included, ``longest`` seconds that the event loop was blocked, the ``stack`` that was seen meanwhile, and the ``states``
in the end, with the number of runs in each.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

from exlab_sync_tui import NASSyncClient
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.provenance.creation import CreationWriter
from tests.watchdog import LoopWatch, PeakMemory


async def weigh(config: dict[str, object], state: Path) -> dict[str, object]:
    """From the start of the engine until nothing moves any more."""
    client = NASSyncClient(
        config=config,
        queue_db=state / "queue.db",
        validator=Validator(),
        cache_creation=CreationWriter(),
    )
    begun = time.perf_counter()
    with PeakMemory() as memory:
        async with LoopWatch() as watch, client:
            await client.scan()
            await client.drain()
            seconds = time.perf_counter() - begun
            states: Counter[str] = Counter()
            for (_, state_of), runs in (await client.store.counts()).items():
                states[state_of.value] += runs
    return {"seconds": seconds, "peak": memory.peak, "longest": watch.longest, "stack": watch.stack, "states": states}


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps(asyncio.run(weigh(settings, Path(sys.argv[2])))))  # noqa: T201  # that is its answer
