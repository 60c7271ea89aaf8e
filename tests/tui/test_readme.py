"""README's table of keys is the registry's, and every picture that it shows is there."""

from __future__ import annotations

import re
from pathlib import Path

from exlab_sync_tui.tui.commands import COMMANDS, MOVES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_the_registry() -> None:
    told = re.findall(r"^\| (`.*`) \| ([^|]*) \| ([^|]*) \| `([a-z_.]+)` \|$", README, re.MULTILINE)
    everything = (*COMMANDS, *MOVES)
    keys = {one.id: " ".join(f"`{key}`" for key in one.shown().split(" ")) for one in everything}
    assert {(row[3], row[0], row[1], row[2]) for row in told} == {
        (one.id, keys[one.id], one.name, one.help) for one in everything
    }


def test_every_picture_that_is_shown_is_there_and_every_picture_is_made_by_code() -> None:
    shown = set(re.findall(r"\(screenshots/([\w-]+)\.svg\)", README))
    there = {path.stem for path in (ROOT / "screenshots").glob("*.svg")}
    made = set(re.findall(r'keep\("([\w-]+)"\)', (ROOT / "tests/tui/screenshots.py").read_text(encoding="utf-8")))
    assert shown <= there == made
