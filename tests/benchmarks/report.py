"""How do the figures read? A table of medians and of ratios beside their targets, and on what they were measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.datasets import DataSet
    from tests.benchmarks.measure import Results

TARGETS: Mapping[str, Mapping[str, float]] = {
    "cp -a + sha256sum both sides": {"A": 0.32, "B": 0.55, "C": 0.32},
    "cp -a + openssl dgst both sides": {"A": 0.95, "B": 0.55, "C": 0.90},
    "rclone copy (folder) + rclone hashsum both sides": dict.fromkeys("ABC", 1.05),
    "rclone copy (sftp) + rclone hashsum both sides": dict.fromkeys("ABC", 1.05),
    "rsync -aW gcm + openssl dgst both sides": dict.fromkeys("ABC", 1.05),
    "sftp: rsync -a + sha256sum both sides": {"A": 0.45, "B": 0.75, "C": 0.45},
    "sftp: rsync -aW gcm + openssl dgst both sides": {"A": 0.90, "B": 0.85, "C": 0.90},
    "sftp 50 ms: rsync -aW gcm + openssl dgst both sides": dict.fromkeys("ABC", 1.0),
}
"""Ours divided by theirs must not be more (``PERFORMANCE.md``)."""

_TELLING_FLAGS = ("sha_ni", "aes", "avx2", "avx512f", "sha2", "sha1")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One ratio and the target that it was measured against."""

    peer: str
    data: str
    ratio: float
    target: float

    @property
    def met(self) -> bool:
        """Whether ours was fast enough."""
        return self.ratio <= self.target


def verdicts(results: Results) -> list[Verdict]:
    """Every ratio that has a target and was measured."""
    return [
        Verdict(peer, data, ratio, target)
        for peer, targets in TARGETS.items()
        for data, target in targets.items()
        if (ratio := results.ratio(data, peer)) is not None
    ]


def machine() -> dict[str, str]:
    """Date, system, processors and those of their flags that matter for hashing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    info = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (info.get("flags") or info.get("Features") or "").split()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "processors": f"{os.cpu_count()} x {info.get('model name', platform.machine())}",
        "flags": " ".join(flag for flag in _TELLING_FLAGS if flag in flags) or "none that matter",
    }


def table(results: Results, sets: Sequence[DataSet], about: Mapping[str, str], *, rounds: int) -> str:
    """The report as text."""
    names = list(dict.fromkeys(name for measured in results.seconds.values() for name in measured))
    width = max((len(name) for name in names), default=0)
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", f"median seconds of {rounds} rounds ({'; '.join(data.title for data in sets)})", ""]
    lines.append(_row("", width, [data.name for data in sets]))
    for name in names:
        medians = [results.median(data.name, name) for data in sets]
        lines.append(_row(name, width, ["-" if each is None else f"{each:.2f}" for each in medians]))
    judged = verdicts(results)
    if judged:
        lines += ["", "ours divided by theirs", ""]
    for peer in dict.fromkeys(each.peer for each in judged):
        cells = {
            each.data: f"{each.ratio:.2f} {'<=' if each.met else '> '} {each.target:.2f}"
            for each in judged
            if each.peer == peer
        }
        lines.append(_row(peer, width, [cells.get(data.name, "-") for data in sets]))
    lines += ["", *(f"skipped {reason}" for reason in results.skipped)]
    return "\n".join(lines)


def _row(name: str, width: int, cells: Sequence[str]) -> str:
    return f"{name:<{width}}" + "".join(f"  {cell:>13}" for cell in cells)


def as_json(results: Results, about: Mapping[str, str]) -> dict[str, object]:
    """The report for a program: every round, the medians, and the ratios with their targets."""
    return {
        "about": dict(about),
        "seconds": {data: dict(measured) for data, measured in results.seconds.items()},
        "medians": {
            data: {name: results.median(data, name) for name in measured} for data, measured in results.seconds.items()
        },
        "targets": [
            {"peer": each.peer, "data": each.data, "ratio": each.ratio, "target": each.target, "met": each.met}
            for each in verdicts(results)
        ],
        "skipped": results.skipped,
    }
