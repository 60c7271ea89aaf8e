"""Is what a lab writes taken as it was meant, and refused where it cannot be meant?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import exlab_sync_tui.settings as room
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.run import Layout
from exlab_sync_tui.settings import (
    Bandwidth,
    MountTransport,
    RcloneTransport,
    RsyncSshTransport,
    Settings,
    SftpTransport,
    StagingTransport,
    SyncMode,
)

MOUNT = {"type": "mount", "path": "/mnt/nas/lab"}
SFTP = {"type": "sftp", "ssh_target": "lab@nas01", "remote_path": "/srv/lab"}
RSYNC = {"type": "rsync_ssh", "ssh_target": "lab@nas01", "remote_path": "/srv/lab"}
RCLONE = {"type": "rclone", "rclone_remote": "nas", "rclone_remote_path": "lab"}


def instrument(**changes: object) -> dict[str, Any]:
    base = {
        "id": "CONFOCAL_01",
        "label": "Confocal",
        "local_root": "/data/lab",
        "nas_root": "//nas01/lab",
        "completeness_signal": "quiescence",
        "transport": MOUNT,
    }
    return {**base, **changes}


def one(**changes: object) -> Any:
    """The single instrument of a configuration."""
    return Settings.model_validate({"equipment": [instrument(**changes)]}).equipment[0]


def refusals(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Where and why a configuration is refused."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(data)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


def test_an_empty_configuration_has_all_defaults_and_deletes_nothing() -> None:
    settings = Settings.model_validate({})

    assert settings.nas_cleanup is None
    assert not settings.cleanup_enabled
    assert settings.sync.busy_patterns == ("*.partial", "*.part", "*.tmp", "*.crdownload", "~$*", "*.lock")
    assert settings.sync.litter_patterns == ("Thumbs.db", "desktop.ini", ".DS_Store", "._*")
    assert (settings.sync.enabled, settings.sync.rescan_seconds, settings.sync.stall_seconds) == (True, 60, 120)
    assert (settings.sync.max_parallel_runs, settings.sync.publish, settings.sync.retry_attempts) == (0, "auto", 3)
    assert settings.verify.minimum is EvidenceLevel.RSYNC_CHECKSUM
    assert (settings.verify.audit_interval_hours, settings.verify.audit_days) == (12, None)
    assert settings.validator.content_scan_max_mib == 5
    assert len(settings.validator.content_scan_extensions) == 14
    assert (settings.logging.level, settings.logging.as_json) == ("INFO", False)
    assert (settings.operators.allowlist, settings.console.theme, settings.console.ascii) == ((), "auto", False)


def test_a_cleanup_block_turns_cleanup_on() -> None:
    cleanup = Settings.model_validate({"nas_cleanup": {}}).nas_cleanup

    assert cleanup is not None
    assert (cleanup.enabled, cleanup.min_verify_passes, cleanup.min_age_hours, cleanup.retain_cache) == (
        True,
        2,
        24,
        True,
    )


def test_python_callers_are_not_touched_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC", '{"enabled": false}')
    monkeypatch.setenv("EXLAB_SYNC_SYNC__ENABLED", "no")

    assert Settings.model_validate({}) == Settings()
    assert Settings().sync.enabled


def test_settings_are_frozen_and_pass_through() -> None:
    settings = Settings()

    assert Settings.model_validate(settings) is settings
    with pytest.raises(ValidationError):
        settings.sync.enabled = False  # type: ignore[misc]


def test_an_error_for_python_callers_is_a_sentence_without_values() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"sync": {"enabeld": "hunter2"}, "verify": {"audit_days": "hunter2"}, "_env_file": "x"})

    assert 'unknown key; did you mean "enabled"?' in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert [error["loc"] for error in caught.value.errors()] == [
        ("_env_file",),
        ("sync", "enabeld"),
        ("verify", "audit_days"),
    ]


def test_keys_of_another_kind_are_refused_like_others() -> None:
    assert refusals({1: 2, "sync": 3})[0][0] == "1"  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({}, 600),
        ({"settle_seconds": 5}, 5),
        ({"settle_seconds": None}, 600),
        ({"completeness_signal": "sentinel_file", "sentinel_filename": "done"}, 30),
        ({"completeness_signal": "sentinel_file", "sentinel_filename": "done", "settle_seconds": 0}, 0),
        ({"completeness_signal": "manifest", "manifest_filename": "m.json"}, 30),
    ],
)
def test_the_settle_time_fits_the_signal(keys: dict[str, Any], seconds: float) -> None:
    assert one(**keys).settle_seconds == seconds


def test_quiescence_needs_stillness() -> None:
    ((key, sentence),) = refusals({"equipment": [instrument(settle_seconds=0)]})

    assert key == "equipment.0.settle_seconds"
    assert "nothing else tells" in sentence


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("local_root", "data/lab"),
        ("local_root", ""),
        ("local_root", 5),
        ("local_root", "/data\0/lab"),
        ("local_root", "~nobody-of-that-name/lab"),
        ("nas_root", "//nas\n01"),
        ("label", "\ud800"),
        ("run_pattern", "/data/*"),
        ("run_pattern", "../*"),
        ("run_pattern", " "),
        ("sentinel_filename", "a/b"),
        ("manifest_filename", ".."),
        ("layout", "flat"),
        ("sync_mode", "cloud"),
        ("settle_seconds", -1),
        ("settle_seconds", True),
        ("transport", "mount"),
        ("transport", {**MOUNT, "bandwidth": 5}),
        ("transport", {**MOUNT, "path": "nas"}),
        ("transport", {**SFTP, "connections": -1}),
        ("transport", {**SFTP, "port": 70_000}),
        ("transport", {**RSYNC, "connections": 2}),
        ("transport", {**RCLONE, "rclone_remote": "-nas"}),
        ("transport", {**RCLONE, "rclone_remote": ":s3,secret_access_key=x:"}),
        ("transport", {**RCLONE, "rclone_remote_path": ""}),
    ],
)
def test_what_cannot_be_meant_is_refused(key: str, value: object) -> None:
    ((place, _),) = refusals({"equipment": [instrument(**{key: value})]})

    assert place.startswith(f"equipment.0.{key}")


def test_home_is_expanded() -> None:
    assert one(local_root="~/lab").local_root == Path.home() / "lab"
    assert one(transport=SFTP).transport.ssh_key_path == Path.home() / ".ssh" / "id_ed25519"


def test_a_blank_file_name_is_none() -> None:
    assert one(sentinel_filename="", manifest_filename=" ").sentinel_filename is None


def test_each_transport_has_its_own_keys_and_defaults() -> None:
    assert one().transport == MountTransport(type="mount", path=Path("/mnt/nas/lab"))
    sftp, rsync, rclone = one(transport=SFTP).transport, one(transport=RSYNC).transport, one(transport=RCLONE).transport
    assert isinstance(sftp, SftpTransport)
    assert (sftp.port, sftp.connections, sftp.known_hosts.name) == (22, 0, "known_hosts")
    assert (sftp.user, sftp.host) == ("lab", "nas01")
    assert isinstance(rsync, RsyncSshTransport)
    assert isinstance(rclone, RcloneTransport)
    assert rclone.rclone_config is None
    assert sftp.bandwidth == rsync.bandwidth == rclone.bandwidth == Bandwidth()
    assert one(transport={**RCLONE, "rclone_remote": "nas:", "bandwidth": None}).transport == rclone


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("lab@nas01.example.org", "nas01.example.org"),
        ("DOM\\lab@10.0.0.1", "10.0.0.1"),
        ("lab@[fe80::1%eth0]", "fe80::1%eth0"),
    ],
)
def test_ssh_targets(target: str, host: str) -> None:
    assert one(transport={**SFTP, "ssh_target": target}).transport.host == host


@pytest.mark.parametrize(
    "target",
    ["nas01", "lab@", "@nas", "lab@nas:22", "lab:pw@nas", "a@b@c", "lab@-nas", "-lab@nas", "lab @nas", "lab@n/x"],
)
def test_other_ssh_targets_are_refused(target: str) -> None:
    ((place, _),) = refusals({"equipment": [instrument(transport={**SFTP, "ssh_target": target})]})

    assert place == "equipment.0.transport.sftp.ssh_target"


def test_a_staging_pc_is_read_but_needs_its_own_block() -> None:
    staging = {"type": "smb_mount", "mount_point": "/mnt/stage", "staging_subpath": "in"}

    item = one(sync_mode="stage", transport=None, orchestrator_staging_transport=staging)

    assert item.sync_mode is SyncMode.STAGE
    assert item.orchestrator_staging_transport == StagingTransport.model_validate(staging)
    ((place, _),) = refusals({"equipment": [instrument(sync_mode="stage")]})
    assert place == "equipment.0.orchestrator_staging_transport"


def test_each_layout_owns_its_folder() -> None:
    assert one().folder == Path("/data/lab/CONFOCAL_01")
    plain = one(layout="plain", run_pattern="*/*")
    assert (plain.folder, plain.layout) == (Path("/data/lab"), Layout.PLAIN)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"id": "B", "layout": "plain"}, "overlaps"),
        ({"id": "B", "local_root": "/data/lab/x/../CONFOCAL_01/deep"}, "overlaps"),
        ({"id": "B", "local_root": "/data/lab/CONFOCAL_01", "layout": "plain"}, "is the same as"),
    ],
)
def test_two_instruments_never_own_the_same_folder(other: dict[str, Any], words: str) -> None:
    ((place, sentence),) = refusals({"equipment": [instrument(), instrument(**other)]})

    assert place == "equipment.1.local_root"
    assert all(word in sentence for word in ("B (", "CONFOCAL_01 (/data/lab/CONFOCAL_01)", words))


def test_an_id_is_given_once() -> None:
    assert refusals({"equipment": [instrument(), instrument(local_root="/else")]}) == [
        ("equipment.1.id", "equipment[0] already has the id CONFOCAL_01")
    ]


def test_clashes_are_found_beside_other_problems_and_among_ready_made_instruments() -> None:
    assert len(refusals({"equipment": [instrument(), instrument(label=""), 5, {"id": "X"}]})) > 2
    item = one()
    assert len(refusals({"equipment": (item, item)})) == 1


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({}, "/data/lab"),
        ({}, "/data/lab/CONFOCAL_01"),
        ({}, "/data/lab/CONFOCAL_01/nas"),
        ({"layout": "plain"}, "/data/lab/nas"),
        ({"layout": "plain", "local_root": "/nas/CONFOCAL_01/new"}, "/nas"),
    ],
)
def test_runs_are_never_put_where_they_are_watched(keys: dict[str, Any], path: str) -> None:
    ((place, sentence),) = refusals({"equipment": [instrument(**keys, transport={**MOUNT, "path": path})]})

    assert place == "equipment.0.transport.path"
    assert "folder that is watched" in sentence


def test_nor_where_another_instrument_is_watched() -> None:
    first, second = instrument(id="A"), instrument(id="B", transport={**MOUNT, "path": "/data/lab/A/nas"})

    assert [place for place, _ in refusals({"equipment": [first, second]})] == ["equipment.1.transport.path"]


def test_a_destination_beside_the_instrument_is_fine() -> None:
    assert one(layout="plain", local_root="/data/in", transport={**MOUNT, "path": "/data/nas"}).transport


def test_an_exlab_wizard_configuration_is_accepted_as_it_is() -> None:
    defaults = [
        {"id": "operator", "label": "Operator", "required": True, "type": "text"},
        {"id": "note"},
        {"label": "no id"},
    ]
    settings = Settings.model_validate(
        {
            "paths": {"templates": "/t"},
            "lims": {"endpoint": "https://lims", "token_keyring_entry": "x"},
            "plugins": [],
            "orchestrator": None,
            "readme": {"defaults": defaults, "anything": 1},
        }
    )

    assert settings.readme.required == ("operator",)
    assert "keyring" not in repr(settings)
    others: list[object] = [None, [], {"defaults": None}]
    for other in others:
        assert Settings.model_validate({"readme": other}).readme.required == ()


def test_a_read_me_field_must_be_readable() -> None:
    assert refusals({"readme": {"defaults": ["operator"]}})[0][0] == "readme.defaults.0"


def test_small_liberties_in_writing_are_taken_as_meant() -> None:
    settings = Settings.model_validate(
        {"logging": {"level": "debug"}, "validator": {"content_scan_extensions": ["TXT", ".Md"]}}
    )

    assert settings.logging.level == "DEBUG"
    assert settings.validator.content_scan_extensions == (".txt", ".md")


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(room, name) is not None for name in room.__all__)
    with pytest.raises(AttributeError):
        room.nothing  # noqa: B018  # the access is what is tested


def test_finding_the_state_costs_no_schema() -> None:
    code = (
        "import sys; from exlab_sync_tui.settings import find_config, state_folder, ConfigProblems;"
        "print([name for name in ('pydantic', 'ruamel.yaml') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
