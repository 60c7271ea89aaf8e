"""The service as a program: ``python -m tests.acceptance.serving CONFIG STATE``, events as JSON lines."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.headless.bar import Bar
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.headless.reporter import Reporter
from exlab_sync_tui.headless.service import run_service
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.settings.loading import load_settings


def main(config: str, state: str) -> int:
    clock = SystemClock()
    client = make_client(load_settings(Path(config), environ={}).settings, Path(state) / "queue.db")
    reporter = Reporter(sys.stdout, as_json=True)
    try:
        return asyncio.run(run_service(client, reporter, Bar(sys.stderr, clock, wanted=False), clock))
    except ExlabSyncError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
