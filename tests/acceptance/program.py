"""How do tests start the real program hundreds of times? As a fork of one process that has paid for its imports."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.acceptance.zygote import LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self, TextIO

_ROOT = Path(__file__).parents[2]
_PROMISE = 30


class _Zygote:
    """The process that forks; one for all tests of this process."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.acceptance.zygote", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=_ROOT, pass_fds=(theirs.fileno(),))
        self._lock = threading.Lock()

    def ask(self, descriptors: Sequence[int] = (), **request: object) -> Any:
        """What it answers."""
        with self._lock:
            socket.send_fds(self._line, [json.dumps(request).encode()], descriptors)
            return json.loads(self._line.recv(LONGEST))

    def end(self) -> None:
        self._line.close()
        self._process.wait(_PROMISE)


@functools.cache
def _zygote() -> _Zygote:
    zygote = _Zygote()
    atexit.register(zygote.end)
    return zygote


class Program:
    """A running program, used as a ``subprocess.Popen`` is: its output is text, in two pipes."""

    def __init__(self, words: Sequence[str], *, environ: Mapping[str, str] | None = None) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        (out, their_out), (err, their_err) = os.pipe(), os.pipe()
        self.stdout: TextIO = os.fdopen(out)
        self.stderr: TextIO = os.fdopen(err)
        try:
            self.pid: int = _zygote().ask(
                (their_out, their_err),
                what="start",
                words=self.args,
                folder=str(Path.cwd()),
                environ={**os.environ, **(environ or {})},
            )
        finally:
            os.close(their_out)
            os.close(their_err)
        self._ended = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Its exit status, ``None`` while it runs."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended. Raises ``subprocess.TimeoutExpired``."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def _status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
            self.returncode = _zygote().ask(what="reap", process=self.pid)
            os.close(self._ended)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """The rest of what it says, once it has ended. Raises ``subprocess.TimeoutExpired``."""
        deadline = None if timeout is None else time.monotonic() + timeout
        told = ["", ""]
        readers = [
            threading.Thread(target=_read, args=(pipe, told, place), daemon=True)
            for place, pipe in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(None if deadline is None else max(deadline - time.monotonic(), 0))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0, *told)
        self.wait(None if deadline is None else max(deadline - time.monotonic(), 0))
        return told[0], told[1]

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has been waited for."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()


def _read(pipe: TextIO, told: list[str], place: int) -> None:
    with pipe:
        told[place] = pipe.read()


def run(words: Sequence[str], *, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run it to its end; it is killed after *timeout* seconds, and when the test is broken off."""
    program = Program(words)
    try:
        out, err = program.communicate(timeout)
    except BaseException:  # nobody waits for it any more
        program.kill()
        raise
    assert program.returncode is not None
    return subprocess.CompletedProcess(list(words), program.returncode, out, err)
