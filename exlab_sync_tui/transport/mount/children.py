"""Who copies? The children of one mounted share, and which of them gets the next batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.copier.child import Child

if TYPE_CHECKING:
    from exlab_sync_tui.transport.base import Pulse
    from exlab_sync_tui.transport.copier.wire import Outcome, Told
    from exlab_sync_tui.transport.limiter import Limiter
    from exlab_sync_tui.transport.mount.anchor import Anchor

_COPIER = "exlab_sync_tui.transport.copier.process"
AHEAD = 2
"""Batches of small files that a child has at hand, so that it never waits for the engine."""


class Crew:
    """All children over one anchored root; started when they are needed, ended together."""

    def __init__(self, anchor: Anchor, lease_fd: int | None, limiter: Limiter, size: int) -> None:
        self.anchor = anchor
        self._lease_fd = lease_fd
        self._limiter = limiter
        self._size = size
        self._children: list[Child] = []
        self._freed = asyncio.Event()

    async def pick(self, *, large: bool) -> Child:
        """The child that may take the next batch, once there is one; a large file never waits behind another."""
        while True:
            await self._replace_dead()
            idle = [child for child in self._children if not child.load]
            if not idle and len(self._children) < self._size:
                self._children.append(await self._start())
                continue
            if idle:
                return idle[0]
            if not large:
                ready = [child for child in self._children if child.load < AHEAD and not child.large]
                if ready:
                    return min(ready, key=lambda child: child.load)
            self._freed.clear()
            await self._freed.wait()

    async def _start(self) -> Child:
        """A child that inherits the anchored root and the engine's lease."""
        root = self.anchor.root.fd
        where = ("-" if root is None else str(root), self.anchor.root.path)
        manner = "free" if self._limiter.always_unlimited else "limited"
        inherited = [fd for fd in (root, self._lease_fd) if fd is not None]
        return await Child.start(_COPIER, (*where, manner), self._limiter, inherited=inherited)

    async def _replace_dead(self) -> None:
        """Forget children that died while they rested; one that dies at work fails its task."""
        for child in [child for child in self._children if not child.alive and not child.load]:
            self._children.remove(child)
            await child.end()

    async def do(self, child: Child, task: tuple[object, ...], pulse: Pulse) -> tuple[list[Outcome], Told | None]:
        """Let *child* carry out a task; raises ``TransportError`` if the child died."""
        try:
            return await child.do(task, pulse)
        finally:
            self._freed.set()

    async def end(self) -> None:
        """End all children and let go of the destination; idempotent."""
        children, self._children = self._children, []
        await asyncio.gather(*(child.end() for child in children))
        self.anchor.close()
