"""Does the same run arrive, whole and proven, through every tool and every kind of server?"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import Lab, instrument, write_exlab_run
from tests.acceptance.far_ends import FAR_ENDS, FarEnd
from tests.acceptance.test_hostile_names import fill, is_harmless, override
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "Run_ $(reboot) [b]"


@pytest.fixture(params=list(FAR_ENDS))
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FarEnd]:
    nas = tmp_path / "nas"
    nas.mkdir()
    with FAR_ENDS[request.param](tmp_path, nas) as opened:
        yield opened


def lab_for(far: FarEnd, folder: Path, **sync: object) -> Lab:
    lab = Lab(folder)
    lab.local.mkdir()
    sends_to = instrument("EXLAB_01", lab.local, lab.nas, layout="exlab")
    return lab.configure(sends_to | {"transport": far.block}, **sync)


def tree(top: Path) -> dict[str, bytes]:
    """Every file below the run but those of its cache folder."""
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118  # names of any bytes
            rel = os.path.relpath(path, top)
            if not rel.startswith(".exlab-wizard/") and not os.path.islink(path):  # noqa: PTH114
                with open(path, "rb") as file:  # noqa: PTH123
                    found[rel] = file.read()
    return found


def place_of(far: FarEnd, run: Path) -> Path:
    return far.root / f"EXLAB_01/Kelp/Runs/{run.name}"


def assert_arrived(far: FarEnd, run: Path) -> dict[str, object]:
    place = place_of(far, run)
    here = {far.called(rel): data for rel, data in tree(run).items()}
    assert tree(place) == here
    assert not list(place.parent.glob(".exlab-incoming"))
    receipt: dict[str, object] = json.loads((place / ".exlab-wizard/receipt.json").read_text())
    assert receipt["publish"] == far.publish
    assert [each["level"] for each in receipt["passes"]] == [far.rung]  # type: ignore[attr-defined]  # JSON
    return receipt


def test_a_run_with_hostile_names_arrives_whole_and_is_proven(far: FarEnd, tmp_path: Path) -> None:
    lab = lab_for(far, tmp_path)
    adopted = lab.run("destination", "adopt", "EXLAB_01", "--yes")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    run = write_exlab_run(lab.local, RUN, small=3)
    fill(run)
    override(run)
    done = lab.run("run", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert is_harmless(done.stdout + done.stderr)
    assert_arrived(far, run)
    assert not check_store(lab.state / "queue.db", far.root, acknowledged=[run])
    shown = lab.run("destination", "show")
    assert "every destination answers" in shown.stdout, shown.stdout


@pytest.mark.full
@pytest.mark.timeout(3_600)  # rclone asks a WebDAV server a hundred times a second at most, three times for each file
def test_twenty_thousand_small_files_and_one_of_two_gib(far: FarEnd, tmp_path: Path) -> None:
    lab = lab_for(far, tmp_path)
    assert lab.run("destination", "adopt", "EXLAB_01", "--yes").returncode == 0
    run = write_exlab_run(lab.local, "Run_1", small=20_000, large_mib=2_048)
    done = lab.run("run", "--once", timeout=3_000)
    assert done.returncode == 0, done.stdout + done.stderr
    place = place_of(far, run)
    assert (place / "stack.raw").stat().st_size == 2_048 << 20
    assert len(list(place.glob("tile_*/read_*"))) == 20_000
    assert not check_store(lab.state / "queue.db", far.root, acknowledged=[run])
