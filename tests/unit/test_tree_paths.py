"""Do far paths keep the whole path, and stay inside?"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.errors import UnsafePathError
from exlab_sync_tui.tree.paths import (
    checked_rel,
    conflict_name,
    incoming_folder,
    remote_path,
    revision_name,
    to_bytes,
    to_text,
)

BELOW = PurePosixPath("Kelp transcriptome/Runs/Run_2025-03-09T08-15")


@given(st.binary())
def test_any_bytes_survive_being_text(raw: bytes) -> None:
    assert to_bytes(to_text(raw)) == raw


@pytest.mark.parametrize(
    ("root", "lies_in_equipment"),
    [
        ("/mnt/nas/lab", True),
        ("/mnt/nas/lab/SPEC_02", False),
        ("/mnt/nas/lab/SPEC_02/", False),
        ("/mnt/nas/lab/SPEC_02/.", False),
        ("SPEC_02", False),
        ("/mnt/SPEC_02/lab", True),
        ("/mnt/nas/XSPEC_02", True),
        ("/mnt/nas/spec_02", True),
        ("", True),
    ],
)
def test_the_equipment_is_left_out_only_if_the_root_ends_in_it(root: str, lies_in_equipment: bool) -> None:
    prefix = "SPEC_02/" if lies_in_equipment else ""
    assert remote_path(root, "SPEC_02", BELOW) == f"{prefix}{BELOW}"


@pytest.mark.parametrize("below", ["..", "../x", "a/../b", "/etc", ".", "a\0b"])
def test_a_far_path_that_leaves_its_folder_is_refused(below: str) -> None:
    with pytest.raises(UnsafePathError):
        remote_path("/mnt", "SPEC_02", PurePosixPath(below))


@pytest.mark.parametrize("rel", ["", "/", "a//b", "a/", "./a", "a/.", "../a"])
def test_a_relative_path_has_only_real_segments(rel: str) -> None:
    with pytest.raises(UnsafePathError):
        checked_rel(rel)


@pytest.mark.parametrize("rel", ["a", "a/b", "...", "-rf", "a\\..\\b", "a\nb", "[/red]$(reboot)"])
def test_a_hostile_name_is_just_a_name(rel: str) -> None:
    assert checked_rel(rel) == rel


def test_names_beside_the_first_folder() -> None:
    assert revision_name("E/p/Runs/Run_1", 1) == "E/p/Runs/Run_1"
    assert revision_name("E/p/Runs/Run_1", 2) == "E/p/Runs/Run_1__r2"
    assert conflict_name("E/p/Runs/Run_1", "0a1b2c3d") == "E/p/Runs/Run_1__conflict-0a1b2c3d"
    assert incoming_folder("E/p/Runs/Run_1", "0a1b2c3d") == "E/p/Runs/.exlab-incoming/0a1b2c3d"
    assert incoming_folder("Run_1", "0a1b2c3d") == ".exlab-incoming/0a1b2c3d"


def test_a_revision_is_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        revision_name("Run_1", 0)


@pytest.mark.parametrize("token", ["", "short", "../../ab", "0a1b2c3d4"])
def test_a_token_is_eight_letters_and_digits(token: str) -> None:
    with pytest.raises(ValueError, match="8 letters and digits"):
        incoming_folder("Run_1", token)
