"""How does the service manager learn that we are at work? sd_notify(3): one datagram to the socket that it names."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MICROSECONDS = 1_000_000


class ServiceNotifier:
    """Tells ``READY``, ``WATCHDOG``, ``STATUS`` and ``STOPPING``; where no manager listens every call does nothing."""

    def __init__(self, address: str = "", *, watchdog_seconds: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds
        """How often the manager wants to hear of us; ``None`` if it does not."""

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> ServiceNotifier:
        """As the manager has set ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``."""
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        told = environ.get("WATCHDOG_USEC", "")
        seconds = int(told) / _MICROSECONDS if ours and told.isdecimal() and int(told) else None
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_seconds=seconds)

    def ready(self, status: str) -> None:
        """The engine works; *status* is one sentence for ``systemctl status``."""
        self._tell(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """The event loop turns."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1\nSTATUS=stopping; every run keeps its place")

    def _tell(self, message: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        # a manager that has gone away must not end the engine
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_manager:
            to_manager.setblocking(False)
            to_manager.sendto(message.encode(), self._address)
