"""What does the engine see of a mounted share: its children, its folders, its silence?"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.transport.base import MARKER_NAME, OWNER_NAME, Pulse
from exlab_sync_tui.transport.copier.large import LARGE
from exlab_sync_tui.transport.limiter import Limiter
from exlab_sync_tui.transport.mount import transport as share
from exlab_sync_tui.transport.mount.anchor import Anchor
from exlab_sync_tui.transport.mount.transport import MountTransport
from tests.contract.transport_lab import FINAL, INCOMING, OWNER, PARENT, RUN, FarOnDisk, Lab, identity, mounted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MIB = 1 << 20


class Rate:
    """A rate that a test changes; 0 lets nothing through."""

    def __init__(self) -> None:
        self.kibps: int | None = None
        self.asked = 0
        self.first_asked = asyncio.Event()

    def __call__(self) -> int | None:
        self.asked += 1
        self.first_asked.set()
        return self.kibps


@pytest.fixture
def rate() -> Rate:
    return Rate()


@pytest.fixture
async def lab(tmp_path: Path, rate: Rate) -> AsyncIterator[Lab]:
    source, nas = tmp_path / "Run_1", tmp_path / "nas"
    source.mkdir()
    nas.mkdir()
    made = Lab(source, mounted(nas, limiter=Limiter(rate, SystemClock())), FarOnDisk(nas))
    await made.transport.adopt(identity())
    await made.open()
    yield made
    await made.transport.close()


def transport_of(lab: Lab) -> MountTransport:
    assert isinstance(lab.transport, MountTransport)
    return lab.transport


def children_of(lab: Lab) -> list[int]:
    return [
        child._process.pid
        for crew in transport_of(lab)._crews
        for child in crew._children
        if child._process.returncode is None
    ]


async def test_a_missing_root_is_away_and_an_empty_one_has_no_identity(tmp_path: Path) -> None:
    for missing in (tmp_path / "nas", tmp_path / "file" / "below", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(TransportError, match="does not answer") as raised:
            await mounted(missing).probe()
        assert raised.value.error_kind is TransportErrorKind.NETWORK
    (tmp_path / "nas").mkdir()
    state = await mounted(tmp_path / "nas").probe()
    assert state.identity is None
    assert state.capabilities.rung is None
    assert state.free_bytes is not None
    assert state.total_bytes is not None


async def test_a_destination_that_hangs_is_away_and_asked_by_one_thread_only(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    waiting: list[str] = []

    class Hung(Anchor):
        def __init__(self, path: Path, title: str) -> None:
            waiting.append(title)
            answered.wait()
            super().__init__(path, title)

    monkeypatch.setattr(share, "Anchor", Hung)
    slow = mounted(transport_of(lab)._options.path, probe_seconds=0.01)
    for _ in range(3):
        with pytest.raises(TransportError, match=r"no answer within 0\.01 s") as raised:
            await slow.probe()
        assert raised.value.error_kind is TransportErrorKind.NETWORK
    assert len(waiting) == 1
    answered.set()
    pending = slow._probing
    assert pending is not None
    assert (await pending).identity == identity()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"id": 7}', b"\xff", b'{"id": ""}'])
async def test_an_unreadable_marker_is_a_wrong_destination(lab: Lab, content: bytes) -> None:
    lab.far.write(MARKER_NAME, content)
    for attempt in (lab.transport.probe(), lab.open(), lab.transport.adopt(identity())):
        with pytest.raises(TransportError, match="marker") as raised:
            await attempt
        assert raised.value.error_kind is TransportErrorKind.WRONG_DESTINATION


async def test_an_expected_identity_outweighs_what_a_probe_has_seen(lab: Lab) -> None:
    transport_of(lab).expect("another id")
    await lab.transport.probe()
    with pytest.raises(TransportError, match="another destination"):
        await lab.open()
    transport_of(lab).expect(identity().id)
    await lab.open()


async def test_a_child_that_is_killed_is_named_and_the_next_attempt_goes_on(lab: Lab, rate: Rate) -> None:
    lab.put("large", os.urandom(LARGE + 1))
    pages = lab.transport.push(lab.plan(lab.records()))
    rate.kibps = 0
    first = asyncio.ensure_future(anext(pages))
    await rate.first_asked.wait()
    for pid in children_of(lab):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(TransportError, match="ended unexpectedly by signal 9") as raised:
        await first
    assert raised.value.error_kind is TransportErrorKind.UNKNOWN
    assert children_of(lab) == []
    rate.kibps = None
    assert (await lab.send())["large"].proven


async def test_cancelling_a_push_ends_its_children(lab: Lab, rate: Rate) -> None:
    lab.put("large", os.urandom(LARGE + 1))
    rate.kibps = 0
    task = asyncio.create_task(lab.send())
    await rate.first_asked.wait()
    assert len(children_of(lab)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children_of(lab) == []


async def test_children_rest_between_pages_and_closing_ends_them(lab: Lab) -> None:
    lab.put("a")
    sent = await lab.send()
    resting = children_of(lab)
    assert len(resting) == 1
    async for _ in lab.transport.digests(RUN, list(sent.values()), Pulse()):
        pass
    assert children_of(lab) == resting
    await lab.transport.close()
    assert children_of(lab) == []
    assert (await lab.send())["a"].proven


async def test_a_child_that_died_while_it_rested_is_replaced(lab: Lab) -> None:
    lab.put("a")
    await lab.send()
    (crew,) = transport_of(lab)._crews
    (child,) = crew._children
    child._process.kill()
    await asyncio.wait([child._listener])
    assert (await lab.send())["a"].proven
    assert child not in crew._children


async def test_two_errands_at_once_have_children_of_their_own(lab: Lab) -> None:
    lab.put("a")
    sent = await lab.send()

    async def ask() -> list[bool]:
        return [it.proven async for page in lab.transport.digests(RUN, list(sent.values()), Pulse()) for it in page]

    assert tuple(await asyncio.gather(ask(), ask(), ask())) == ([True], [True], [True])


async def test_a_limit_slows_a_transfer_and_its_end_is_noticed(lab: Lab, rate: Rate) -> None:
    lab.put("a", os.urandom(3 * MIB))
    rate.kibps = 1 << 30
    assert (await lab.send())["a"].proven
    assert rate.asked >= 6


async def test_an_error_in_the_callers_pages_is_the_callers(lab: Lab) -> None:
    class BrokenError(Exception):
        pass

    plan = lab.plan([])

    async def pages() -> AsyncIterator[list[object]]:
        yield []
        raise BrokenError

    broken = type(plan)(plan.source, plan.folder, pages())  # type: ignore[arg-type]
    with pytest.raises(BrokenError):
        async for _ in lab.transport.push(broken):
            pass


async def test_nothing_to_send_starts_nobody(lab: Lab) -> None:
    assert await lab.send([]) == {}
    assert children_of(lab) == []


async def test_a_far_folder_that_is_gone_is_said_so(lab: Lab) -> None:
    lab.put("a")
    await lab.transport.remove_incoming(INCOMING, OWNER)
    with pytest.raises(TransportError, match="not there any more"):
        await lab.send()
    with pytest.raises(TransportError, match="not there any more"):
        await anext(aiter(lab.transport.list(RUN)))
    with pytest.raises(TransportError, match="not there any more"):
        await lab.transport.publish(RUN, FINAL)


async def test_a_stranger_in_the_incoming_folder_is_left_alone(lab: Lab) -> None:
    other = INCOMING[:-8] + "ffff0000"
    lab.far.write(f"{other}/something", b"theirs")
    with pytest.raises(TransportError) as raised:
        await lab.transport.open_incoming(other, OWNER)
    assert raised.value.error_kind is TransportErrorKind.CONFLICT
    await lab.transport.remove_incoming(other, OWNER)
    assert lab.far.read(f"{other}/something") == b"theirs"


async def test_an_unreadable_owner_file_is_somebody_elses(lab: Lab) -> None:
    lab.far.write(f"{INCOMING}/{OWNER_NAME}", b"[")
    with pytest.raises(TransportError) as raised:
        await lab.open()
    assert raised.value.error_kind is TransportErrorKind.CONFLICT


async def test_a_crash_between_folder_and_owner_file_is_taken_up(lab: Lab) -> None:
    other = INCOMING[:-8] + "ffff0000"
    lab.far.write(f"{other}/.{OWNER_NAME}.exlab-part", b"{")
    capabilities = await lab.transport.open_incoming(other, OWNER)
    assert lab.far.has(f"{other}/run")
    assert capabilities.rung is EvidenceLevel.READ_BACK
    assert capabilities.case_sensitive
    assert capabilities.keeps_normalisation
    assert capabilities.max_name_bytes == 255


async def test_removal_follows_no_link_and_takes_only_what_is_below(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    root = transport_of(lab)._options.path
    lab.far.write(f"{RUN}/d/e/f", b"")
    (root / RUN / "d" / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(root / RUN / "fifo")
    neighbour = INCOMING[:-8] + "ffff0000"
    lab.far.make(neighbour)
    await lab.transport.remove_incoming(INCOMING, OWNER)
    assert not lab.far.has(INCOMING)
    assert lab.far.has(neighbour)
    assert (tmp_path / "outside" / "kept").exists()
    (root / neighbour).rmdir()
    await lab.open()
    await lab.transport.remove_incoming(INCOMING, OWNER)
    assert not lab.far.has(f"{PARENT}/.exlab-incoming")
    assert lab.far.has(PARENT)


@pytest.mark.parametrize("place", [FINAL, PARENT, ".exlab-incoming", "x/.exlab-incoming/"])
async def test_only_incoming_folders_are_ever_removed_or_emptied(lab: Lab, place: str) -> None:
    with pytest.raises(TransportError):
        await lab.transport.remove_incoming(place, OWNER)
    with pytest.raises(TransportError):
        await lab.transport.discard(FINAL, ["a"])


async def test_an_assembly_beyond_the_longest_path_is_removed(lab: Lab) -> None:
    rel = "/".join(["deep" * 25] * 60)
    await lab.transport.make_folders(RUN, [rel])
    await lab.transport.remove_incoming(INCOMING, OWNER)
    assert not lab.far.has(INCOMING)


async def test_a_link_to_another_place_is_found_as_a_link(lab: Lab, tmp_path: Path) -> None:
    root = transport_of(lab)._options.path
    (root / FINAL).symlink_to(tmp_path)
    os.mkfifo(root / PARENT / "fifo")
    for name, kind in ((FINAL, "link"), (f"{PARENT}/fifo", "special"), (MARKER_NAME, "file")):
        entry = await lab.transport.find(name)
        assert entry is not None
        assert entry.kind == kind
    with pytest.raises(TransportError, match="file or a link where a folder belongs") as raised:
        await lab.transport.write_text(FINAL, "receipt.json", b"{}")
    assert raised.value.error_kind is TransportErrorKind.CONFLICT


async def test_the_title_shows_hostile_paths_safely(tmp_path: Path) -> None:
    hostile = tmp_path / "na\x1b[31ms"
    assert "\x1b" not in mounted(hostile).title
    with pytest.raises(TransportError) as raised:
        await mounted(hostile).probe()
    assert "\x1b" not in str(raised.value)
