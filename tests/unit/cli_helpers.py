"""A store with one run of every kind, and a command line to ask about it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from click.testing import CliRunner

from exlab_sync_tui.cli.app import app
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Debt, DebtKind, NewJob

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from exlab_sync_tui.queue.store import JobStore

NOW = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
CONFLICT = "conflict: The place is taken; nothing was sent. Move it away."
MISMATCH = "hash_mismatch: 1 file differs."
BLOCKED = "Blocked by the gate: unresolved_placeholder_token at a<b>: it was never filled in."


AS_IT_IS = {"EXLAB_SYNC_SYNC__PRIORITY": "normal"}
"""A verb that runs in the test's own process must not lower that for all tests behind it."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder with a configuration, a state folder and runs that need not exist."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def options(self) -> list[str]:
        return ["--config", str(self.config), "--state", str(self.state)]

    def run_path(self, name: str) -> str:
        return str(self.root / "plates" / name)

    def ask(self, *arguments: str) -> Result:
        """The verb with this shelf's configuration and state."""
        return CliRunner(env=AS_IT_IS).invoke(app, [*self.options, *arguments], catch_exceptions=False)

    def ask_json(self, *arguments: str) -> object:
        done = self.ask(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


def make_shelf(root: Path) -> Shelf:
    shelf = Shelf(root)
    (root / "plates").mkdir()
    (root / "nas").mkdir()
    shelf.config.write_text(
        f"""\
equipment:
  - id: READER_01
    label: Plate Reader 1
    local_root: {root / "plates"}
    nas_root: //nas01/lab
    layout: plain
    completeness_signal: quiescence
    settle_seconds: 0.05
    transport: {{type: mount, path: {root / "nas"}}}
"""
    )
    return shelf


def fill(shelf: Shelf) -> None:
    """One run in every state that an operator asks about."""
    shelf.state.mkdir()
    asyncio.run(_filled(shelf))


async def _filled(shelf: Shelf) -> None:
    store = SQLiteStore(shelf.state / "queue.db")
    await store.open()
    try:
        await put_all(store, shelf)
    finally:
        await store.close()


async def put_all(store: JobStore, shelf: Shelf) -> None:
    """Safe, failed, differing, waiting, away, plain queued; blocked and acquiring without a job."""
    for name in ("safe", "failed", "differing", "waiting", "queued"):
        await queue(store, shelf, name)
    await _bring(store, "safe", SyncJobState.VERIFIED)
    await _bring(store, "failed", SyncJobState.FAILED, last_error=CONFLICT)
    await _bring(store, "differing", SyncJobState.FAILED, last_error=MISMATCH)
    await lay(store, shelf, "waiting", HoldKind.WAITING, "The NAS was busy.", until=NOW + timedelta(days=36_500))
    await lay(store, shelf, "blocked", HoldKind.BLOCKED, BLOCKED, next_step="Asked again once it is repaired.")
    await lay(store, shelf, "growing", HoldKind.ACQUIRING, "2 files changed 3 s ago; waiting for `done.flag`")
    await store.owe(Debt(shelf.run_path("safe"), DebtKind.SYNC_STATUS, "synced", NOW, "creation.json is locked"))


async def queue(store: JobStore, shelf: Shelf, name: str) -> None:
    new = NewJob(job_id(name), shelf.run_path(name), "READER_01", f"READER_01/{name}")
    await store.enqueue(new, at=NOW, who="monitor")
    await store.put_files(new.id, [FileRecord("a.csv", 2048, 0, sha256=bytes(32), far_sha256=bytes(32))])
    await store.amend(new.id, files_total=1, bytes_total=2048)


def job_id(name: str) -> str:
    return f"{name.encode().hex()[:8]}-0000-4000-8000-000000000000"


async def lay(
    store: JobStore,
    shelf: Shelf,
    name: str,
    kind: HoldKind,
    sentence: str,
    *,
    until: datetime | None = None,
    next_step: str = "",
) -> None:
    await store.set_hold(
        Hold(HoldScope.RUN, shelf.run_path(name), kind, sentence, NOW, until, next_step, equipment_id="READER_01")
    )


async def _bring(store: JobStore, name: str, to: SyncJobState, *, last_error: str | None = None) -> None:
    number = job_id(name)
    await store.move(number, SyncJobState.RUNNING, at=NOW, who="engine", what="started")
    if to is SyncJobState.FAILED:
        await store.move(number, to, at=NOW, who="engine", what="failed", attempts=2, last_error=last_error)
        return
    await store.move(number, SyncJobState.AWAITING_VERIFY, at=NOW, who="engine", what="every byte was sent")
    await store.move(
        number,
        to,
        at=NOW,
        who="engine",
        what="published",
        verified_at=NOW,
        verify_passes=1,
        evidence=EvidenceLevel.READ_BACK,
        manifest_sha256="ab" * 32,
    )
