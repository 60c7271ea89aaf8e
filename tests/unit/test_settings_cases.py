"""Do the worked examples of the format hold, from a file and from Python?"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from exlab_sync_tui.settings import ConfigProblems, LoadedSettings, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

SPEC: dict[str, Any] = {
    "id": "SPEC_02",
    "label": "Spectrometer",
    "local_root": "/lab",
    "nas_root": "//vault/lab",
    "completeness_signal": "sentinel_file",
    "sentinel_filename": "done.flag",
    "transport": {"type": "rclone", "rclone_remote": "vault", "rclone_remote_path": "lab/SPEC_02"},
}
RSYNC = {"type": "rsync_ssh", "ssh_target": "lab@vault.example", "remote_path": "/srv/lab"}
RCLONE = SPEC["transport"]
GONE = object()


def instrument(**changes: object) -> dict[str, Any]:
    """The spectrometer with some keys changed or gone."""
    item = {**copy.deepcopy(SPEC), **changes}
    return {key: value for key, value in item.items() if value is not GONE}


def window(**keys: object) -> dict[str, Any]:
    """The spectrometer with one window of bandwidth."""
    bandwidth = {"upload_mbps": 20, "schedule": [{"days": ["mon"], **keys}]}
    return instrument(transport={**RCLONE, "bandwidth": bandwidth})


VALID: dict[str, dict[str, Any]] = {
    "digits and underscores in an id": {"equipment": [instrument(id="A1_2__B")]},
    "two instruments below one root": {"equipment": [instrument(), instrument(id="MASS_07")]},
    "a sentinel beside a manifest": {
        "equipment": [instrument(completeness_signal="manifest", manifest_filename="m.json")]
    },
    "a window over midnight": {"equipment": [window(**{"from": "22:00", "to": "06:00"})]},
    "from_ as the older program writes it": {"equipment": [window(from_="08:00", to="18:00")]},
    "no equipment at all": {"nas_cleanup": {"enabled": "no"}},
}

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "an id that begins with a digit": ({"equipment": [instrument(id="2SPEC")]}, "equipment[0].id"),
    "an empty id": ({"equipment": [instrument(id="")]}, "equipment[0].id"),
    "a dot in an id": ({"equipment": [instrument(id="SPEC.2")]}, "equipment[0].id"),
    "an id of 33": ({"equipment": [instrument(id="A" * 33)]}, "equipment[0].id"),
    "no label": ({"equipment": [instrument(label=GONE)]}, "equipment[0].label"),
    "a blank label": ({"equipment": [instrument(label="   ")]}, "equipment[0].label"),
    "a blank nas_root": ({"equipment": [instrument(nas_root="   ")]}, "equipment[0].nas_root"),
    "an unknown signal": ({"equipment": [instrument(completeness_signal="idle")]}, "equipment[0].completeness_signal"),
    "no sentinel": ({"equipment": [instrument(sentinel_filename=None)]}, "equipment[0].sentinel_filename"),
    "no transport": ({"equipment": [instrument(transport=None)]}, "equipment[0].transport"),
    "an unknown transport": (
        {"equipment": [instrument(transport={**RCLONE, "type": "ftp"})]},
        "equipment[0].transport.type",
    ),
    "a transport without type": (
        {"equipment": [instrument(transport={"path": "/mnt"})]},
        "equipment[0].transport.type",
    ),
    "no path on the remote": (
        {"equipment": [instrument(transport={"type": "rclone", "rclone_remote": "vault"})]},
        "equipment[0].transport.rclone_remote_path",
    ),
    "an empty password": (
        {"equipment": [instrument(transport={**RSYNC, "password": ""})]},
        "equipment[0].transport.password",
    ),
    "a target that is an option": (
        {"equipment": [instrument(transport={**RSYNC, "ssh_target": "-oProxyCommand=x"})]},
        "equipment[0].transport.ssh_target",
    ),
    "a window without length": (
        {"equipment": [window(**{"from": "08:00", "to": "08:00"})]},
        "equipment[0].transport.bandwidth.schedule[0]",
    ),
    "hour 25": (
        {"equipment": [window(**{"from": "08:00", "to": "25:00"})]},
        "equipment[0].transport.bandwidth.schedule[0].to",
    ),
    "minute 60": (
        {"equipment": [window(**{"from": "08:60", "to": "18:00"})]},
        "equipment[0].transport.bandwidth.schedule[0].from",
    ),
    "a time in words": (
        {"equipment": [window(**{"from": "morning", "to": "18:00"})]},
        "equipment[0].transport.bandwidth.schedule[0].from",
    ),
    "a window with a time zone": (
        {"equipment": [window(**{"from": "08:00", "to": "18:00", "tz": "UTC"})]},
        "equipment[0].transport.bandwidth.schedule[0].tz",
    ),
    "a scan of nothing": ({"validator": {"content_scan_max_mib": 0}}, "validator.content_scan_max_mib"),
    "a key that we do not know": ({"equipment": [instrument(colour="red")]}, "equipment[0].colour"),
    "equipment without anything": ({"equipment": None}, "equipment"),
}


def loaded(tmp_path: Path, text: str) -> LoadedSettings:
    """The settings of a file with this text."""
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ={})


@pytest.mark.parametrize("case", VALID)
def test_a_good_configuration_loads_from_a_file_and_from_python(tmp_path: Path, case: str) -> None:
    assert loaded(tmp_path, json.dumps(VALID[case])).settings == Settings.model_validate(VALID[case])


@pytest.mark.parametrize("case", INVALID)
def test_a_bad_one_names_the_key_and_nothing_else(tmp_path: Path, case: str) -> None:
    data, key = INVALID[case]

    with pytest.raises(ConfigProblems) as caught:
        loaded(tmp_path, json.dumps(data))

    assert [problem.key for problem in caught.value.problems] == [key]
    with pytest.raises(ValidationError):
        Settings.model_validate(data)


def test_unquoted_times_stay_times(tmp_path: Path) -> None:
    text = json.dumps({"equipment": [window(**{"from": "A", "to": "B"})]})

    settings = loaded(tmp_path, text.replace('"A"', " 08:00").replace('"B"', " 18:00")).settings

    transport = settings.equipment[0].transport
    assert transport is not None
    assert (transport.bandwidth.schedule[0].from_, transport.bandwidth.schedule[0].to) == ("08:00", "18:00")


def test_no_means_no(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "nas_cleanup: {enabled: no}\n").settings

    assert settings.nas_cleanup is not None
    assert settings.nas_cleanup.enabled is False
    assert not settings.cleanup_enabled
