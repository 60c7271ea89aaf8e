"""Is the sample lab what it says it is: the same for the same seed, complete, and with one run of every kind?"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from exlab_sync_tui.demo.lab import (
    TINY,
    Expected,
    Instrument,
    SampleLab,
    SampleRun,
    Scale,
    Trait,
    build_lab,
    plan_lab,
    prepare,
    run_files,
    write_run,
)
from exlab_sync_tui.gate.validator import Validator
from exlab_sync_tui.model.run import EquipmentFolder, Layout
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.watch.discovery import discover, locate


@pytest.fixture
def lab(tmp_path: Path) -> SampleLab:
    return build_lab(tmp_path / "lab", scale=TINY)


def run_with(lab: SampleLab, trait: Trait) -> SampleRun:
    return next(run for run in lab.runs if run.trait is trait)


def files_below(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118  # names that are not UTF-8
        for place, _, names in os.walk(folder)
        for name in names
    }


def digest(lab: SampleLab) -> str:
    return hashlib.sha256(
        repr([(run.nas_path, list(run_files(lab, run))) for run in lab.runs]).replace(str(lab.root), "").encode()
    ).hexdigest()


def test_the_same_seed_makes_the_same_bytes_and_another_seed_makes_others(tmp_path: Path) -> None:
    first, again = plan_lab(tmp_path / "a", scale=TINY), plan_lab(tmp_path / "b", scale=TINY)
    other = plan_lab(tmp_path / "c", scale=TINY, seed=2)
    assert digest(first) == digest(again) != digest(other)


def test_planning_touches_no_disk_and_a_run_can_be_written_by_itself(tmp_path: Path) -> None:
    lab = plan_lab(tmp_path / "lab", scale=TINY)
    assert not lab.root.exists()
    prepare(lab)
    run = run_with(lab, Trait.TEST_RUN)
    write_run(lab, run)
    assert [candidate for candidate in lab.runs if candidate.path.exists()] == [run]


def test_every_file_that_is_announced_is_on_the_disk(lab: SampleLab) -> None:
    for run in lab.runs:
        announced = dict(run_files(lab, run))
        assert files_below(run.path) == set(announced)
        for rel, content in announced.items():
            assert (run.path / rel).read_bytes() == content


def test_the_plan_has_one_run_of_every_special_kind_and_several_clean_ones(lab: SampleLab) -> None:
    traits = [run.trait for run in lab.runs]
    assert all(traits.count(trait) == 1 for trait in set(Trait) - {Trait.CLEAN})
    assert traits.count(Trait.CLEAN) >= 4
    assert {run.instrument for run in lab.runs} == set(Instrument)
    assert [run.trait for run in lab.runs if run.expected is Expected.BLOCKED] == [Trait.BROKEN_NAME]
    assert [run.trait for run in lab.runs if run.expected is Expected.CONFLICT] == [Trait.OCCUPIED]


def test_the_large_sequencer_run_has_thousands_of_files_unless_told_otherwise(tmp_path: Path) -> None:
    lab = plan_lab(tmp_path)
    assert sum(rel.endswith(".bcl") for rel, _ in run_files(lab, run_with(lab, Trait.MANY_FILES))) == 3_000
    assert Scale().tiles == 3_000


def test_the_signal_of_an_instrument_is_written_last(lab: SampleLab) -> None:
    last = {run.instrument: list(run_files(lab, run))[-1][0] for run in lab.runs}
    assert last[Instrument.CONFOCAL] == "acquisition_complete.flag"
    assert last[Instrument.SEQUENCER] == "manifest.json"


def test_the_sequencers_manifest_names_every_data_file_with_its_size(lab: SampleLab) -> None:
    run = run_with(lab, Trait.MANY_FILES)
    listed = json.loads((run.path / "manifest.json").read_bytes())["files"]
    sizes = {rel: (run.path / rel).stat().st_size for rel in files_below(run.path) if not rel.startswith(".exlab")}
    assert {item["path"]: item["size"] for item in listed} == {
        rel: size for rel, size in sizes.items() if rel != "manifest.json"
    }


def test_exlab_runs_and_projects_have_a_creation_record_and_plain_runs_have_none(lab: SampleLab) -> None:
    for run in lab.runs:
        cache = run.path / ".exlab-wizard"
        if run.instrument is Instrument.READER:
            assert not cache.exists()
            continue
        document = json.loads((cache / "creation.json").read_bytes())
        assert document["schema_version"] == "1.8"
        assert (document["level"], document["sync_status"]) == ("run", "pending")
        assert document["run_kind"] == ("test" if run.trait is Trait.TEST_RUN else "experimental")
        assert document["paths"]["local"] == str(run.path)
        assert json.loads((cache / "readme_fields.json").read_bytes())["core_fields"]["label"] == run.path.name
        project = json.loads((run.path.parent.parent / ".exlab-wizard/creation.json").read_bytes())
        assert project["level"] == "project"


def test_an_image_is_a_tiff_whose_strip_reaches_to_the_end_of_the_file(lab: SampleLab) -> None:
    data = next((run_with(lab, Trait.TEST_RUN).path / "stack_1").glob("*.tif")).read_bytes()
    order, magic, directory = struct.unpack_from("<2sHI", data)
    assert (order, magic) == (b"II", 42)
    (entries,) = struct.unpack_from("<H", data, directory)
    tags = {
        tag: value
        for tag, _, _, value in (struct.unpack_from("<HHII", data, directory + 2 + 12 * i) for i in range(entries))
    }
    assert tags[256] == tags[257] == TINY.side
    assert tags[273] + tags[279] == len(data)


def test_hostile_names_are_really_hostile(lab: SampleLab) -> None:
    names = files_below(run_with(lab, Trait.HOSTILE_NAMES).path)
    assert {"[/red]$(reboot).csv", "-rf", "latin-1 caf\udce9.csv"} <= names


def test_the_broken_name_is_a_placeholder_that_nobody_filled_in(lab: SampleLab) -> None:
    assert any("<sample>" in name for name in files_below(run_with(lab, Trait.BROKEN_NAME).path))


def test_only_the_occupied_place_is_taken_on_the_nas(lab: SampleLab) -> None:
    assert [run.trait for run in lab.runs if (lab.nas / run.nas_path).exists()] == [Trait.OCCUPIED]


def test_the_written_config_says_the_same_as_the_dictionary(lab: SampleLab) -> None:
    assert YAML(typ="safe").load(lab.config_path) == lab.config


def test_runs_lie_where_the_config_says_that_instruments_write(lab: SampleLab) -> None:
    equipment = lab.config["equipment"]
    assert isinstance(equipment, list)
    roots = {
        item["id"]: Path(item["local_root"]) / (item["id"] if item["layout"] == "exlab" else "") for item in equipment
    }
    for run in lab.runs:
        below = run.path.relative_to(roots[run.instrument])
        assert run.nas_path == f"{run.instrument}/{below.as_posix()}"


def test_the_gate_agrees_with_the_plan(lab: SampleLab) -> None:
    settings = Settings.model_validate(lab.config)
    folders = [
        EquipmentFolder(
            item.id,
            Path(item.local_root) / item.id if item.layout is Layout.EXLAB else Path(item.local_root),
            item.layout,
            item.run_pattern,
        )
        for item in settings.equipment
    ]
    for run in lab.runs:
        verdict = Validator().judge(locate(run.path, folders), at=run.at)
        assert bool(verdict.blocking) == (run.expected is Expected.BLOCKED), verdict.blocking


def test_every_run_is_found_where_runs_lie(lab: SampleLab) -> None:
    reader = EquipmentFolder("READER_01", lab.root / "plates", Layout.PLAIN, "*_plate_*")
    confocal = EquipmentFolder("CONFOCAL_01", lab.root / "data/CONFOCAL_01", Layout.EXLAB)
    found = {str(run.path) for folder in (reader, confocal) for run in discover(folder, pytest.fail)}
    assert found == {str(run.path) for run in lab.runs if run.instrument is not Instrument.SEQUENCER}
