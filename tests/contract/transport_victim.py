"""A program that sends a run to a folder and tells its progress, so that a test can kill or trace it.

Arguments: run folder, destination, lease file; with a fourth one, the run is published under that name.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from exlab_sync_tui.platform import lock_file
from exlab_sync_tui.transport.base import Pulse
from tests.contract.transport_lab import RUN, FarOnDisk, Lab, identity, mounted


class LoudPulse(Pulse):
    """Prints every step of what was sent."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in {"sent_bytes", "files_done"} and value:
            sys.stdout.write(f"{name} {value}\n")
            sys.stdout.flush()


async def main(source: str, destination: str, lease: str, final: str = "") -> None:
    """Send, and publish if there is a name for it."""
    with lock_file(Path(lease)) as lock:
        transport = mounted(Path(destination), lease_fd=lock.fd)
        lab = Lab(Path(source), transport, FarOnDisk(Path(destination)), LoudPulse())
        await transport.adopt(identity())
        await lab.open()
        async for _ in transport.push(lab.plan(lab.records())):
            pass
        if final:
            await transport.publish(RUN, final)
        await transport.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
