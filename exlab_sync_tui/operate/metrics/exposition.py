"""How do the figures look to Prometheus? The only place that knows prometheus-client."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from exlab_sync_tui.operate.metrics.figures import Counts, Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from prometheus_client.core import Metric

_LOOPBACK = "127.0.0.1"
_P = "exlab_sync_"
_Key = TypeVar("_Key", bound=tuple[str, ...])


class Sheet(Collector):
    """The figures of the last look; scraping reads them and asks nobody."""

    def __init__(self, counts: Counts) -> None:
        self.figures = Figures()
        self._counts = counts
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Every metric with its help text."""
        seen, counts = self.figures, self._counts
        yield _gauge("info", "1, with the version of the program.", ("version",), {(version("exlab-sync"),): 1})
        yield _gauge("last_look_timestamp_seconds", "When the store was last looked at.", (), _nameless(seen.looked_at))
        yield _gauge("runs", "Runs by instrument and state.", ("equipment", "state"), seen.runs)
        yield _gauge("holds", "Holds by instrument, scope and kind.", ("equipment", "scope", "kind"), seen.holds)
        yield _gauge(
            "oldest_unsynced_seconds",
            "Age of the oldest run that is not safe yet; 0 if all are.",
            ("equipment",),
            _single(seen.oldest_unsynced),
        )
        yield _gauge(
            "verification_age_seconds",
            "Time since the least recently proven run was last proven.",
            ("equipment",),
            _single(seen.verification_age),
        )
        yield _gauge("free_bytes", "Room on the disk and on the destination.", ("equipment", "place"), seen.free)
        yield _gauge(
            "breaker_open",
            "1 while the destination takes nothing, with the reason.",
            ("equipment", "reason"),
            dict.fromkeys(seen.shut.items(), 1),
        )
        yield _counter("failures", "Failed attempts by class.", ("equipment", "class"), counts.failures)
        yield _counter("verified_runs", "Runs that became verified.", ("equipment",), _single(counts.verified))
        yield _counter("phase_seconds", "Time spent in each phase.", ("equipment", "phase"), counts.phase_seconds)
        yield _counter("phase_bytes", "Bytes moved in each phase.", ("equipment", "phase"), counts.phase_bytes)

    def serve(self, port: int) -> tuple[WSGIServer, Thread]:
        """Answer on 127.0.0.1 from a thread of its own. Raises ``OSError`` if the port is taken."""
        return start_http_server(port, addr=_LOOPBACK, registry=self.registry)

    def write(self, path: Path) -> None:
        """Write the file for node_exporter's textfile collector, whole or not at all. Raises ``OSError``."""
        write_to_textfile(str(path), self.registry)


def _single(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(name,): value for name, value in values.items()}


def _nameless(value: float) -> dict[tuple[str, ...], float]:
    return {(): value}


def _gauge(name: str, text: str, labels: Iterable[str], values: Mapping[_Key, float]) -> Metric:
    family = GaugeMetricFamily(_P + name, text, labels=list(labels))
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def _counter(name: str, text: str, labels: Iterable[str], values: Mapping[_Key, float]) -> Metric:
    family = CounterMetricFamily(_P + name, text, labels=list(labels))
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family
