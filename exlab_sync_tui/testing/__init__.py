"""What can stand in for disk, network and time? Fakes that ship, so that the engine can be embedded and tested."""

from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.testing.clock import ManualClock
from exlab_sync_tui.testing.transport import FakeTransport

__all__ = ["FakeTransport", "ManualClock", "MemoryStore"]
