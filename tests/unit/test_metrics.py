"""Do the figures say what is so, in a text that a strict parser takes?"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from exlab_sync_tui.engine.board import Phase, Progress
from exlab_sync_tui.engine.cockpit.room import room_note
from exlab_sync_tui.engine.reach import destination_key
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.operate.metrics.figures import Counts, Meter, take_figures
from exlab_sync_tui.operate.metrics.gauger import Gauger
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.queue.store import NewJob
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.testing import ManualClock

pytest.importorskip("prometheus_client", reason="the package prometheus-client is not installed")

from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strictly
from prometheus_client.parser import text_string_to_metric_families as plainly

from exlab_sync_tui.operate.metrics.exposition import Sheet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client.core import Metric

    from exlab_sync_tui.queue.store import JobStore

NOW = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
GIB = 1 << 30


@dataclass(slots=True)
class Engine:
    """A running engine whose news a test makes up."""

    memory: MemoryStore
    said: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)

    @property
    def store(self) -> JobStore:
        return self.memory

    async def events(self) -> AsyncIterator[Event]:
        while (one := await self.said.get()) is not None:
            yield one


def settings(root: Path, **metrics: object) -> Settings:
    item = {
        "id": "READER_01",
        "label": "Reader",
        "local_root": str(root / "plates"),
        "nas_root": "//nas01/lab",
        "layout": "plain",
        "completeness_signal": "quiescence",
        "transport": {"type": "mount", "path": str(root / "nas")},
    }
    return Settings.model_validate({"equipment": [item], "metrics": metrics})


def event(kind: EventKind, **data: str) -> Event:
    return Event(NOW, kind, "said", "READER_01", "/plates/x", "job", data)


async def filled() -> MemoryStore:
    """One run that is queued for an hour, one that was proven two hours ago, and a NAS that is away."""
    store = MemoryStore()
    await store.open()
    for name, hours in (("proven", 3), ("queued", 1)):
        new = NewJob(f"id-{name}", f"/plates/{name}", "READER_01", f"READER_01/{name}")
        await store.enqueue(new, at=NOW - timedelta(hours=hours), who="monitor")
    then = NOW - timedelta(hours=2)
    for state in (SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY):
        await store.move("id-proven", state, at=then, who="engine", what="on its way")
    await store.move(
        "id-proven", SyncJobState.VERIFIED, at=then, who="engine", what="proven", verified_at=then, passed_at=then
    )
    away = Hold(HoldScope.DESTINATION, "mount:/x", HoldKind.AWAY, "It is away.", NOW, equipment_id="READER_01")
    await store.set_hold(away)
    return store


def parsed(text: str) -> list[Metric]:
    """By the strict parser of OpenMetrics, which raises for anything odd."""
    return list(strictly(text))  # type: ignore[no-untyped-call]


def told(sheet: Sheet) -> list[Metric]:
    return parsed(openmetrics(sheet.registry).decode())  # type: ignore[no-untyped-call]


def value(families: list[Metric], name: str, **labels: str) -> float:
    (sample,) = (one for family in families for one in family.samples if one.name == name and one.labels == labels)
    return float(sample.value)


async def test_the_figures_tell_what_the_store_has(tmp_path: Path) -> None:
    sheet, store, configured = Sheet(Counts()), await filled(), settings(tmp_path)
    transport = configured.equipment[0].transport
    assert transport is not None
    seen = {"free": 7 * GIB, "total": 9 * GIB, "seen": "2025-03-09T07:59:00Z"}
    await store.note(room_note(destination_key(transport)), json.dumps(seen))
    sheet.figures = await take_figures(store, configured, NOW, free=lambda _: 5 * GIB)
    families = told(sheet)
    one = {"equipment": "READER_01"}
    assert value(families, "exlab_sync_oldest_unsynced_seconds", **one) == 3600
    assert value(families, "exlab_sync_verification_age_seconds", **one) == 7200
    assert value(families, "exlab_sync_runs", **one, state="queued") == 1
    assert value(families, "exlab_sync_runs", **one, state="verified") == 1
    assert value(families, "exlab_sync_runs", **one, state="failed") == 0
    assert value(families, "exlab_sync_holds", **one, scope="destination", kind="away") == 1
    assert value(families, "exlab_sync_breaker_open", **one, reason="away") == 1
    assert value(families, "exlab_sync_free_bytes", **one, place="local") == 5 * GIB
    assert value(families, "exlab_sync_free_bytes", **one, place="destination") == 7 * GIB
    assert value(families, "exlab_sync_last_look_timestamp_seconds") == NOW.timestamp()


async def test_where_all_is_safe_nothing_is_old(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.open()
    figures = await take_figures(store, settings(tmp_path), NOW)
    assert figures.oldest_unsynced == {"READER_01": 0.0}
    assert figures.verification_age == {}


def test_failures_and_proofs_are_counted() -> None:
    counts = Counts()
    for one in (
        event(EventKind.RUN_RETRY, error_kind="network"),
        event(EventKind.RUN_FAILED, error_kind="network"),
        event(EventKind.RUN_FAILED),
        event(EventKind.RUN_VERIFIED),
        event(EventKind.RUN_QUEUED),
    ):
        counts.hear(one)
    families = told(Sheet(counts))
    one_kind = {"equipment": "READER_01", "class": "network"}
    assert value(families, "exlab_sync_failures_total", **one_kind) == 2
    assert value(families, "exlab_sync_failures_total", **{**one_kind, "class": "hash_mismatch"}) == 1
    assert value(families, "exlab_sync_verified_runs_total", equipment="READER_01") == 1


def test_seconds_and_bytes_are_those_of_their_phase() -> None:
    counts = Counts()
    meter = Meter(counts)
    transfer = Progress(SyncJobRow("job", "/plates/x", "READER_01", SyncJobState.RUNNING), 0.0, Phase.SENDING)
    transfer.pulse.sent_bytes = 100
    meter.sample([transfer], 1.0)
    transfer.pulse.sent_bytes = 250
    meter.sample([transfer], 1.5)
    transfer.phase = Phase.CHECKING
    transfer.pulse.checked_bytes = 80
    meter.sample([transfer], 1.0)
    meter.sample([], 1.0)
    assert counts.phase_seconds == {("READER_01", "sending"): 2.5, ("READER_01", "checking"): 1.0}
    assert counts.phase_bytes == {("READER_01", "sending"): 250, ("READER_01", "checking"): 80}


class Standing(ManualClock):
    """Time stands still."""

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        await asyncio.Event().wait()


async def test_they_are_served_on_loopback_and_written_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    textfile = tmp_path / "exlab.prom"
    engine, written, write = Engine(await filled()), threading.Event(), Sheet.write

    def noticed(sheet: Sheet, path: Path) -> None:
        write(sheet, path)
        written.set()

    monkeypatch.setattr(Sheet, "write", noticed)
    gauger = Gauger(settings(tmp_path, port=port, textfile=str(textfile)), Standing(NOW), list)
    working = asyncio.create_task(gauger.work(engine))
    assert await asyncio.to_thread(written.wait, 30)
    text = await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/metrics", "text/plain")
    strict = await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/metrics", "application/openmetrics-text")
    for families in (list(plainly(text)), list(plainly(textfile.read_text())), parsed(strict)):
        assert value(families, "exlab_sync_oldest_unsynced_seconds", equipment="READER_01") == 3600
    await engine.said.put(None)
    await working
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/metrics", "text/plain")


def _fetch(url: str, kind: str) -> str:
    request = urllib.request.Request(url, headers={"Accept": kind})  # noqa: S310  # our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return str(answer.read().decode())


async def test_a_port_that_is_taken_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        engine = Engine(await filled())
        await engine.said.put(None)
        port = taken.getsockname()[1]
        await Gauger(settings(tmp_path, port=port), ManualClock(NOW), list).work(engine)
    assert f"No figures at 127.0.0.1:{port}" in caplog.text


def test_the_readme_names_only_metrics_that_there_are() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("### Being measured")[2].partition("\n### ")[0]
    known = {family.name for family in Sheet(Counts()).collect()}
    named = {name.removesuffix("_total") for name in re.findall(r"exlab_sync_[a-z_]+", section)}
    assert named <= known
    rules = YAML(typ="safe").load(section.partition("```yaml\n")[2].partition("```")[0])
    assert len(rules["groups"][0]["rules"]) == 5
    assert known - named == {"exlab_sync_phase_bytes"}
