"""Is a support archive free of secrets, and of names where that was asked for?"""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import re
import socket
import tarfile
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.operate.doctor.redaction import Redactor, vocabulary
from exlab_sync_tui.operate.state_folder import log_path
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import HistoryEntry
from tests.unit.cli_helpers import NOW, Shelf, fill, lay, make_shelf, queue

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = ("hunter2", "tok-51d2", "s3cr3t-key")
NAMES = (
    *("zebrafish", "Okonkwo", "quetzal", "nas07", "axolotl", "READER_01", "Plate Reader", "Lab-Ünïcorn", "ada.smith"),
    *("/red]$(reboot)", "10.11.12.13"),
)
HOSTILE = "[/red]$(reboot) zebrafish Okonkwo"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A set-up full of names, with secrets in its log and in a block that is not ours."""
    shelf = make_shelf(tmp_path)
    fill(shelf)
    text = shelf.config.read_text().replace("//nas01/lab", "//nas07/Lab-Ünïcorn")
    shelf.config.write_text(f"{text}operators: {{allowlist: [ada.smith]}}\nlims: {{token_file: tok-51d2}}\n")
    log = log_path(shelf.state)
    log.parent.mkdir()
    log.write_text(
        "2025-03-09T08:00:00Z INFO engine.lane: axolotl.tif of quetzal was sent to 10.11.12.13\n"
        "2025-03-09T08:00:01Z WARNING transport: rclone said: password=hunter2 at https://ada:hunter2@nas07/x\n"
        "2025-03-09T08:00:02Z ERROR transport: secret_access_key = s3cr3t-key for zebrafish/data moved\n"
    )

    async def more() -> None:
        store = SQLiteStore(shelf.state / "queue.db")
        await store.open()
        await queue(store, shelf, HOSTILE)
        await lay(store, shelf, HOSTILE, HoldKind.WAITING, "quetzal.raw could not be sent: token: hunter2")
        await store.record(
            HistoryEntry(NOW, shelf.run_path(HOSTILE), "", "ada.smith", "override: Okonkwo asked for it")
        )
        await store.close()

    asyncio.run(more())
    return shelf


def packed(shelf: Shelf, *flags: str) -> str:
    """Everything in the archive, names of its members included."""
    place = shelf.root / "support.tar.gz"
    done = shelf.ask("doctor", "--bundle", str(place), *flags)
    assert done.exit_code == 0, done.output
    assert place.stat().st_mode & 0o777 == 0o600
    with tarfile.open(place) as archive:
        parts = []
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            data = json.loads(file.read())
            parts.append(f"{member.name}\n{json.dumps(data, ensure_ascii=False)}")
    return "\n".join(parts)


@pytest.mark.parametrize("flags", [(), ("--redact",)])
def test_no_secret_is_in_the_archive(shelf: Shelf, flags: tuple[str, ...]) -> None:
    told = packed(shelf, *flags)
    assert [secret for secret in SECRETS if secret in told] == []


def test_without_redaction_the_names_help(shelf: Shelf) -> None:
    told = packed(shelf)
    for name in ("zebrafish", "axolotl.tif", "READER_01", "nas07", "ada.smith"):
        assert name in told


def test_no_name_is_in_a_redacted_archive(shelf: Shelf) -> None:
    told = packed(shelf, "--redact").casefold()
    known = {*NAMES, socket.gethostname(), str(shelf.root), shelf.root.name}
    assert [name for name in known if name.casefold() in told] == []
    assert not re.search(rf"\b{getpass.getuser()}\b", told)


def test_a_redacted_archive_still_tells_what_happened(shelf: Shelf) -> None:
    told = packed(shelf, "--redact")
    for kept in (
        "2025-03-09T08:00:00Z INFO engine.lane",
        "was sent to",
        "verified",
        "sync.rescan_seconds",
        "could not",
    ):
        assert kept in told


def test_an_archive_never_replaces_a_file(shelf: Shelf) -> None:
    packed(shelf)
    done = shelf.ask("doctor", "--bundle", str(shelf.root / "support.tar.gz"))
    assert done.exit_code == 1
    assert "is there already and was left as it is" in done.output


def test_a_set_up_without_a_store_can_be_packed(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path)
    assert "Nothing has been queued yet" in packed(shelf)


def test_a_name_is_the_same_everywhere_in_one_archive_and_another_in_the_next() -> None:
    one, other = Redactor([], salt=b"1"), Redactor([], salt=b"2")
    sent = "Okonkwo.tif was sent; Okonkwo.tif is verified."
    first, second = one.text(sent).split(" was sent; ")
    assert second == f"{first} is verified."
    assert one.text(sent) != other.text(sent)


def test_a_word_of_ours_goes_where_it_is_part_of_a_known_name() -> None:
    assert "transfer" in vocabulary() or "verified" in vocabulary()
    assert Redactor([], salt=b"1").text("It was verified.") == "It was verified."
    assert "verified" not in Redactor(["verified samples"], salt=b"1").text("It was verified.")


def test_the_archive_is_an_ordinary_one(shelf: Shelf) -> None:
    packed(shelf)
    with tarfile.open(fileobj=io.BytesIO((shelf.root / "support.tar.gz").read_bytes())) as archive:
        names = sorted(archive.getnames())
    assert names == [
        f"exlab-sync-support/{name}.json"
        for name in ("configuration", "counts", "doctor", "history", "holds", "log", "runs", "versions")
    ]


def test_doctor_as_a_verb_ends_with_a_code_and_prints_the_commands(shelf: Shelf) -> None:
    done = shelf.ask("doctor")
    assert done.exit_code == 1
    called = f"exlab-sync --config {shelf.config} --state {shelf.state}"
    assert f"    {called} destination adopt READER_01\n" in done.output
    listed = json.loads(shelf.ask("doctor", "--json").stdout)
    assert {"check", "mood", "subject", "sentence", "command"} == set(listed[0])
    shelf.config.write_text("equipment: 3\n")
    assert shelf.ask("doctor").exit_code == 7
    assert shelf.ask("doctor", "--redact").exit_code == 2
