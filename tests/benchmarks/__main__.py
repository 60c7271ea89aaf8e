"""Is exlab-sync as fast as it promises? ``python -m tests.benchmarks`` measures it beside what people use today."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import datasets, far, far_sftp, ours, peers, report
from tests.benchmarks.measure import Ours, compare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from tests.benchmarks.measure import Rival


_FAR_ENDS = {**far.FAR_ENDS, **far_sftp.FAR_ENDS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the report, and say with the exit code whether every target was met (1 if not)."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small data sets (the default)")
    size.add_argument("--full", action="store_true", help="the data sets of PERFORMANCE.md; about 5 GiB in memory")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--transport",
        "--only",
        dest="transport",
        choices=["mount", *_FAR_ENDS],
        default="mount",
        help="which transport, against what a person types for it (default: mount)",
    )
    parser.add_argument("--sets", default="ABC", help="which data sets, e.g. AC (default: ABC)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--peers-only", action="store_true", help="leave exlab-sync out")
    chosen = parser.parse_args(arguments)
    sets = [data for data in (datasets.FULL if chosen.full else datasets.QUICK) if data.name in chosen.sets]
    if not sets or chosen.rounds < 1:
        parser.error("nothing to measure: name at least one data set and one round")
    with _other_end(chosen.transport) as (rivals, to_verified):
        program = None if chosen.peers_only else Ours(to_verified, ours.adopt, ours.place_of)
        results = compare(sets, rivals, program, rounds=chosen.rounds, say=_say)
    about = report.machine() | peers.versions()
    if chosen.json:
        print(json.dumps(report.as_json(results, about), indent=2))
    else:
        print(report.table(results, sets, about, rounds=chosen.rounds))
    return int(any(not each.met for each in report.verdicts(results)))


@contextmanager
def _other_end(name: str) -> Iterator[tuple[Sequence[Rival], Callable[[Path, Path, Path], Awaitable[float]]]]:
    """Who takes part, and how ours gets there."""
    if name == "mount":
        yield peers.MOUNT, ours.to_verified
        return
    with tempfile.TemporaryDirectory(prefix="exlab-far-") as folder, _FAR_ENDS[name](Path(folder)) as end:
        yield end.peers, partial(ours.to_verified, block=end.block)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
