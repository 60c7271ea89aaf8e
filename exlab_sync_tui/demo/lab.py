"""What does a whole lab look like in small, and what should become of each of its runs?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.demo import instruments, wizard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.demo.instruments import SampleFile

SIGNALS = frozenset({"acquisition_complete.flag", "manifest.json"})
"""The files that say that a run is complete; a plate reader writes none."""
_CACHE = ".exlab-wizard"
_FIRST_DAY = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)


class Instrument(StrEnum):
    """The three sample instruments, by equipment id."""

    CONFOCAL = "CONFOCAL_01"
    SEQUENCER = "SEQUENCER_01"
    READER = "READER_01"


class Expected(StrEnum):
    """What should become of a sample run."""

    VERIFIED = "verified"
    BLOCKED = "blocked"
    CONFLICT = "failed-conflict"


class Trait(StrEnum):
    """What is special about a sample run."""

    CLEAN = "clean"
    MANY_FILES = "many_files"
    BROKEN_NAME = "broken_name"
    OCCUPIED = "occupied"
    HOSTILE_NAMES = "hostile_names"
    TEST_RUN = "test_run"


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a lab is.

    ``planes`` per stack, each a square of ``side`` pixels; ``tiles`` of the large sequencer run; ``reads`` per plate.
    """

    planes: int = 24
    side: int = 256
    tiles: int = 3_000
    reads: int = 120


TINY = Scale(planes=3, side=32, tiles=40, reads=4)
"""A lab that is written in a few hundredths of a second."""


@dataclass(frozen=True, slots=True)
class SampleRun:
    """One run of the plan. ``path`` is its local folder, ``nas_path`` its POSIX path below the NAS folder."""

    instrument: Instrument
    path: Path
    nas_path: str
    project: str
    at: datetime
    expected: Expected
    trait: Trait = Trait.CLEAN


@dataclass(frozen=True, slots=True)
class SampleLab:
    """The plan of a lab below ``root``: nothing of it need exist yet. A ``live`` one is there to be watched."""

    root: Path
    seed: int
    scale: Scale
    settle_seconds: float
    runs: tuple[SampleRun, ...]
    live: bool = False

    @property
    def nas(self) -> Path:
        """The folder that plays the NAS; it is not adopted yet."""
        return self.root / "nas"

    @property
    def config_path(self) -> Path:
        """Where ``prepare`` puts the config."""
        return self.root / "config.yaml"

    @property
    def config(self) -> dict[str, object]:
        """The lab's config, as ``Settings.model_validate`` takes it."""
        return wizard.config(
            data=str(self.root / "data"),
            reader=str(self.root / "plates"),
            nas=str(self.nas),
            settle_seconds=self.settle_seconds,
            live=self.live,
        )

    @property
    def config_yaml(self) -> str:
        """The lab's config as a person would write it."""
        return wizard.as_yaml(self.config)


def plan_lab(
    root: Path, *, seed: int = 1, scale: Scale | None = None, settle_seconds: float = 1, live: bool = False
) -> SampleLab:
    """Decide which runs there will be and what should become of them, without touching the disk."""
    confocal, sequencer = Instrument.CONFOCAL, Instrument.SEQUENCER
    kelp, coral, pool = "Kelp transcriptome", "Coral bleaching", "Tide pool metagenome"
    runs = (
        _exlab_run(root, confocal, kelp, 0.5, trait=Trait.TEST_RUN),
        _exlab_run(root, confocal, kelp, 1.2),
        _exlab_run(root, sequencer, pool, 2, trait=Trait.MANY_FILES),
        _plain_run(root, 17, 3),
        _exlab_run(root, confocal, coral, 5, expected=Expected.BLOCKED, trait=Trait.BROKEN_NAME),
        _plain_run(root, 18, 6, trait=Trait.HOSTILE_NAMES),
        _exlab_run(root, confocal, coral, 8.5, expected=Expected.CONFLICT, trait=Trait.OCCUPIED),
        _exlab_run(root, sequencer, pool, 26),
        _exlab_run(root, confocal, kelp, 27.7),
        _plain_run(root, 19, 30),
    )
    return SampleLab(root, seed, scale or Scale(), settle_seconds, runs, live)


