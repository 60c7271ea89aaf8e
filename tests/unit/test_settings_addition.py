"""One more instrument goes below the others, and everything else in the file stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.settings.addition import add_instrument, with_instrument
from exlab_sync_tui.settings.loading import load_settings
from exlab_sync_tui.settings.starter import starter_config

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2025, 3, 9, 12, tzinfo=UTC)
ITEM = {
    "id": "READER_02",
    "label": "Reader [/2] \u00e9 # no remark",
    "local_root": "/data/plates 2",
    "nas_root": "lab@nas01:/srv",
    "layout": "plain",
    "completeness_signal": "quiescence",
    "transport": {"type": "sftp", "ssh_target": "lab@nas01", "remote_path": "/srv"},
}
WRITTEN = """\
    label: "Reader [/2] \u00e9 # no remark"
    local_root: "/data/plates 2"
    nas_root: "lab@nas01:/srv"
    layout: plain
    completeness_signal: quiescence
    transport:
      type: sftp
      ssh_target: "lab@nas01"
      remote_path: "/srv"
"""
ONE = """\
# Ours.
equipment:
- id: CONFOCAL_01   # the big one
  label: Confocal
  local_root: /data/lab
  nas_root: //nas01/lab
  completeness_signal: quiescence
  transport: {type: mount, path: /mnt/nas/lab}   # by fstab
  #settle_seconds: 600

# And the rest:
sync: {rescan_seconds: 30}
"""

BRACKETS = """\
equipment: [{id: A, label: a, local_root: /a, nas_root: //n/a, completeness_signal: quiescence,
  transport: {type: mount, path: /m}}]
"""


def _ids(text: str, folder: Path) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return [one.id for one in load_settings(path, environ={}).settings.equipment]


def test_it_goes_below_the_others_indented_as_they_are(tmp_path: Path) -> None:
    text = with_instrument(ONE, ITEM)
    head, added, rest = text.partition("- id: READER_02\n")
    assert head + rest.partition('remote_path: "/srv"\n')[2] == ONE
    assert head.endswith("  #settle_seconds: 600\n")
    assert added
    assert _ids(text, tmp_path) == ["CONFOCAL_01", "READER_02"]


def test_the_starter_keeps_every_line(tmp_path: Path) -> None:
    text = with_instrument(starter_config(), ITEM)
    assert text.replace("  - id: READER_02\n" + WRITTEN, "") == starter_config()
    assert _ids(text, tmp_path) == ["CONFOCAL_01", "READER_02"]


@pytest.mark.parametrize("before", ["", "sync: {rescan_seconds: 30}", "equipment: []   # none yet\n"])
def test_a_configuration_without_any_gets_its_first(before: str, tmp_path: Path) -> None:
    text = with_instrument(before, ITEM)
    assert all(line.replace("[]", "") in text for line in before.splitlines())
    assert _ids(text, tmp_path) == ["READER_02"]


def test_the_ends_of_the_lines_stay(tmp_path: Path) -> None:
    text = with_instrument(ONE.replace("\n", "\r\n"), ITEM)
    assert text.count("\n") == text.count("\r\n")
    assert _ids(text, tmp_path) == ["CONFOCAL_01", "READER_02"]


def test_a_last_line_without_an_end_is_no_obstacle(tmp_path: Path) -> None:
    text = with_instrument(ONE.partition("  #settle")[0].rstrip("\n"), ITEM)
    assert _ids(text, tmp_path) == ["CONFOCAL_01", "READER_02"]


@pytest.mark.parametrize(
    ("text", "item", "sentence"),
    [
        (BRACKETS, ITEM, "in brackets"),
        (ONE, {**ITEM, "id": "CONFOCAL_01"}, "CONFOCAL_01"),
        (ONE + "nonsense: [\n", ITEM, "config check"),
        (ONE, {**ITEM, "id": "no such id"}, "capital letters"),
    ],
)
def test_what_would_not_be_right_is_refused(text: str, item: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        with_instrument(text, item)


def test_a_copy_is_kept_and_a_refusal_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(ONE, encoding="utf-8")
    path.chmod(0o640)
    copy = add_instrument(path, ITEM, NOON)
    assert copy.read_text(encoding="utf-8") == ONE
    assert copy.stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o640
    added = path.read_bytes()
    with pytest.raises(ConfigError):
        add_instrument(path, ITEM, NOON)
    assert path.read_bytes() == added
    with pytest.raises(ConfigError, match="No such file"):
        add_instrument(tmp_path / "nothing.yaml", ITEM, NOON)
