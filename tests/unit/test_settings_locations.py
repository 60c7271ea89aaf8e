"""Are configuration and state found where they belong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.settings import find_config, load_settings, locations, state_folder, user_config_path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a system of the test's own."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(locations, "SYSTEM_CONFIG", tmp_path / "etc" / "exlab-sync" / "config.yaml")
    return tmp_path


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("sync: {}\n")
    return path


def test_the_search_goes_from_the_nearest_to_the_farthest(home: Path) -> None:
    system = written(locations.SYSTEM_CONFIG)
    assert find_config(None, environ={}) == system
    user = written(user_config_path())
    assert find_config(None, environ={}) == user
    assert find_config(None, environ={"EXLAB_SYNC_CONFIG": "/x/named.yaml"}) == Path("/x/named.yaml")
    assert find_config(Path("~/flag.yaml"), environ={"EXLAB_SYNC_CONFIG": "/x"}) == home / "flag.yaml"


def test_an_empty_variable_counts_as_none() -> None:
    user = written(user_config_path())

    assert find_config(None, environ={"EXLAB_SYNC_CONFIG": ""}) == user


def test_no_configuration_at_all_is_a_sentence_with_both_places() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={})

    assert str(user_config_path()) in str(caught.value)
    assert str(locations.SYSTEM_CONFIG) in str(caught.value)
    assert "exlab-sync init" in str(caught.value)


def test_a_broken_user_file_is_not_passed_over_for_the_system_one() -> None:
    written(locations.SYSTEM_CONFIG)
    user_config_path().parent.mkdir(parents=True)
    user_config_path().symlink_to("nowhere")

    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(environ={})


def test_a_place_that_cannot_be_looked_at_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    written(locations.SYSTEM_CONFIG)
    monkeypatch.setattr(Path, "lstat", refuse)

    assert find_config(None, environ={}) == user_config_path()


def test_the_state_follows_flag_then_variable_then_config(home: Path) -> None:
    environ = {"EXLAB_SYNC_STATE": "/srv/state"}
    system = locations.SYSTEM_CONFIG

    assert state_folder(environ, flag=Path("/flag"), config_path=system) == Path("/flag")
    assert state_folder(environ, flag=None, config_path=system) == Path("/srv/state")
    assert state_folder({}, flag=None, config_path=system) == Path("/var/lib/exlab-sync")
    assert state_folder({}, flag=None, config_path=home / "config.yaml").is_relative_to(home)
    assert state_folder({}, flag=None, config_path=None).name == "exlab-sync"
