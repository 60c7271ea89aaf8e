"""What does all that is left over mean together? Exit codes of the glance, and runs that are only on the disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.operate.glance import glance, most_serious
from exlab_sync_tui.operate.on_disk import why_on_disk
from exlab_sync_tui.operate.wiring import far_roots, staged
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.testing import MemoryStore
from tests.unit.cli_helpers import NOW, Shelf, make_shelf, put_all, queue

if TYPE_CHECKING:
    from pathlib import Path


def hold(scope: HoldScope, kind: HoldKind, key: str = "READER_01") -> Hold:
    return Hold(scope, key, kind, "A reason.", NOW, equipment_id="READER_01")


@pytest.mark.parametrize(
    ("codes", "code"), [((), 0), ((0, 5), 5), ((5, 11), 11), ((11, 1), 1), ((1, 10), 10), ((10, 7), 7), ((11, 3), 3)]
)
def test_the_most_serious_code_counts(codes: tuple[int, ...], code: int) -> None:
    assert most_serious(codes) == code


@pytest.mark.parametrize(
    ("scope", "kind", "code"),
    [
        (HoldScope.RUN, HoldKind.ACQUIRING, 5),
        (HoldScope.RUN, HoldKind.BLOCKED, 11),
        (HoldScope.RUN, HoldKind.DAMAGED, 10),
        (HoldScope.DESTINATION, HoldKind.AWAY, 5),
        (HoldScope.DESTINATION, HoldKind.WRONG_DESTINATION, 5),
        (HoldScope.EQUIPMENT, HoldKind.SET_UP, 7),
        (HoldScope.EQUIPMENT, HoldKind.CONFLICT, 1),
        (HoldScope.EQUIPMENT, HoldKind.DISABLED, 0),
        (HoldScope.EQUIPMENT, HoldKind.PAUSED, 5),
    ],
)
async def test_every_hold_means_an_exit_code(scope: HoldScope, kind: HoldKind, code: int) -> None:
    store = MemoryStore()
    await store.open()
    await store.set_hold(hold(scope, kind))
    assert (await glance(store)).code == code


async def test_an_instrument_that_exlab_wizard_moves_is_nothing_to_mend() -> None:
    store = MemoryStore()
    await store.open()
    await store.set_hold(hold(HoldScope.EQUIPMENT, HoldKind.SET_UP))
    seen = await glance(store, staged={"READER_01"})
    assert (seen.code, seen.wider) == (0, [])


async def test_a_damaged_run_is_not_safe_though_it_was_verified(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    store = MemoryStore()
    await store.open()
    await put_all(store, shelf)
    before = await glance(store)
    await store.set_hold(hold(HoldScope.RUN, HoldKind.DAMAGED, shelf.run_path("safe")))
    after = await glance(store)
    assert (before.total.safe, after.total.safe) == (1, 0)
    assert after.total.failed == before.total.failed + 1
    assert after.total.total == before.total.total


async def test_only_the_first_are_listed_and_the_rest_are_counted(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.open()
    for number in range(7):
        await queue(store, Shelf(tmp_path), f"{number}-run")
    seen = await glance(store, shown=3)
    assert (len(seen.open_runs), seen.more, seen.total.queued) == (3, 4, 7)


async def test_what_is_most_serious_is_listed_first(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.open()
    await put_all(store, Shelf(tmp_path))
    assert [run.code for run in (await glance(store)).open_runs] == [10, 1, 11, 5, 5, 5]


def settings(shelf: Shelf, **changes: object) -> Settings:
    item = {
        "id": "READER_01",
        "label": "Plate Reader 1",
        "local_root": str(shelf.root / "plates"),
        "nas_root": "//nas01/lab",
        "completeness_signal": "quiescence",
        "transport": {"type": "mount", "path": str(shelf.root / "nas")},
    }
    return Settings.model_validate({"equipment": [{**item, **changes}]})


def test_an_orphan_on_the_disk_is_told_as_one(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path)
    run = tmp_path / "plates" / "READER_01" / "Kelp" / "Runs" / "Run_1"
    run.mkdir(parents=True)
    sentence = why_on_disk(run, settings(shelf), now=NOW)
    assert sentence.startswith("Run_1 is not known to the engine yet, and would be kept here: ")
    assert "creation.json" in sentence


def test_a_run_that_exlab_wizard_moves_is_told_as_one(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path)
    run = tmp_path / "plates" / "READER_01" / "Kelp" / "Runs" / "Run_1"
    (run / ".exlab-wizard").mkdir(parents=True)
    (run / ".exlab-wizard" / "creation.json").write_text(json.dumps({"schema_version": "1.8"}))
    staging = {"type": "smb_mount", "mount_point": "/mnt/stage", "staging_subpath": "in"}
    given = settings(shelf, sync_mode="stage", transport=None, orchestrator_staging_transport=staging)
    assert "so ExLab-Wizard moves its runs" in why_on_disk(run, given, now=NOW)
    assert staged(given) == {"READER_01"}


@pytest.mark.parametrize(
    ("transport", "root"),
    [
        ({"type": "mount", "path": "/mnt/nas"}, "/mnt/nas"),
        ({"type": "sftp", "ssh_target": "lab@nas01", "remote_path": "/srv/lab"}, "lab@nas01:/srv/lab"),
        ({"type": "rclone", "rclone_remote": "nas", "rclone_remote_path": "lab"}, "nas:lab"),
    ],
)
def test_the_far_root_reads_as_a_person_would_type_it(tmp_path: Path, transport: dict[str, str], root: str) -> None:
    assert far_roots(settings(Shelf(tmp_path), transport=transport)) == {"READER_01": root}
