"""How heavy is the engine while it moves what lies in a lab? A process of its own; prints JSON.

``python -m tests.acceptance.weigh CONFIG STATE``: ``peak`` bytes of memory, children included, ``longest`` seconds that
the event loop was blocked, the ``stack`` that was seen meanwhile, and the ``states`` of all runs in the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from exlab_sync_tui import NASSyncClient
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.provenance.creation import CreationWriter
from exlab_sync_tui.queue.store import JobFilter
from tests.watchdog import LoopWatch, PeakMemory


async def weigh(config: dict[str, object], state: Path) -> dict[str, object]:
    """From the start of the engine until nothing moves any more."""
    client = NASSyncClient(
        config=config,
        queue_db=state / "queue.db",
        validator=Validator(),
        cache_creation=CreationWriter(),
    )
    with PeakMemory() as memory:
        async with LoopWatch() as watch, client:
            await client.scan()
            await client.drain()
            states = [job.state.value for job in await client.store.jobs(JobFilter())]
    return {"peak": memory.peak, "longest": watch.longest, "stack": watch.stack, "states": states}


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps(asyncio.run(weigh(settings, Path(sys.argv[2])))))  # noqa: T201  # that is its answer
