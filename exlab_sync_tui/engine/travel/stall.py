"""Is a transfer still moving?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import duration

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.transport.base import Pulse

_Result = TypeVar("_Result")
_LOOKS = 10


async def run_unless_stalled(
    step: Coroutine[None, None, _Result], pulse: Pulse, clock: Clock, stall_seconds: float, title: str
) -> _Result:
    """Await *step*; end it with ``NETWORK`` when *pulse* has not changed for *stall_seconds*."""
    work = asyncio.ensure_future(step)
    watch = asyncio.ensure_future(_until_stalled(pulse, clock, stall_seconds))
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise TransportError(
            f"{title} has not moved a byte for {duration(stall_seconds)}; the transfer was ended and keeps its place.",
            TransportErrorKind.NETWORK,
        )
    finally:
        watch.cancel()
        work.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _until_stalled(pulse: Pulse, clock: Clock, stall_seconds: float) -> None:
    last = _mark(pulse)
    moved_at = clock.monotonic()
    while clock.monotonic() - moved_at < stall_seconds:
        await clock.sleep(stall_seconds / _LOOKS)
        if (now := _mark(pulse)) != last:
            last, moved_at = now, clock.monotonic()


def _mark(pulse: Pulse) -> tuple[int, int, int, int, str]:
    return pulse.sent_bytes, pulse.skipped_bytes, pulse.checked_bytes, pulse.files_done, pulse.current
