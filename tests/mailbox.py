"""How does a test receive a message? A mail server and a web server on loopback ports, each in a thread of its own."""

from __future__ import annotations

import json
import queue
import socketserver
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from email.message import EmailMessage

_PATIENCE = 30.0


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs to hand a message over."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline():
            match line[:4].upper():
                case b"EHLO" | b"HELO":
                    self._say("250 here")
                case b"DATA":
                    self._say("354 go on")
                    self.server.box.put(self._message())  # type: ignore[attr-defined]
                    self._say("250 taken")
                case b"QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _message(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Hook(BaseHTTPRequestHandler):
    """Takes every POST."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.box.put((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


class _Server:
    def __init__(self, server: socketserver.TCPServer) -> None:
        self._server = server
        server.box = queue.Queue()  # type: ignore[attr-defined]
        self.port = int(server.server_address[1])
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_PATIENCE)

    def _next(self) -> Any:
        return self._server.box.get(timeout=_PATIENCE)  # type: ignore[attr-defined]


class MailServer(_Server):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail))

    def received(self) -> EmailMessage:
        """The next message; waits for it."""
        return message_from_bytes(self._next(), policy=policy.default)


class WebHook(_Server):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), _Hook))

    def received(self) -> tuple[str, dict[str, Any]]:
        """Path and JSON of the next post; waits for it."""
        path, body = self._next()
        return path, json.loads(body)
