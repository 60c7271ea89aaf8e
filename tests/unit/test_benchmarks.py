"""Do the benchmarks measure what they say, and refuse a copy that is not whole?"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.transport.limiter import Limiter
from tests.acceptance.bench_lab import SENTINEL
from tests.benchmarks import datasets, life, limit, peers, report, scale
from tests.benchmarks.__main__ import main
from tests.benchmarks.curves import Curve, as_json
from tests.benchmarks.datasets import KIB, DataSet
from tests.benchmarks.measure import OURS, Ours, Results, compare
from tests.benchmarks.memory import Point, curve_of, growth
from tests.benchmarks.memory import main as memory_main
from tests.benchmarks.ours import adopt, place_of
from tests.benchmarks.peers import Peer
from tests.benchmarks.sampler import by_room
from tests.benchmarks.sampler import place_of as code_of

if TYPE_CHECKING:
    from pathlib import Path

SMALL = DataSet("B", 6, 2 * KIB, 3)
CP = Peer("cp", "sha256sum")


def copy_by_hand(run: Path, nas: Path) -> None:
    assert (nas / ".exlab-destination.json").exists()
    final = place_of(run, nas)
    shutil.copytree(run, final)
    (final / ".exlab-wizard").mkdir()
    (final / ".exlab-wizard/receipt.json").touch()


async def good(run: Path, nas: Path, state: Path) -> float:
    copy_by_hand(run, nas)
    return 0.5


async def careless(run: Path, nas: Path, state: Path) -> float:
    await good(run, nas, state)
    next(place_of(run, nas).rglob("*.raw")).write_bytes(b"x" * 2 * KIB)
    return 0.5


async def forgetful(run: Path, nas: Path, state: Path) -> float:
    await good(run, nas, state)
    next(place_of(run, nas).rglob("*.raw")).unlink()
    return 0.5


def measured(**seconds: list[float]) -> Results:
    results = Results()
    results.seconds["A"].update({OURS: seconds["ours"], CP.name: seconds["theirs"]})
    return results


def test_a_data_set_has_the_files_it_names_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        datasets.make(SMALL, tmp_path / name)
    files = sorted((tmp_path / "one").rglob("*.raw"))
    assert len(files) == SMALL.files
    assert len({file.parent for file in files}) == SMALL.folders
    assert all(file.stat().st_size == SMALL.size for file in files)
    contents = [file.read_bytes() for file in files]
    assert contents == [file.read_bytes() for file in sorted((tmp_path / "two").rglob("*.raw"))]
    assert len(set(contents)) == SMALL.files


def test_the_full_sets_are_those_of_the_targets() -> None:
    assert [data.title for data in datasets.FULL] == ["A: 1 x 2,048 MiB", "B: 20,000 x 16 KiB", "C: 200 x 10 MiB"]


def test_ours_and_theirs_take_turns_and_every_round_counts() -> None:
    said: list[str] = []
    results = compare([SMALL], [CP], Ours(good, adopt, place_of), rounds=2, say=said.append)
    assert results.seconds["B"][OURS] == [0.5, 0.5]
    assert len(results.seconds["B"][CP.name]) == len(said) == 2
    assert results.skipped == []


@pytest.mark.parametrize("work", [careless, forgetful])
def test_a_copy_that_differs_is_refused(work: object) -> None:
    with pytest.raises(RuntimeError, match="exlab-sync left a copy that differs"):
        compare([SMALL], [], Ours(work, adopt, place_of), rounds=1, say=print)  # type: ignore[arg-type]


@pytest.mark.parametrize("peer", peers.MOUNT, ids=lambda peer: peer.name)
def test_every_peer_that_is_installed_copies_and_checks(peer: Peer) -> None:
    results = compare([SMALL], [peer], None, rounds=1, say=print)
    assert (len(results.seconds["B"][peer.name]) == 1) != (len(results.skipped) == 2)


def test_a_tool_that_is_missing_is_said_and_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    results = compare([SMALL], [Peer("rclone", "rclone")], None, rounds=1, say=print)
    assert results.skipped[0] == "rclone copy + rclone hashsum both sides: rclone not installed"
    assert peers.versions() == {}


def test_the_median_decides_whether_a_target_is_met() -> None:
    results = measured(ours=[3.0, 1.0, 2.0], theirs=[10.0, 8.0, 9.0])
    (verdict,) = report.verdicts(results)
    assert (verdict.peer, verdict.data, verdict.target, verdict.met) == (CP.name, "A", 0.32, True)
    assert verdict.ratio == pytest.approx(2 / 9)
    assert not report.verdicts(measured(ours=[5.0], theirs=[9.0]))[0].met


def test_the_table_shows_medians_ratios_targets_and_what_was_skipped() -> None:
    results = measured(ours=[2.0], theirs=[9.0])
    results.skipped.append("rclone: not installed")
    text = report.table(results, datasets.FULL[:1], {"date": "2025-03-09"}, rounds=1)
    for shown in ("date: 2025-03-09", "2.00", "9.00", "0.22 <= 0.32", "skipped rclone: not installed"):
        assert shown in text


def test_the_json_report_has_every_round_and_every_target() -> None:
    document = report.as_json(measured(ours=[2.0], theirs=[9.0]), report.machine())
    assert document["medians"] == {"A": {OURS: 2.0, CP.name: 9.0}}
    assert [target["met"] for target in document["targets"]] == [True]  # type: ignore[attr-defined]
    assert {"date", "processors", "flags"} <= set(document["about"])  # type: ignore[call-overload]


def test_the_command_prints_json_and_succeeds_when_no_target_was_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets, "QUICK", (SMALL,))
    assert main(["--quick", "--json", "--rounds", "1", "--peers-only"]) == 0
    assert set(json.loads(capsys.readouterr().out)["seconds"]) == {"B"}


def test_nothing_to_measure_is_a_usage_error() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--sets", "X"])


def test_growth_counts_from_the_warm_engine_on() -> None:
    curve = [Point(500, 50_000), Point(2_000, 80_000), Point(3_000, 90_000), Point(4_000, 100_000)]
    assert growth(curve, warm=2_000) == 10.0
    with pytest.raises(ValueError, match="fewer than two points from 4000 runs on"):
        growth(curve, warm=4_000)


def test_a_curve_that_does_not_go_beyond_the_warm_engine_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        memory_main(["--runs", "2000"])
    assert "after the first 2,000 runs" in capsys.readouterr().err


async def test_the_curve_has_a_point_for_each_wave(tmp_path: Path) -> None:
    said: list[Point] = []
    curve = await curve_of(tmp_path, 5, 3, said.append)
    assert curve == said
    assert [point.runs for point in curve] == [3, 5]
    assert all(point.resident > 10 << 20 for point in curve)


def test_a_curve_tells_its_growth_in_one_number_and_draws_itself() -> None:
    flat = Curve("claim", "milliseconds", "runs", [10, 100, 1_000], [2.0, 2.0, 2.0])
    steep = Curve("copy", "seconds", "files", [10, 100, 1_000], [1.0, 10.0, 100.0])
    assert (round(flat.exponent or 0.0, 6), round(steep.exponent or 0.0, 6)) == (0.0, 1.0)
    title, *bars = steep.plot().splitlines()
    assert title == "copy, seconds; grows with the power 1.00 of the files"
    assert [bar.count("█") for bar in bars] == [1, 4, 40]
    assert bars[2].split()[0] == "1,000"
    assert as_json([steep])[0]["points"] == [[10, 1.0], [100, 10.0], [1_000, 100.0]]


def test_a_single_point_has_no_growth() -> None:
    assert Curve("claim", "milliseconds", "runs", [10], [2.0]).exponent is None


@pytest.mark.parametrize("kind", ["files", "burst", "instruments", "store"])
def test_every_curve_of_the_scale_is_measured_on_runs_that_are_safe(kind: str) -> None:
    said: list[str] = []
    found = scale.curves(kind, [2], said.append)
    assert len(said) == 1
    assert len({curve.unit for curve in found}) == len(found)
    assert all(curve.values[0] > 0 for curve in found), said


def test_a_limit_is_judged_by_all_that_moved_and_by_the_worst_moment() -> None:
    rate = 8 * 128 * 1024
    held = limit.judge([(0.0, 0), (1.0, rate), (2.0, round(2.5 * rate)), (10.0, 10 * rate)], 8)
    assert held == limit.Held(8, 0.0, 0.5)
    with pytest.raises(ValueError, match="nothing moved"):
        limit.judge([(0.0, 0)], 8)


async def test_a_limit_is_watched_on_a_real_transfer(tmp_path: Path) -> None:
    held = await limit.measure(tmp_path, 80, seconds=0.3)
    assert held.mbps == 80
    assert held.percent_off > -100


def test_an_hour_of_a_lab_has_every_run_finished_after_its_last_file() -> None:
    writes = life.hour(60)
    assert [write.at for write in writes] == sorted(write.at for write in writes)
    last = {write.run: write for write in writes}
    assert all(write.rel == SENTINEL and write.at < 3_600 for write in last.values())
    assert len(last) == 6 + 1 + 59
    assert sum(write.size for write in writes) < 2 << 30


def test_a_lab_lives_and_says_what_that_cost(tmp_path: Path) -> None:
    told = life.measure(tmp_path, 6, 600)
    assert told["runs"] == 1 + 1 + 5
    ticks = told["ticks"]
    assert isinstance(ticks, Counter)
    assert by_room(ticks).total() == ticks.total() > 0


def test_time_goes_to_the_innermost_code_of_ours_and_names_what_it_has_called() -> None:
    seen: list[str] = []

    def rate() -> None:
        seen.append(code_of(sys._getframe()))

    Limiter(rate, SystemClock()).rate  # noqa: B018  # it is asked for
    rate()
    assert seen == ["transport/limiter.rate > tests", "libraries/tests"]
    assert by_room(Counter({"tree/walk.walk": 2, "tree/folder.scan > os": 3, "libraries/asyncio": 1})) == {
        "tree": 5,
        "libraries": 1,
    }
