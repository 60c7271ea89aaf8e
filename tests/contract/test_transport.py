"""Do all transports behave alike? One suite, a parameter for each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.entry import FileRecord
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.base import Identity, Owner, Pulse
from tests.contract.labs import LABS, LONG
from tests.contract.transport_lab import FINAL, INCOMING, OWNER, PARENT, RUN, Lab, identity, listed, sha

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOSTILE = [
    b"[/red]$(reboot).csv",
    b"-rf",
    b"esc\x1b[31m.raw",
    b"new\nline",
    b"not-utf8-\xff\xfe.raw",
    b"x" * 255,
    "gr\u00fcn \u202eexe.raw".encode(),
    b" leading and trailing ",
    b"back\\slash",
    b"#comment",
    b";comment",
]


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.full if name in LONG else ()) for name in LABS])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    source = tmp_path / "Run_1"
    source.mkdir()
    async with LABS[request.param](source, tmp_path) as made:
        await made.transport.adopt(identity())
        await made.open()
        yield made


def kind_of(raised: pytest.ExceptionInfo[TransportError]) -> TransportErrorKind:
    return raised.value.error_kind


async def test_every_byte_arrives_and_is_proven(lab: Lab) -> None:
    files = {"a.raw": b"a" * 70_000, "deep/er/b.raw": b"b", "deep/c.raw": os.urandom(4_096), "empty": b""}
    for rel, data in files.items():
        lab.put(rel, data)
    sent = await lab.send()
    assert {rel: lab.far.read(f"{RUN}/{rel}") for rel in files} == files
    assert {rel: record.sha256 for rel, record in sent.items()} == {rel: sha(data) for rel, data in files.items()}
    assert all(record.proven and record.rung is not None for record in sent.values())
    assert lab.pulse.files_done == 4
    assert lab.pulse.sent_bytes == sum(map(len, files.values()))


async def test_hostile_names_are_just_names(lab: Lab) -> None:
    for number, name in enumerate(HOSTILE):
        lab.put(b"folder/" + name, bytes([number]))
    sent = await lab.send()
    for number, name in enumerate(HOSTILE):
        rel = "folder/" + os.fsdecode(name)
        assert sent[rel].proven
        assert lab.far.read(f"{RUN}/{rel}") == bytes([number])


async def test_names_that_begin_like_a_comment_or_an_option_are_just_names(lab: Lab) -> None:
    for name in ("#a", ";b", "-c", "--delete", "~", "@d", ":e"):
        lab.put(name, name.encode())
    sent = await lab.send()
    assert {rel: lab.far.read(f"{RUN}/{rel}") for rel in sent} == {rel: rel.encode() for rel in sent}
    assert all(record.proven for record in sent.values())
    await lab.transport.discard(RUN, ["#a", "--delete"])
    assert not lab.far.has(f"{RUN}/#a")
    assert lab.far.has(f"{RUN}/;b")


async def test_many_files_in_many_batches_all_come_back_once(lab: Lab) -> None:
    for number in range(700):
        lab.put(f"d{number % 7}/f{number}", str(number).encode())
    records = lab.records()
    seen = [record.rel async for page in lab.transport.push(lab.plan(records)) for record in page]
    assert sorted(seen) == sorted(record.rel for record in records)


async def test_what_is_already_there_is_not_sent_again(lab: Lab) -> None:
    lab.put("a", b"a" * 5_000)
    lab.put("b", b"b" * 5_000)
    await lab.send()
    lab.put("c", b"c" * 7)
    sent = await lab.send()
    assert lab.pulse.skipped_bytes == 10_000
    assert lab.pulse.sent_bytes == 7
    assert all(record.proven for record in sent.values())


async def test_a_far_file_with_other_bytes_is_replaced(lab: Lab) -> None:
    lab.put("same-size", b"good")
    lab.put("longer", b"good")
    lab.far.write(f"{RUN}/same-size", b"evil")
    lab.far.write(f"{RUN}/longer", b"goods")
    sent = await lab.send()
    assert lab.far.read(f"{RUN}/same-size") == lab.far.read(f"{RUN}/longer") == b"good"
    assert all(record.proven for record in sent.values())


async def test_a_changed_source_is_named_and_what_was_proven_before_is_not_lost(lab: Lab) -> None:
    for rel in ("a", "b", "c"):
        lab.put(rel, rel.encode())
    records = lab.records()
    lab.put("b", b"other")
    yielded, error = await lab.send_until_trouble(records)
    assert "Run_1/b changed" in str(error)
    assert error.error_kind is TransportErrorKind.CHANGED
    assert [record.rel for record in yielded if record.proven] == ["a"]


async def test_a_touched_source_counts_as_changed(lab: Lab) -> None:
    lab.put("a", b"a")
    records = lab.records()
    os.utime(lab.source / "a", ns=(1, records[0].mtime_ns + 1))
    with pytest.raises(TransportError) as raised:
        await lab.send(records)
    assert kind_of(raised) is TransportErrorKind.CHANGED


async def test_a_replaced_source_counts_as_changed_even_with_size_and_time_kept(lab: Lab) -> None:
    lab.put("a", b"a")
    records = lab.records()
    lab.put("other", b"b")
    os.utime(lab.source / "other", ns=(records[0].mtime_ns, records[0].mtime_ns))
    (lab.source / "other").rename(lab.source / "a")
    with pytest.raises(TransportError) as raised:
        await lab.send(records)
    assert kind_of(raised) is TransportErrorKind.CHANGED


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_a_vanished_source_is_named(lab: Lab, what: str) -> None:
    lab.put("d/gone.raw", b"a")
    records = lab.records()
    (lab.source / "d/gone.raw").unlink()
    if what == "folder":
        (lab.source / "d").rmdir()
    with pytest.raises(TransportError, match=r"gone\.raw is gone") as raised:
        await lab.send(records)
    assert kind_of(raised) is TransportErrorKind.LOCAL_FILE_VANISHED


async def test_a_cancelled_push_is_resumed(lab: Lab) -> None:
    for number in range(400):
        lab.put(f"f{number:03}", bytes(1_000))
    pages = lab.transport.push(lab.plan(lab.records()))
    first = await anext(pages)
    await pages.aclose()
    sent = await lab.send()
    assert len(sent) == 400
    assert all(record.proven for record in sent.values())
    assert lab.pulse.skipped_bytes >= 1_000 * len(first)


async def test_digests_see_what_is_there_now(lab: Lab) -> None:
    lab.put("good", b"good")
    lab.put("bad", b"bad!")
    lab.put("gone", b"gone")
    sent = await lab.send()
    lab.far.write(f"{RUN}/bad", b"BAD!")
    absent = FileRecord("no/such/folder", 1, 0)
    pulse = Pulse()
    asked = [sent["bad"], sent["good"], absent]
    found = {it.rel: it async for page in lab.transport.digests(RUN, asked, pulse) for it in page}
    assert found["good"].proven
    assert found["good"].rung is not None
    assert found["bad"].far_sha256 == sha(b"BAD!")
    assert found["bad"].sha256 == sha(b"bad!")
    assert found["no/such/folder"].far_sha256 is None
    assert found["no/such/folder"].rung is None
    assert pulse.checked_bytes >= 8


async def test_an_incoming_folder_of_another_owner_is_left_alone(lab: Lab) -> None:
    lab.put("a")
    await lab.send()
    with pytest.raises(TransportError) as raised:
        await lab.transport.open_incoming(INCOMING, Owner("store-2", "job-9"))
    assert kind_of(raised) is TransportErrorKind.CONFLICT
    await lab.transport.remove_incoming(INCOMING, Owner("store-2", "job-9"))
    assert lab.far.read(f"{RUN}/a") == b"data"


async def test_our_own_incoming_folder_is_taken_up_again_and_removed(lab: Lab) -> None:
    lab.put("d/a")
    await lab.send()
    await lab.open()
    assert lab.far.read(f"{RUN}/d/a") == b"data"
    await lab.transport.remove_incoming(INCOMING, OWNER)
    assert not lab.far.has(INCOMING)
    await lab.transport.remove_incoming(INCOMING, OWNER)


async def needs_renames(lab: Lab) -> None:
    """Where folders cannot be renamed the engine never asks for it."""
    if not (await lab.transport.probe()).capabilities.renames_folders:
        pytest.skip("this destination takes files one by one")


async def test_publishing_makes_the_whole_run_visible_at_once(lab: Lab) -> None:
    await needs_renames(lab)
    lab.put("d/a")
    await lab.send()
    await lab.transport.make_folders(RUN, ["empty/inner", "d"])
    await lab.transport.publish(RUN, FINAL)
    assert lab.far.read(f"{FINAL}/d/a") == b"data"
    assert not lab.far.has(RUN)
    entry = await lab.transport.find(FINAL)
    assert entry is not None
    assert entry.kind == "folder"
    assert await listed(lab.transport, FINAL) == [
        ("d", "folder"),
        ("d/a", "file"),
        ("empty", "folder"),
        ("empty/inner", "folder"),
    ]


@pytest.mark.parametrize("occupied", ["folder with a file", "empty folder", "file"])
async def test_publishing_never_replaces_anything(lab: Lab, occupied: str) -> None:
    await needs_renames(lab)
    lab.put("a")
    await lab.send()
    if occupied == "file":
        lab.far.write(FINAL, b"theirs")
    else:
        lab.far.make(FINAL)
        if occupied == "folder with a file":
            lab.far.write(f"{FINAL}/theirs", b"theirs")
    with pytest.raises(TransportError, match="already") as raised:
        await lab.transport.publish(RUN, FINAL)
    assert kind_of(raised) is TransportErrorKind.CONFLICT
    assert lab.far.read(f"{RUN}/a") == b"data"
    assert lab.far.has(FINAL)
    assert lab.far.read(f"{FINAL}/a") is None


async def test_publishing_twice_is_a_conflict_for_the_engine_to_examine(lab: Lab) -> None:
    await needs_renames(lab)
    lab.put("a")
    await lab.send()
    await lab.transport.publish(RUN, FINAL)
    with pytest.raises(TransportError) as raised:
        await lab.transport.publish(RUN, FINAL)
    assert kind_of(raised) is TransportErrorKind.CONFLICT


async def test_an_addition_moves_into_the_published_run(lab: Lab) -> None:
    lab.far.write(f"{FINAL}/old", b"old")
    lab.put("new/deep/a", b"added")
    await lab.send()
    await lab.transport.publish_file(RUN, FINAL, "new/deep/a")
    assert lab.far.read(f"{FINAL}/new/deep/a") == b"added"
    assert lab.far.read(f"{FINAL}/old") == b"old"
    assert not lab.far.has(f"{RUN}/new/deep/a")


async def test_an_addition_never_replaces_anything(lab: Lab) -> None:
    lab.far.write(f"{FINAL}/a", b"theirs")
    lab.put("a", b"ours")
    await lab.send()
    with pytest.raises(TransportError) as raised:
        await lab.transport.publish_file(RUN, FINAL, "a")
    assert kind_of(raised) is TransportErrorKind.CONFLICT
    assert lab.far.read(f"{FINAL}/a") == b"theirs"
    assert lab.far.read(f"{RUN}/a") == b"ours"


async def test_small_files_are_written_replaced_and_read_back(lab: Lab) -> None:
    assert await lab.transport.read_text(RUN, ".exlab-wizard/receipt.json") is None
    await lab.transport.write_text(RUN, ".exlab-wizard/receipt.json", b"one")
    await lab.transport.write_text(RUN, ".exlab-wizard/receipt.json", b"two")
    assert await lab.transport.read_text(RUN, ".exlab-wizard/receipt.json") == b"two"
    assert await lab.transport.read_text(RUN, ".exlab-wizard/receipt.json", limit=3) == b"two"
    with pytest.raises(TransportError, match="larger"):
        await lab.transport.read_text(RUN, ".exlab-wizard/receipt.json", limit=2)


async def test_a_listing_is_in_the_order_of_path_bytes(lab: Lab) -> None:
    for name in ("a-b", "a/x", "a.b", "a/y/z", "\u00fc", "Z"):
        lab.put(name)
    await lab.send()
    paths = [rel for rel, _ in await listed(lab.transport, RUN)]
    assert paths == sorted(paths, key=os.fsencode)
    assert set(paths) == {"a-b", "a", "a/x", "a.b", "a/y", "a/y/z", "\u00fc", "Z"}


async def test_a_listing_can_be_left_in_the_middle(lab: Lab) -> None:
    for number in range(1_200):
        lab.far.write(f"{RUN}/f{number:04}", b"")
    pages = lab.transport.list(RUN)
    assert len(await anext(pages)) <= 1_000
    await pages.aclose()  # type: ignore[attr-defined]  # all of them are generators


async def test_nothing_is_found_where_nothing_is(lab: Lab) -> None:
    assert await lab.transport.find(FINAL) is None
    assert await lab.transport.find("no/such/place") is None


async def test_discarded_files_are_gone_and_absent_ones_are_fine(lab: Lab) -> None:
    lab.put("d/a")
    lab.put("d/b")
    await lab.send()
    await lab.transport.discard(RUN, ["d/a", "never/there"])
    assert not lab.far.has(f"{RUN}/d/a")
    assert lab.far.read(f"{RUN}/d/b") == b"data"


async def test_the_first_identity_stays(lab: Lab) -> None:
    first = (await lab.transport.probe()).identity
    assert first is not None
    assert await lab.transport.adopt(Identity("other", "2025-01-01T00:00:00Z")) == first
    state = await lab.transport.probe()
    assert state.identity == first
    assert state.capabilities.rung is not None
    assert state.capabilities.rung.satisfies(EvidenceLevel.RSYNC_CHECKSUM)


async def test_closing_twice_is_fine(lab: Lab) -> None:
    lab.put("a")
    await lab.send()
    await lab.transport.close()
    await lab.transport.close()
    assert lab.far.has(PARENT)
