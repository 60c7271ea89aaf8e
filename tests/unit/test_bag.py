"""Is an exported run a bag that others accept, and is it exactly what was proved?"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.bag.names import PayloadNames, manifest_path, original_name, payload_name
from exlab_sync_tui.provenance.manifest import render_manifest
from exlab_sync_tui.queue.sqlite import SQLiteStore
from tests.unit.cli_helpers import NOW, Shelf, job_id, make_shelf, queue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

needs_bagit = pytest.mark.skipif(find_spec("bagit") is None, reason="the bagit package is not installed")
FILES = {"plate.csv": b"a,b\n", "raw/deep/well A1.dat": bytes(range(256)), "empty": b""}
HOSTILE = {
    "100%.csv": b"1",
    "100%25.csv": b"2",
    "=25 already": b"3",
    "line\nend": b"4",
    "many\n\n\n\nends\r": b"5",
    "ends in a blank ": b"6",
    "next\u2028line \x0b \x85": b"7",
    os.fsdecode(b"not \xff utf-8"): b"8",
    "caf\u00e9": b"9",
    "cafe\u0301": b"10",
    "-rf": b"11",
    "[/red]$(reboot)": b"12",
    "*star": b"13",
    "back\\slash": b"14",
    "~/home": b"15",
    "%" * 200: b"16",
    " leading/# comment": b"17",
}


@dataclass(frozen=True, slots=True)
class Archive:
    """A shelf with one verified run called ``run``."""

    shelf: Shelf

    @property
    def run(self) -> Path:
        return self.shelf.root / "plates" / "run"

    @property
    def far(self) -> Path:
        return self.shelf.root / "nas" / "READER_01" / "run"

    @property
    def bag(self) -> Path:
        return self.shelf.root / "bag"

    def export(self, code: int = 0) -> str:
        done = self.shelf.ask("export-bag", "run", str(self.bag))
        assert done.exit_code == code, done.output
        return done.output


def archive(root: Path, files: Mapping[str, bytes], *, state: SyncJobState = SyncJobState.VERIFIED) -> Archive:
    made = Archive(make_shelf(root))
    manifest = render_manifest(
        [FileRecord(rel, len(data), 0, sha256=hashlib.sha256(data).digest()) for rel, data in files.items()]
    )
    for folder in (made.run, made.far):
        for rel, data in {**files, ".exlab-wizard/checksums.sha256": manifest}.items():
            place = folder / rel
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    made.shelf.state.mkdir()
    asyncio.run(_stored(made.shelf, hashlib.sha256(manifest).hexdigest(), state))
    return made


async def _stored(shelf: Shelf, digest: str, state: SyncJobState) -> None:
    store = SQLiteStore(shelf.state / "queue.db")
    await store.open()
    await queue(store, shelf, "run")
    way = (SyncJobState.RUNNING, SyncJobState.AWAITING_VERIFY, SyncJobState.VERIFIED, SyncJobState.CLEANUP_ELIGIBLE)
    for step in (*way, SyncJobState.CLEANED):
        if state is SyncJobState.QUEUED:
            break
        await store.move(job_id("run"), step, at=NOW, who="engine", what="on its way")
        if step is SyncJobState.VERIFIED:
            rung = EvidenceLevel.READ_BACK
            await store.amend(job_id("run"), verified_at=NOW, manifest_sha256=digest, evidence=rung)
        if step is state:
            break
    await store.close()


def validate(bag: Path) -> subprocess.CompletedProcess[str]:
    """The reference implementation's own command."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bagit", "--validate", str(bag)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@needs_bagit