def prepare(lab: SampleLab) -> None:
    """Make the folders of the instruments and of the NAS, what lies there already, the projects and the config."""
    lab.nas.mkdir(parents=True, exist_ok=True)
    (lab.root / "plates").mkdir(exist_ok=True)
    lab.config_path.write_text(lab.config_yaml, encoding="utf-8")
    for run in lab.runs:
        if run.trait is Trait.OCCUPIED:
            _write(lab.nas / run.nas_path, "copied by hand.txt", b"somebody copied this here last spring\n")
            _write(lab.nas / run.nas_path, "stack_1/stack_1_z000.tif", b"an older picture\n")
        if run.project:
            project = run.path.parent.parent
            content = wizard.creation(
                instruments.chance(lab.seed, f"{run.instrument}/{run.project}"),
                local=str(project),
                nas=f"{run.instrument}/{run.project}",
                project=run.project,
                at=_FIRST_DAY,
                level="project",
            )
            _write(project, f"{_CACHE}/creation.json", content)


def run_files(lab: SampleLab, run: SampleRun) -> Iterator[SampleFile]:
    """Everything in a run's folder in the order in which an instrument writes it: the signal last."""
    rng = instruments.chance(lab.seed, run.nas_path)
    if run.project:
        yield from _papers(lab, run)
    written: list[tuple[str, int]] = []
    for rel, content in _data(lab, run):
        written.append((rel, len(content)))
        yield rel, content
    if run.instrument is Instrument.CONFOCAL:
        yield "acquisition_complete.flag", b""
    elif run.instrument is Instrument.SEQUENCER:
        yield "manifest.json", instruments.sequencer_signal(written)
    elif run.trait is Trait.HOSTILE_NAMES:
        yield from instruments.hostile(rng)


def write_run(lab: SampleLab, run: SampleRun) -> None:
    """Write one whole run as its instrument would; a run that is there is written again."""
    for rel, content in run_files(lab, run):
        write_file(run, rel, content)


def write_file(run: SampleRun, rel: str, content: bytes) -> None:
    """Write one file of a run, so that a run can also grow slowly before somebody's eyes."""
    _write(run.path, rel, content)


def build_lab(root: Path, *, seed: int = 1, scale: Scale | None = None, settle_seconds: float = 1) -> SampleLab:
    """Make a complete sample lab below *root*: folders, config, NAS and every run, finished."""
    lab = plan_lab(root, seed=seed, scale=scale, settle_seconds=settle_seconds)
    prepare(lab)
    for run in lab.runs:
        write_run(lab, run)
    return lab


def _exlab_run(
    root: Path,
    instrument: Instrument,
    project: str,
    hours: float,
    *,
    expected: Expected = Expected.VERIFIED,
    trait: Trait = Trait.CLEAN,
) -> SampleRun:
    at = _FIRST_DAY + timedelta(hours=hours)
    kind = "TestRun" if trait is Trait.TEST_RUN else "Run"
    below = f"{instrument}/{project}/{kind}s/{kind}_{at:%Y-%m-%dT%H-%M}"
    return SampleRun(instrument, root / "data" / below, below, project, at, expected, trait)


def _plain_run(root: Path, number: int, hours: float, *, trait: Trait = Trait.CLEAN) -> SampleRun:
    at = _FIRST_DAY + timedelta(hours=hours)
    leaf = f"{at:%Y-%m-%d}_plate_{number:03d}"
    nas_path = f"{Instrument.READER}/{leaf}"
    return SampleRun(Instrument.READER, root / "plates" / leaf, nas_path, "", at, Expected.VERIFIED, trait)


def _papers(lab: SampleLab, run: SampleRun) -> Iterator[SampleFile]:
    rng = instruments.chance(lab.seed, f"{run.nas_path}/{_CACHE}")
    test = run.trait is Trait.TEST_RUN
    created = wizard.creation(
        rng, local=str(run.path), nas=run.nas_path, project=run.project, at=run.at, level="run", test=test
    )
    yield f"{_CACHE}/creation.json", created
    yield f"{_CACHE}/readme_fields.json", wizard.readme_fields(rng, label=run.path.name, test=test)


def _data(lab: SampleLab, run: SampleRun) -> Iterator[SampleFile]:
    rng, scale = instruments.chance(lab.seed, f"{run.nas_path}/data"), lab.scale
    if run.instrument is Instrument.SEQUENCER:
        tiles = scale.tiles if run.trait is Trait.MANY_FILES else scale.tiles // 20 + 1
        yield from instruments.sequencer_reads(rng, files=tiles)
    elif run.instrument is Instrument.READER:
        yield from instruments.plate(rng, int(run.path.name[-3:]), reads=scale.reads)
    else:
        name = "stack_<sample>" if run.trait is Trait.BROKEN_NAME else "stack_1"
        planes = 2 if run.trait is Trait.TEST_RUN else scale.planes
        yield from instruments.image_stack(rng, name, planes=planes, side=scale.side)


def _write(folder: Path, rel: str, content: bytes) -> None:
    path = folder / rel
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
