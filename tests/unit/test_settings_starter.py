"""Does the starter load, say everything, and never replace what somebody wrote?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.settings import NasCleanupBlock, Settings, load_settings, starter_config, write_starter
from exlab_sync_tui.settings.schema import OVERRIDABLE

if TYPE_CHECKING:
    from pathlib import Path


def settings_of(path: Path, text: str) -> Settings:
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ={}).settings


def test_the_starter_loads_with_cleanup_off(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "c.yaml", starter_config())

    assert [item.id for item in settings.equipment] == ["CONFOCAL_01"]
    assert settings.nas_cleanup is None
    assert settings.model_copy(update={"equipment": ()}) == Settings()


def test_every_key_switched_on_says_the_default(tmp_path: Path) -> None:
    everything = re.sub(r"^( *)#(?=[a-z-])", r"\1", starter_config(), flags=re.MULTILINE)

    settings = settings_of(tmp_path / "c.yaml", everything)

    assert settings.nas_cleanup == NasCleanupBlock()
    assert settings.model_copy(update={"equipment": (), "nas_cleanup": None}) == Settings()
    transport = settings.equipment[0].transport
    assert transport is not None
    assert transport.bandwidth.upload_mbps == 200


@pytest.mark.parametrize("kind", ["sftp", "rclone"])
def test_the_other_transports_load_when_they_are_switched_on(tmp_path: Path, kind: str) -> None:
    mount = re.compile(r"^    transport:\n(?:      .*\n)+", re.MULTILINE)
    other = re.search(rf"^#    transport:\n#      type: {kind}\n(?:#      .*\n)+", starter_config(), re.MULTILINE)
    assert other is not None

    settings = settings_of(tmp_path / "c.yaml", mount.sub(other[0].replace("#    ", "    "), starter_config(), count=1))

    transport = settings.equipment[0].transport
    assert transport is not None
    assert transport.type == kind


@pytest.mark.parametrize("model", OVERRIDABLE.values(), ids=OVERRIDABLE)
def test_every_key_is_explained(model: type[NasCleanupBlock]) -> None:
    lines = starter_config().splitlines()

    for key in model.known_keys():
        place = next(number for number, line in enumerate(lines) if line.startswith(f"  #{key}: "))
        assert re.match(r"  # \w+", lines[place - 1])


def test_it_is_written_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "config.yaml"

    write_starter(path)

    assert path.read_text(encoding="utf-8") == starter_config()
    assert [item.name for item in path.parent.iterdir()] == ["config.yaml"]


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine")

    with pytest.raises(ConfigError, match="already there and was left as it is"):
        write_starter(path)

    assert path.read_text() == "mine"
    assert [item.name for item in tmp_path.iterdir()] == ["config.yaml"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be written: Not a directory"):
        write_starter(tmp_path / "file" / "below" / "config.yaml")