def test_bagit_py_accepts_the_bag_and_notices_a_flipped_byte(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    assert "is a bag of 4 files" in made.export()
    done = validate(made.bag)
    assert done.returncode == 0, done.stderr
    (made.bag / "data" / "empty").write_bytes(b"x")
    assert validate(made.bag).returncode != 0


@needs_bagit
def test_bagit_py_accepts_every_hostile_name_and_the_originals_are_kept(tmp_path: Path) -> None:
    made = archive(tmp_path, HOSTILE)
    made.export()
    done = validate(made.bag)
    assert done.returncode == 0, done.stderr
    originals = json.loads((made.bag / "exlab-original-names.json").read_bytes())
    for rel, data in HOSTILE.items():
        stored = [name for name, original in originals.items() if original == rel] or [f"data/{rel}"]
        assert (made.bag / stored[0]).read_bytes() == data


def test_a_manifest_encodes_line_ends_and_percent_signs_and_nothing_else() -> None:
    assert manifest_path("data/a\nb\rc%d e\u00e9=25") == "data/a%0Ab%0Dc%25d e\u00e9=25"


def test_a_name_that_every_validator_reads_is_kept(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    made.export()
    assert (made.bag / "data" / "raw" / "deep" / "well A1.dat").read_bytes() == FILES["raw/deep/well A1.dat"]
    assert not (made.bag / "exlab-original-names.json").exists()
    lines = (made.bag / "manifest-sha256.txt").read_text().splitlines()
    assert f"{hashlib.sha256(b'').hexdigest()}  data/empty" in lines
    checked = subprocess.run(
        ["sha256sum", "-c", "--quiet", ".exlab-wizard/checksums.sha256"], cwd=made.bag / "data", check=False
    )
    assert checked.returncode == 0


CHARACTERS = st.sampled_from([*"ab.=%25FA \r\n\t\x1b\x85\u2028\u0301\u00e9\u6f22", "e\u0301", "\udcff", "\udc80"])
PARTS = st.lists(CHARACTERS, min_size=1, max_size=12).map("".join).filter(lambda part: part not in {".", ".."})
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@given(NAMES)
def test_the_original_name_can_be_computed_from_the_one_in_the_bag(rel: str) -> None:
    assert original_name(payload_name(rel)) == rel


@given(st.lists(NAMES, unique=True, max_size=8))
def test_two_files_never_get_one_name(rels: list[str]) -> None:
    names = PayloadNames()
    given_names = [names.name(rel) for rel in rels]
    assert len(set(given_names)) == len(rels)
    assert all("\n" not in manifest_path(name) and name.encode() for name in given_names)


def test_a_folder_that_is_there_is_never_touched(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    made.bag.mkdir()
    assert "is there already and was left as it is" in made.export(1)
    assert list(made.bag.iterdir()) == []


def test_a_file_that_is_not_what_was_proved_makes_no_bag(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    (made.run / "plate.csv").write_bytes(b"a;b\n")
    assert "plate.csv in" in made.export(1)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["config.yaml", "nas", "plates", "state"]


def test_a_file_that_is_gone_makes_no_bag(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    (made.run / "plate.csv").unlink()
    assert "plate.csv is not in" in made.export(1)
    assert not made.bag.exists()


def test_a_manifest_that_the_store_does_not_know_proves_nothing(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    for folder in (made.run, made.far):
        (folder / ".exlab-wizard" / "checksums.sha256").write_bytes(b"")
    assert "the bag could not be proved" in made.export(1)


def test_a_run_whose_local_copy_was_released_is_read_from_the_mounted_share(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES, state=SyncJobState.CLEANED)
    (made.run / "plate.csv").unlink()
    made.export()
    assert (made.bag / "data" / "plate.csv").read_bytes() == FILES["plate.csv"]


def test_a_run_that_can_be_read_from_nowhere_says_so(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES, state=SyncJobState.CLEANED)
    made.far.rename(tmp_path / "nas" / "moved")
    assert "mount the destination" in made.export(1)


def test_a_run_that_is_not_verified_is_refused(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES, state=SyncJobState.QUEUED)
    assert "is not verified, so nothing is proved yet" in made.export(1)


def test_a_manifest_cannot_lead_out_of_the_run(tmp_path: Path) -> None:
    made = archive(tmp_path, FILES)
    secret = tmp_path / "secret"
    secret.write_bytes(b"s")
    manifest = f"{hashlib.sha256(b's').hexdigest()}  ../../secret\n".encode()
    (made.run / ".exlab-wizard" / "checksums.sha256").write_bytes(manifest)

    async def known() -> None:
        store = SQLiteStore(made.shelf.state / "queue.db")
        await store.open()
        await store.amend(job_id("run"), manifest_sha256=hashlib.sha256(manifest).hexdigest())
        await store.close()

    asyncio.run(known())
    assert "does not stay inside its folder" in made.export(1)
    assert not made.bag.exists()


@needs_bagit
def test_a_run_that_was_really_delivered_is_exported_with_its_papers(tmp_path: Path) -> None:
    made = Archive(make_shelf(tmp_path))
    made.run.mkdir()
    (made.run / "100%.csv").write_text("1,2\n")
    assert made.shelf.ask("destination", "adopt", "READER_01", "--local", "--yes").exit_code == 0
    done = made.shelf.ask("run", "--once")
    assert done.exit_code == 0, done.output
    assert "1 name had to be changed" in made.export()
    assert validate(made.bag).returncode == 0
    receipt = json.loads((made.bag / "data" / ".exlab-wizard" / "receipt.json").read_bytes())
    far = json.loads((made.far / ".exlab-wizard" / "receipt.json").read_bytes())
    assert receipt["job_id"] == far["job_id"]
    assert (made.bag / "data" / "100=25.csv").read_text() == "1,2\n"
    info = (made.bag / "bag-info.txt").read_text()
    assert f"External-Identifier: {receipt['job_id']}\n" in info
    assert "Payload-Oxum: " in info
