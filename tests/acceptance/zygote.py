"""Starts the program again and again without paying for its imports: ``python -m tests.acceptance.zygote FD``.

Requests come over the socket *FD*, one message each: ``start``, with the descriptors that become the child's standard
output and error, or ``reap``. A child gets a session of its own, and ``killer/sitecustomize.py`` counts its steps if
its environment says so. The parent has one thread and no event loop, so a fork is safe here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import exlab_sync_tui.cli.run
import exlab_sync_tui.engine.assembly  # what a verb would import is here before the fork
import exlab_sync_tui.transport.copier.process
import exlab_sync_tui.transport.sftp.link  # noqa: F401
from exlab_sync_tui.cli import main

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 1 << 17
"""Bytes of a request."""

_KILLER = Path(__file__).with_name("killer") / "sitecustomize.py"


def _be_the_program(request: dict[str, Any], out: int, err: int) -> NoReturn:
    os.setsid()
    os.chdir(request["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, 1_024)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(request["environ"])
    if "KILL_STEPS" in os.environ:
        spec = importlib.util.spec_from_file_location("killer", _KILLER)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.install()
    sys.argv = ["exlab-sync", *request["words"]]
    code = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _start(request: dict[str, Any], descriptors: Sequence[int]) -> int:
    child = os.fork()
    if not child:
        _be_the_program(request, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return child


def serve(line: socket.socket) -> None:
    while True:
        message, descriptors, *_ = socket.recv_fds(line, LONGEST, 2)
        if not message:
            return
        request = json.loads(message)
        if request["what"] == "start":
            answer = _start(request, descriptors)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["process"], 0)[1])
        line.send(json.dumps(answer).encode())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
