"""Starts the program again and again without paying for its imports: ``python -m tests.acceptance.zygote``.

Reads one JSON request per line on stdin, forks, and answers with one line. The child gets a session of its own, its
output goes to a file, and ``killer/sitecustomize.py`` counts its steps if the request says so. The parent has one
thread and no event loop, so a fork is safe here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import exlab_sync_tui.cli.run
import exlab_sync_tui.engine.assembly  # what a verb would import is here before the fork
import exlab_sync_tui.transport.copier.process  # noqa: F401
from exlab_sync_tui.cli import main

_KILLER = Path(__file__).with_name("killer") / "sitecustomize.py"
_LONGEST = 120.0


def _child(request: dict[str, Any]) -> None:
    os.setsid()
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        where = os.devnull if descriptor == 0 else request["output"]
        os.dup2(os.open(where, mode | (os.O_CREAT | os.O_APPEND if descriptor else 0), 0o600), descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
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


def _wait(child: int, seconds: float) -> int | None:
    """The status of the child once it has ended, ``None`` after *seconds*."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    return None


def serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _child(request)
        status = _wait(child, request["kill_after"] or _LONGEST)
        if status is None:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"process": child, "code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
