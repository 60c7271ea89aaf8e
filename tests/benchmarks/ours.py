"""How long does exlab-sync take for a run, from enqueue to VERIFIED?"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exlab_sync_tui.model.event import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exlab_sync_tui import NASSyncClient

EQUIPMENT = "BENCH_01"
_PATIENCE_SECONDS = 600


def adopt(nas: Path) -> None:
    """Make *nas* a destination: write its identity marker (``FORMATS.md`` §7)."""
    marker = {"id": str(uuid.uuid4()), "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    (nas / ".exlab-destination.json").write_text(json.dumps(marker), encoding="utf-8")


def place_of(run: Path, nas: Path) -> Path:
    """Where the run lies on the destination once it is verified."""
    return nas / EQUIPMENT / run.name


def config(run: Path, nas: Path, block: Callable[[Path], dict[str, object]] | None = None) -> dict[str, object]:
    """A plain instrument whose folder has nothing in it but the run; *block* is its transport, else a mounted share."""
    return {
        "equipment": [
            {
                "id": EQUIPMENT,
                "label": "Benchmark",
                "local_root": str(run.parent),
                "nas_root": "//bench/lab",
                "layout": "plain",
                "completeness_signal": "sentinel_file",
                "sentinel_filename": "done.flag",
                "settle_seconds": 0,
                "transport": block(nas) if block else {"type": "mount", "path": str(nas)},
            }
        ]
    }


async def to_verified(
    run: Path, nas: Path, state: Path, *, block: Callable[[Path], dict[str, object]] | None = None
) -> float:
    """Seconds from enqueue to VERIFIED with an engine that is running already, as it does in a lab.

    Raises ``RuntimeError`` with the engine's own words if the run fails or is blocked; ``TimeoutError`` in the end.
    """
    client = _client(config(run, nas, block), state)
    await client.init()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            events = client.events()
            start = time.perf_counter()
            handle = await client.enqueue(run)
            if not handle.job_id:
                raise RuntimeError(f"the run was not taken: {handle}")
            async for event in events:  # a question every now and then would cost what is measured
                if event.kind is EventKind.RUN_VERIFIED:
                    return time.perf_counter() - start
                if event.kind is EventKind.RUN_FAILED:
                    raise RuntimeError(f"the run was not verified: {event.sentence}")
            raise RuntimeError("the engine ended before the run was verified")
    finally:
        await client.close()


def _client(document: dict[str, object], state: Path) -> NASSyncClient:
    # Imported here, so that the peers can be measured where the program cannot be imported.
    from exlab_sync_tui import NASSyncClient, Settings  # noqa: PLC0415
    from exlab_sync_tui.gate.validator import Validator  # noqa: PLC0415
    from exlab_sync_tui.provenance.creation import CreationWriter  # noqa: PLC0415

    return NASSyncClient(
        config=Settings.model_validate(document),
        queue_db=state / "queue.db",
        validator=Validator(),
        cache_creation=CreationWriter(),
    )
