"""The verifier compares two ordered streams and never calls proven what is not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.verify.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from exlab_sync_tui.model.verdict import VerifyResult


@dataclass(frozen=True, slots=True)
class Far:
    rel: str
    size: int = 3
    kind: str = "file"


def proven(rel: str, rung: EvidenceLevel = EvidenceLevel.READ_BACK) -> FileRecord:
    digest = hashlib.sha256(rel.encode("utf-8", "surrogateescape")).digest()
    return FileRecord(rel, 3, 1, 1, digest, digest, rung)


Item = TypeVar("Item")


async def pages(items: Sequence[Item], size: int = 2) -> AsyncIterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def compare(
    records: Sequence[FileRecord], far: Sequence[Far], minimum: EvidenceLevel = EvidenceLevel.RSYNC_CHECKSUM
) -> VerifyResult:
    return await Verifier(minimum).compare(pages(records), pages(far))


async def test_equal_sides_are_ok_and_stand_on_the_weakest_rung() -> None:
    records = [proven("a", EvidenceLevel.REMOTE_HASH), proven("b", EvidenceLevel.READ_BACK), proven("c")]
    result = await compare(records, [Far("a"), Far("b"), Far("c")])
    assert result.ok
    assert result.evidence is EvidenceLevel.READ_BACK
    assert (result.files, result.size) == (3, 9)


async def test_an_empty_page_of_a_slow_listing_ends_nothing() -> None:
    async def slow() -> AsyncIterator[Sequence[Far]]:
        for page in ((), (), (Far("a"),), (), (Far("b"), Far("c"))):
            yield page

    result = await Verifier().compare(pages([proven("a"), proven("b")]), slow())
    assert (result.missing, result.extra) == ((), ("c",))


async def test_an_empty_run_is_ok_without_evidence() -> None:
    result = await compare([], [])
    assert result.ok
    assert result.evidence is None


async def test_missing_files_are_named_wherever_they_would_lie() -> None:
    result = await compare([proven("a"), proven("b"), proven("z")], [Far("b")])
    assert not result.ok
    assert result.missing == ("a", "z")


async def test_files_that_nobody_sent_are_named() -> None:
    result = await compare([proven("b")], [Far("a"), Far("b"), Far("c")])
    assert not result.ok
    assert result.extra == ("a", "c")


async def test_folders_and_the_run_s_own_cache_folder_are_not_judged() -> None:
    far = [Far(".exlab-wizard/receipt.json"), Far("a", kind="folder"), Far("a/b"), Far("empty", kind="folder")]
    assert (await compare([proven("a/b")], far)).ok


async def test_a_deeper_folder_of_that_name_is_data() -> None:
    result = await compare([], [Far("a/.exlab-wizard/x")])
    assert result.extra == ("a/.exlab-wizard/x",)


@pytest.mark.parametrize(
    "change",
    [
        {"far_sha256": b"\0" * 32},
        {"far_sha256": None},
        {"sha256": None},
        {"sha256": None, "far_sha256": None},
        {"rung": None},
        {"size": 4},
    ],
)
async def test_whatever_is_not_proven_is_mismatched(change: dict[str, object]) -> None:
    result = await compare([proven("a")._replace(**change)], [Far("a")])  # type: ignore[arg-type]
    assert not result.ok
    assert result.mismatched == ("a",)


async def test_a_link_in_the_place_of_a_file_is_a_mismatch() -> None:
    result = await compare([proven("a")], [Far("a", kind="link")])
    assert result.mismatched == ("a",)


@pytest.mark.parametrize("rung", list(EvidenceLevel))
@pytest.mark.parametrize("minimum", list(EvidenceLevel))
async def test_evidence_below_the_minimum_is_not_enough(rung: EvidenceLevel, minimum: EvidenceLevel) -> None:
    result = await compare([proven("a"), proven("b", rung)], [Far("a"), Far("b")], minimum)
    assert not result.mismatched
    assert result.ok is (rung.satisfies(minimum) and EvidenceLevel.READ_BACK.satisfies(minimum))


@given(st.sets(st.binary(min_size=1, max_size=6)), st.sets(st.binary(min_size=1, max_size=6)))
async def test_the_merge_agrees_with_sets(here: set[bytes], there: set[bytes]) -> None:
    def text(names: set[bytes]) -> list[str]:
        return [name.hex() + "\udcff" for name in sorted(names, key=lambda name: name.hex())]

    result = await compare([proven(rel) for rel in text(here)], [Far(rel) for rel in text(there)])
    assert set(result.missing) == set(text(here)) - set(text(there))
    assert set(result.extra) == set(text(there)) - set(text(here))
    assert result.files == len(here & there)
