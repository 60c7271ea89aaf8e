"""The table of ``SAFETY.md``, faults against invariants, printed by one command: ``python -m tests.acceptance.faults``.

A row is either a scenario that is played here with the real program and judged by ``tests/checker*.py``, or tests of
the suite that inject the fault, or both. ``ok``: the judge looked at both sides, the store and the history and objected
to nothing; ``t``: a test asserts it; ``NO``: broken; ``-``: not this row's business. ``--full`` plays every point.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.kills import JUDGED, Kills, at_random, every_step, of_a_verified_run, whole_way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INVARIANTS = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10")
_SIDES = frozenset({"S2", "S5", "S6", "S7", "S10"})
_AUDIT: tuple[str, dict[str, object]] = ("verify", {"audit_days": 1e-9})
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. ``play`` gets a folder and whether to play every point; ``tests`` are node ids of the suite, which
    assert the invariants ``asserted``."""

    fault: str
    play: Callable[[Path, bool], Kills] | None = None
    tests: tuple[str, ...] = ()
    asserted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a row."""

    row: Row
    cells: dict[str, str]
    points: int
    tests: str
    seconds: float
    sentences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return "NO" not in self.cells.values() and not self.tests.startswith("NO")


def _whole(layout: str, publish: str) -> Callable[[Path, bool], Kills]:
    return lambda root, full: whole_way(root, every_step() if full else (60, 120), layout=layout, publish=publish)


def _cleanup(layout: str) -> Callable[[Path, bool], Kills]:
    return lambda root, full: of_a_verified_run(root, every_step() if full else (24, 34, 44), layout=layout)


def _audit(root: Path, full: bool) -> Kills:  # a row's signature
    return of_a_verified_run(root, every_step() if full else (10, 16), block=_AUDIT)


def _random(root: Path, full: bool) -> Kills:  # a row's signature
    return at_random(root, 500 if full else 8, seed=11, longest=1.2)


_ACCEPTANCE, _UNIT = "tests/acceptance", "tests/unit"
ROWS = (
    Row("SIGKILL before a step: send, verify, publish, release", _whole("plain", "auto")),
    Row("the same with ExLab-Wizard's papers", _whole("exlab", "auto")),
    Row("the same, publishing file by file", _whole("plain", "direct")),
    Row("SIGKILL before a step of a cleanup", _cleanup("plain")),
    Row("the same with ExLab-Wizard's papers", _cleanup("exlab")),
    Row("SIGKILL before a step of an audit", _audit),
    Row("SIGKILL at random moments", _random),
    Row(
        "a kill while a paper is written",
        tests=(f"{_ACCEPTANCE}/test_provenance_files.py",),
        asserted=frozenset({"S7"}),
    ),
    Row(
        "power loss between write and rename, before the first deletion",
        tests=(f"{_ACCEPTANCE}/test_power_loss.py",),
        asserted=frozenset({"S1", "S5"}),
    ),
    Row(
        "NAS gone, hung, away for a weekend; wrong share, empty mount point",
        tests=(f"{_ACCEPTANCE}/test_share_faults.py", f"{_UNIT}/test_simulated_week.py"),
        asserted=_SIDES | {"S3"},
    ),
    Row(
        "NAS full, quota, read-only, permission denied",
        tests=(f"{_ACCEPTANCE}/test_share_faults.py", f"{_UNIT}/test_transport_sentences.py"),
        asserted=_SIDES,
    ),
    Row(
        "a network that resets, stalls, corrupts and cuts, under SSH",
        tests=("tests/contract/test_sftp_faults.py", f"{_ACCEPTANCE}/test_sftp.py"),
        asserted=_SIDES | {"S3"},
    ),
    Row(
        "a flaky link: an attempt that moved forward is not counted",
        tests=(f"{_UNIT}/test_retry.py", f"{_UNIT}/test_engine_breaker.py"),
        asserted=frozenset({"S3", "S10"}),
    ),
    Row(
        "a bit flips on the wire, on the far disk, between passes",
        tests=(
            f"{_ACCEPTANCE}/test_changes.py",
            f"{_ACCEPTANCE}/test_cleanup_sftp.py",
            f"{_UNIT}/test_cleanup_faults.py::TestDamage",
        ),
        asserted=_SIDES | {"S1"},
    ),
    Row(
        "a file changes, grows, vanishes while it is sent or released",
        tests=(f"{_ACCEPTANCE}/test_changes.py", f"{_UNIT}/test_cleanup_faults.py::TestInTheMiddle"),
        asserted=_SIDES | {"S1"},
    ),
    Row(
        "unreadable files, lock files, litter that comes later",
        tests=(f"{_UNIT}/test_watch_completeness.py", f"{_UNIT}/test_tree_walk.py"),
        asserted=frozenset({"S2"}),
    ),
    Row(
        "clock jumps, daylight saving, a laptop that slept",
        tests=(f"{_UNIT}/test_cleanup_faults.py::TestClocks", f"{_UNIT}/test_simulated_week.py"),
        asserted=frozenset({"S1"}),
    ),
    Row(
        "the PC's disk full, state folder read-only, store locked or damaged",
        tests=(f"{_ACCEPTANCE}/test_state_faults.py", f"{_UNIT}/test_engine_rebuild.py"),
        asserted=_SIDES | {"S1", "S3", "S4"},
    ),
    Row(
        "a revoked override, a missing receipt, a debt: every interlock",
        tests=(f"{_UNIT}/test_cleanup_faults.py::TestWhatBlocks", f"{_UNIT}/test_cleanup_interlocks.py"),
        asserted=frozenset({"S1"}),
    ),
    Row(
        "two engines, two stores, one folder by two names, retry twice",
        tests=(f"{_ACCEPTANCE}/test_owners.py", f"{_UNIT}/test_engine_attach.py"),
        asserted=frozenset({"S3", "S4"}),
    ),
    Row(
        "hostile names, links out of the tree, records that lead out of it",
        tests=(f"{_ACCEPTANCE}/test_hostile_names.py", f"{_UNIT}/test_cleanup_release.py::TestNothingElse"),
        asserted=_SIDES | {"S1", "S9"},
    ),
    Row(
        "a secret in a configuration or in a tool's words; a host key that is another one",
        tests=(
            f"{_UNIT}/test_settings_loading.py::test_a_secret_is_refused_by_name_and_never_shown",
            f"{_UNIT}/test_headless_lines.py::test_a_line_says_which_run_it_is_about_and_has_no_secret",
            f"{_UNIT}/test_engine_review.py::test_a_tool_s_words_are_shown_without_secrets",
            f"{_UNIT}/test_doctor_bundle.py::test_no_secret_is_in_the_archive",
            "tests/contract/test_tool_limits.py::test_no_secret_is_in_an_argument_list_and_the_config_is_not_touched",
            f"{_ACCEPTANCE}/test_sftp.py::test_a_changed_host_key_shows_both_fingerprints_and_the_commands_that_accept_it",
            f"{_ACCEPTANCE}/test_tool_faults.py::test_another_host_key_holds_the_destination_and_nothing_is_sent",
        ),
        asserted=frozenset({"S8"}),
    ),
)


def play(row: Row, *, full: bool) -> Result:
    """Let the fault happen, and see what stands."""
    begun = time.monotonic()
    cells = dict.fromkeys(INVARIANTS, "-")
    points, sentences = 0, []
    if row.play is not None:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            kills = row.play(Path(folder), full)
        points = kills.met
        sentences = [f"{where}: {violation}" for where, violation in kills.found]
        broken = {str(getattr(violation, "invariant", "S10")) for _, violation in kills.found}
        cells |= {name: "NO" if name in broken else "ok" for name in JUDGED}
    tests = ""
    if row.tests:
        tests, told = _run_tests(row.tests, full=full)
        cells |= {name: "NO" if tests.startswith("NO") else "t" for name in row.asserted}
        sentences += told
    return Result(row, cells, points, tests, time.monotonic() - begun, tuple(sentences))


def _run_tests(nodes: Sequence[str], *, full: bool) -> tuple[str, list[str]]:
    marks = [] if full else ["-m", "not full"]
    words = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-n", "auto", "-p", "no:cacheprovider", *marks]
    done = subprocess.run([*words, *nodes], cwd=_ROOT, capture_output=True, text=True, check=False)
    passed = re.search(r"(\d+) passed", done.stdout)
    skipped = re.search(r"(\d+) skipped", done.stdout)
    number = int(passed[1]) if passed else 0
    rest = f", {skipped[1]} skipped" if skipped else ""
    if done.returncode or not number:
        return f"NO ({done.returncode})", done.stdout.splitlines()[-12:]
    return f"{number} tests{rest}", []


def table(results: Sequence[Result]) -> str:
    """Lines for a terminal of 150 columns."""
    width = max(len(result.row.fault) for result in results)
    head = f"{'fault':<{width}}  {'kills':>5}  " + " ".join(f"{name:>3}" for name in INVARIANTS) + "  suite"
    lines = [head, "-" * len(head)]
    for result in results:
        cells = " ".join(f"{result.cells[name]:>3}" for name in INVARIANTS)
        points = f"{result.points:>5}" if result.points else "    -"
        lines.append(f"{result.row.fault:<{width}}  {points}  {cells}  {result.tests or '-'}")
    total = sum(result.points for result in results)
    seconds = sum(result.seconds for result in results)
    lines.append(f"{total:,} kills met a living program; {seconds:,.0f} s; ok: judged, t: asserted by tests")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Play the rows and print the table; 1 if anything is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.faults", description=__doc__)
    parser.add_argument("--full", action="store_true", help="every kill point and 500 random kills; takes long")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows with this text in their name")
    given = parser.parse_args(words)
    results = []
    for row in ROWS:
        if given.only and given.only not in row.fault:
            continue
        result = play(row, full=given.full)
        results.append(result)
        sys.stderr.write(f"{'ok' if result.ok else 'NO'}  {result.seconds:6.1f} s  {row.fault}\n")
        sys.stderr.writelines(f"      {sentence}\n" for sentence in result.sentences)
    sys.stdout.write(table(results) + "\n")
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
