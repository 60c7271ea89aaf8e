"""Does the doctor find what was broken on purpose, and say which command mends it?"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import socket
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.heartbeat import BEAT_NOTE, Beat
from exlab_sync_tui.engine.ownership import OWNER_FILE
from exlab_sync_tui.engine.reach import destination_key
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis, Mood
from exlab_sync_tui.operate.doctor.patient import Patient, ThisMachine
from exlab_sync_tui.operate.doctor.registry import admit, examine
from exlab_sync_tui.operate.service.systemd import Manager, wanted_unit
from exlab_sync_tui.platform import lock_file
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Debt, DebtKind
from exlab_sync_tui.testing import FakeTransport, ManualClock
from exlab_sync_tui.testing.transport import ADOPTED
from exlab_sync_tui.transport.base import Capabilities, Identity, TransportErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.settings.transports import TransportBlock
    from exlab_sync_tui.transport.base import Transport

GIB = 1 << 30
NOW = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ward:
    """A set-up in which everything is well, until a test breaks it."""

    root: Path
    destination: FakeTransport = field(default_factory=lambda: FakeTransport(free_bytes=100 * GIB))

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def lab(self) -> Path:
        return self.root / "lab" / "CONFOCAL_01"

    def write(self, **more: str) -> None:
        extra = "".join(f"{block}: {value}\n" for block, value in more.items())
        self.config.write_text(
            "equipment:\n  - id: CONFOCAL_01\n    label: Confocal\n"
            f"    local_root: {self.root}/lab\n    nas_root: //nas01/lab\n    completeness_signal: quiescence\n"
            f"    transport: {{type: mount, path: {self.root}/nas}}\n{extra}"
        )

    def patient(self) -> Patient:
        admitted = admit(self.config, self.state, {})
        return replace(admitted, machine=Machine(self.destination), clock=ManualClock(NOW))

    def examined(self) -> list[Diagnosis]:
        return list(examine(self.patient()))

    def in_store(self, step: Callable[[SQLiteStore], object]) -> None:
        async def work() -> None:
            store = SQLiteStore(self.state / "queue.db")
            await store.open()
            await step(store)  # type: ignore[misc]
            await store.close()

        asyncio.run(work())


@dataclass(slots=True)
class Machine(ThisMachine):
    """A PC whose answers a test can choose."""

    destination: FakeTransport
    kind: str = "ext4"
    free: int = 500 * GIB
    figures: dict[str, int] = field(
        default_factory=lambda: {"fs/inotify/max_user_watches": 524_288, "fs/inotify/max_user_instances": 512}
    )
    synchronised: str = "yes"

    def file_system(self, folder: Path) -> str:
        folder.stat()
        return self.kind

    def space(self, folder: Path) -> tuple[int, int]:
        folder.stat()
        return self.free, 1_000 * GIB

    def ask(self, words: Sequence[str], *, given: str = "") -> str:
        return self.synchronised if words[0] == "timedatectl" and not given else ""

    def kernel(self, name: str) -> int | None:
        return self.figures.get(name)

    def transport(self, block: TransportBlock) -> Transport:
        assert block.type == "mount"
        return self.destination


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    made = Ward(tmp_path)
    made.lab.mkdir(parents=True)
    made.write()
    made.config.chmod(0o644)
    made.state.mkdir()
    settings = made.patient().settings
    assert settings is not None
    assert settings.equipment[0].transport is not None
    key = destination_key(settings.equipment[0].transport)
    made.in_store(lambda store: store.note(f"destination:{key}", ADOPTED.id))
    return made


def problems(found: Sequence[Diagnosis]) -> list[Diagnosis]:
    return [one for one in found if one.mood is Mood.PROBLEM]


def the_problem(found: Sequence[Diagnosis]) -> Diagnosis:
    """The only one, with a command that a shell can read."""
    wrong = problems(found)
    assert len(wrong) == 1, wrong
    assert shlex.split(wrong[0].command)
    return wrong[0]


def with_machine(ward: Ward, **changes: object) -> list[Diagnosis]:
    patient = ward.patient()
    machine = Machine(ward.destination)
    for name, value in changes.items():
        setattr(machine, name, value)
    return list(examine(replace(patient, machine=machine)))


def test_where_everything_is_well_nothing_is_objected_to(ward: Ward) -> None:
    found = ward.examined()
    assert problems(found) == []
    assert {one.check for one in found} >= {
        *("tools", "config", "state", "state.store", "state.engine", "machine.clock", "machine.space", "folder"),
        *("watching", "destination", "destination.space", "destination.write", "destination.evidence"),
    }


def test_the_probe_leaves_nothing_behind_on_the_destination(ward: Ward) -> None:
    ward.examined()
    assert ward.destination.files == {}
    assert ward.destination.folders <= {".exlab-incoming"}
    assert ward.destination.calls["publish"] == 1


def test_no_configuration(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(ward.root / "nowhere"))
    monkeypatch.setattr("exlab_sync_tui.settings.locations.SYSTEM_CONFIG", ward.root / "nor" / "here")
    found = the_problem(list(examine(admit(None, ward.state, {}))))
    assert (found.sentence, found.command) == ("There is no configuration yet.", "exlab-sync init")


def test_a_misspelt_key_is_named_with_its_line(ward: Ward) -> None:
    ward.write(sync="{enabeld: true}")
    found = the_problem(ward.examined())
    assert re.search(r'config\.yaml:\d+: sync\.enabeld: unknown key; did you mean "enabled"', found.sentence)
    assert found.command == f'"${{EDITOR:-vi}}" {ward.config}'


def test_a_configuration_that_everybody_can_change(ward: Ward) -> None:
    ward.config.chmod(0o666)
    found = the_problem(ward.examined())
    assert "Everybody on this PC can change" in found.sentence
    assert found.command == f"chmod o-w {ward.config}"


def test_sending_is_switched_off(ward: Ward) -> None:
    ward.write(sync="{enabled: false}")
    assert the_problem(ward.examined()).sentence == "sync.enabled is false, so nothing is sent."


def test_an_instrument_folder_that_is_not_there(ward: Ward) -> None:
    ward.lab.rmdir()
    found = the_problem(ward.examined())
    assert "is not there; make it, or mount its disk" in found.sentence
    assert found.command == f"mkdir -p {ward.lab}"


def test_an_instrument_folder_that_is_a_file(ward: Ward) -> None:
    ward.lab.rmdir()
    ward.lab.write_text("")
    assert "is no folder; local_root must name one" in the_problem(ward.examined()).sentence


@pytest.mark.parametrize(
    ("right", "sentence", "tool"),
    [(os.R_OK, "cannot be read by", "rx"), (os.W_OK, "so sync_status cannot be kept in creation.json", "rwx")],
)
def test_an_instrument_folder_without_rights(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, right: int, sentence: str, tool: str
) -> None:
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, wanted: path != ward.lab or (not wanted & right and may(path, wanted))
    )
    found = the_problem(ward.examined())
    assert sentence in found.sentence
    assert found.command.startswith("sudo setfacl ")
    assert f":{tool} {ward.lab}" in found.command


def test_an_instrument_folder_of_another_store(ward: Ward) -> None:
    other = ward.root / "other.db"
    other.write_text("")
    owner = {"store_id": "x", "store": str(other), "host": socket.gethostname()}
    (ward.lab / OWNER_FILE).write_text(json.dumps(owner))
    found = the_problem(ward.examined())
    assert f"belongs to the store {other}" in found.sentence
    assert found.command == f"rm {ward.lab / OWNER_FILE}"
    other.unlink()
    assert problems(ward.examined()) == []


def test_two_instruments_whose_folders_are_one_by_a_link(ward: Ward) -> None:
    (ward.root / "lab" / "READER_01").symlink_to(ward.lab)
    text = ward.config.read_text()
    item = text.partition("equipment:\n")[2]
    ward.config.write_text(text + item.replace("CONFOCAL_01", "READER_01"))
    assert "are the same place" in the_problem(ward.examined()).sentence


def test_a_state_folder_on_a_share(ward: Ward) -> None:
    wrong = problems(with_machine(ward, kind="nfs4"))
    assert [one.check for one in wrong] == ["state"]
    assert "lies on nfs4; locks and a database are unsafe there" in wrong[0].sentence


def test_a_store_of_a_newer_program(ward: Ward) -> None:
    db = sqlite3.connect(ward.state / "queue.db")
    db.execute("PRAGMA user_version = 999")
    db.close()
    found = next(one for one in problems(ward.examined()) if one.check == "state.store")
    assert "has form 999 and this program knows forms up to" in found.sentence
    assert found.command.endswith(" -m pip install --upgrade .")


def test_a_store_that_is_none(ward: Ward) -> None:
    for place in ward.state.iterdir():
        place.unlink()
    (ward.state / "queue.db").write_bytes(b"this is no database at all, and long enough to be looked at")
    found = next(one for one in problems(ward.examined()) if one.check == "state.store")
    assert "is not a SQLite database" in found.sentence
    assert found.command == "exlab-sync run"


def test_an_engine_that_hangs(ward: Ward) -> None:
    beat = Beat(4711, "here", NOW - timedelta(hours=2))
    ward.in_store(lambda store: store.note(BEAT_NOTE, beat.as_note()))
    with lock_file(ward.state / "engine.lock"):
        found = the_problem(ward.examined())
    assert found.sentence == "An engine (process 4711) holds the state folder and was last heard of 2 h ago."
    assert found.command == "systemctl restart exlab-sync"


def test_an_engine_that_works(ward: Ward) -> None:
    ward.in_store(lambda store: store.note(BEAT_NOTE, Beat(4711, "here", NOW).as_note()))
    with lock_file(ward.state / "engine.lock"):
        found = ward.examined()
    assert "An engine is running (process 4711)." in [one.sentence for one in found]


def test_records_that_could_not_be_written_are_named(ward: Ward) -> None:
    debt = Debt("/lab/Run_1", DebtKind.SYNC_STATUS, "synced", NOW, "creation.json is locked")
    ward.in_store(lambda store: store.owe(debt))
    found = next(one for one in ward.examined() if one.check == "state.owed")
    assert "1 record could not be written yet, the first for /lab/Run_1: creation.json is locked" in found.sentence


def test_a_clock_that_was_never_set(ward: Ward) -> None:
    patient = replace(ward.patient(), clock=ManualClock(datetime(1970, 1, 1, tzinfo=UTC)))
    found = next(one for one in problems(list(examine(patient))) if one.check == "machine.clock")
    assert "believes that it is 1970-01-01" in found.sentence
    assert found.command == "sudo timedatectl set-ntp true"


def test_a_clock_that_nobody_synchronises_is_advised_about(ward: Ward) -> None:
    found = with_machine(ward, synchronised="no")
    assert problems(found) == []
    assert "is not synchronised" in next(one.sentence for one in found if one.check == "machine.clock")


def test_a_disk_that_is_nearly_full(ward: Ward) -> None:
    wrong = problems(with_machine(ward, free=100 << 20))
    assert [one.check for one in wrong] == ["machine.space", "machine.space"]
    assert "the instrument will stop" in wrong[0].sentence
    assert "Only 100 MiB are free for the state folder" in wrong[1].sentence


def test_a_limit_on_watches_that_is_too_low(ward: Ward) -> None:
    figures = {"fs/inotify/max_user_watches": 1_024, "fs/inotify/max_user_instances": 512}
    found = the_problem(with_machine(ward, figures=figures))
    assert "may watch only 1,024 folders" in found.sentence
    assert found.command == "sudo sysctl -w fs.inotify.max_user_watches=524288"


def test_a_destination_that_is_away(ward: Ward) -> None:
    ward.destination.away = True
    found = the_problem(ward.examined())
    assert found.check == "destination"
    assert found.command == f"sudo mount {ward.root}/nas"


def test_a_destination_without_a_marker(ward: Ward) -> None:
    ward.destination.identity = None
    found = the_problem(ward.examined())
    assert "has no marker: it was never adopted, or another share is mounted there" in found.sentence
    assert found.command == "exlab-sync destination adopt CONFOCAL_01"


def test_a_destination_that_is_another_one(ward: Ward) -> None:
    ward.destination.identity = Identity("11111111-1111-4111-8111-111111111111", "2025-01-01T00:00:00Z")
    found = the_problem(ward.examined())
    assert "is another destination (11111111) than the one that was adopted (6f0e7c9e)" in found.sentence


def test_a_destination_that_this_pc_has_not_accepted(ward: Ward) -> None:
    for place in ward.state.iterdir():
        place.unlink()
    assert "has a marker, and this PC has not accepted it yet" in the_problem(ward.examined()).sentence


def test_a_destination_that_is_full(ward: Ward) -> None:
    nearly_full = replace(ward, destination=FakeTransport(free_bytes=1 << 20))
    found = the_problem(nearly_full.examined())
    assert "Only 1.00 MiB are free on the destination in memory; runs will wait." in found.sentence


def test_a_destination_that_cannot_be_written(ward: Ward) -> None:
    ward.destination.fail("open_incoming", TransportErrorKind.PERMISSION, "Permission denied on the destination.")
    found = the_problem(ward.examined())
    assert found.sentence == "Permission denied on the destination."


def test_a_destination_that_proves_too_little(ward: Ward) -> None:
    weak = FakeTransport(free_bytes=100 * GIB, capabilities=Capabilities(rung=EvidenceLevel.SIZE_MTIME))
    found = the_problem(replace(ward, destination=weak).examined())
    assert "Evidence: size_mtime" in found.sentence
    assert "verify.minimum asks for rsync_checksum" in found.sentence


def test_a_real_mounted_folder_is_tried_out_and_left_as_it_was(ward: Ward) -> None:
    nas = ward.root / "nas"
    nas.mkdir()
    (nas / ".exlab-destination.json").write_text(json.dumps({"id": ADOPTED.id, "created_at": ADOPTED.created_at}))
    patient = ward.patient()
    machine = Machine(ward.destination)
    machine.transport = ThisMachine().transport  # type: ignore[method-assign]
    found = list(examine(replace(patient, machine=machine, clock=ManualClock(datetime.now(UTC)))))
    assert problems(found) == []
    assert "A file could be written, its folder renamed, and both removed." in [one.sentence for one in found]
    assert [place.name for place in nas.iterdir()] == [".exlab-destination.json"]
    apart = replace(patient, machine=machine, clock=ManualClock(datetime.now(UTC) + timedelta(hours=1)))
    clock = next(one for one in examine(apart) if one.check == "destination.clock")
    assert "behind this PC's" in clock.sentence


def test_a_unit_that_was_written_for_another_configuration(ward: Ward) -> None:
    manager = Manager.of_user({"XDG_CONFIG_HOME": str(ward.root / "xdg")})
    patient = replace(ward.patient(), environ={"XDG_CONFIG_HOME": str(ward.root / "xdg")})
    assert patient.loaded is not None
    manager.write(wanted_unit(manager, patient.loaded.settings, config=ward.config, state=ward.state))
    found = list(examine(patient))
    assert problems(found) == []
    assert "service" in {one.check for one in found}
    manager.write(manager.installed().replace("Nice=5", "Nice=6"))
    wrong = the_problem(list(examine(patient)))
    assert (wrong.check, wrong.command) == ("service", "exlab-sync service install")


def test_a_target_whose_url_is_nowhere(ward: Ward) -> None:
    pytest.importorskip("apprise", reason="the package apprise is not installed")
    ward.write(notify="{targets: [{name: steward, url: 'env:NOT_SET_HERE'}]}")
    found = the_problem(ward.examined())
    assert "The environment has no NOT_SET_HERE" in found.sentence
    assert found.command == "exlab-sync notify test steward"


@pytest.mark.parametrize(
    ("block", "package"),
    [
        ({"notify": "{targets: [{name: x, url: 'json://127.0.0.1/x'}]}"}, "apprise"),
        ({"metrics": "{port: 9464}"}, "prometheus-client"),
    ],
)
def test_an_optional_package_that_is_missing(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, block: dict[str, str], package: str
) -> None:
    monkeypatch.setattr("exlab_sync_tui.operate.doctor.telling.find_spec", lambda _: None)
    ward.write(**block)
    found = the_problem(ward.examined())
    assert f"the package {package} is not installed" in found.sentence
    assert f" -m pip install {package}" in found.command


@pytest.fixture
def shared(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """The same as an installation that all users share; its group is one that exists here."""
    grp = pytest.importorskip("grp")
    monkeypatch.setattr("exlab_sync_tui.operate.doctor.patient.SYSTEM_CONFIG", ward.config)
    ward.state.chmod(0o2770)
    for place in ward.state.iterdir():
        place.chmod(0o660)
    return replace(ward.patient(), group=grp.getgrgid(ward.state.stat().st_gid).gr_name)


def test_a_shared_installation_that_is_well(shared: Patient) -> None:
    assert problems(list(examine(shared))) == []


def test_a_shared_installation_without_its_group(shared: Patient) -> None:
    found = the_problem(list(examine(replace(shared, group="no-such-group"))))
    assert found.command == "sudo groupadd --system no-such-group"


def test_a_shared_state_folder_that_does_not_hand_its_group_on(shared: Patient) -> None:
    shared.state.chmod(0o770)
    assert the_problem(list(examine(shared))).command == f"sudo chmod 2770 {shared.state}"


def test_a_shared_store_that_was_made_with_the_wrong_umask(shared: Patient) -> None:
    (shared.state / "queue.db").chmod(0o640)
    found = the_problem(list(examine(shared)))
    assert "whoever made it had a umask that is not 002" in found.sentence
    assert found.command == f"sudo chmod -R g+rwX {shared.state}"
