"""What can somebody without this program read about how a run got here?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.provenance.overrides import OverrideInForce

if TYPE_CHECKING:
    from collections.abc import Mapping

RECEIPT_NAME = "receipt.json"
FORMAT = 1
"""The format that this program writes; it reads later ones too, as far as it knows their fields."""


@dataclass(frozen=True, slots=True)
class PassRecord:
    """One pass of verification: when (UTC text) and on which rung of evidence."""

    at: str
    level: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """``receipt.json`` (``FORMATS.md`` §3). Times are UTC text, ``size`` is in bytes, ``manifest_sha256`` in hex.

    ``links`` maps each link to its target. ``specials`` are FIFOs, sockets and devices. Both, and the litter, were not
    sent. ``publish`` is ``renamed`` or ``direct``.
    """

    job_id: str
    store_id: str = ""
    run_path: str = ""
    destination_id: str = ""
    destination_path: str = ""
    host: str = ""
    user: str = ""
    tool_version: str = ""
    started_at: str = ""
    verified_at: str = ""
    files: int = 0
    size: int = 0
    passes: tuple[PassRecord, ...] = ()
    overrides: tuple[OverrideInForce, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    empty_folders: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()
    litter: tuple[str, ...] = ()
    manifest_sha256: str = ""
    publish: str = ""
    revision: int = 1


def render_receipt(receipt: Receipt) -> bytes:
    """The file: one indented JSON object in UTF-8; a byte of a name that is not UTF-8 as an escaped lone surrogate."""
    document = {"format": FORMAT} | {member.name: _plain(getattr(receipt, member.name)) for member in fields(receipt)}
    document["passes"] = [asdict(each) for each in receipt.passes]
    document["overrides"] = [asdict(each) for each in receipt.overrides]
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(document, indent=2)}\n".encode()


def parse_receipt(data: bytes) -> Receipt | None:
    """Read a receipt; ``None`` if it is not one. Unknown members are passed over, absent or odd ones read as empty."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("job_id"), str):
        return None
    reader = _Reader(document)
    passes = map(_Reader, reader.objects("passes"))
    overrides = map(_Reader, reader.objects("overrides"))
    return Receipt(
        **{name: reader.text(name) for name in _TEXTS},
        files=reader.number("files"),
        size=reader.number("size"),
        passes=tuple(PassRecord(each.text("at"), each.text("level")) for each in passes),
        overrides=tuple(
            OverrideInForce(**{member.name: each.text(member.name) for member in fields(OverrideInForce)})
            for each in overrides
        ),
        links={name: target for name, target in reader.mapping("links").items() if isinstance(target, str)},
        empty_folders=reader.names("empty_folders"),
        specials=reader.names("specials"),
        litter=reader.names("litter"),
        revision=reader.number("revision", 1),
    )


_TEXTS = (
    "job_id",
    "store_id",
    "run_path",
    "destination_id",
    "destination_path",
    "host",
    "user",
    "tool_version",
    "started_at",
    "verified_at",
    "manifest_sha256",
    "publish",
)


class _Reader:
    """Members of a JSON object by type; what has another type reads as empty."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def text(self, name: str) -> str:
        value = self._document.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str, default: int = 0) -> int:
        value = self._document.get(name)
        return value if isinstance(value, int) else default

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(value for value in self._list(name) if isinstance(value, str))

    def objects(self, name: str) -> list[dict[str, Any]]:
        return [value for value in self._list(name) if isinstance(value, dict)]

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._document.get(name)
        return value if isinstance(value, dict) else {}

    def _list(self, name: str) -> list[Any]:
        value = self._document.get(name)
        return value if isinstance(value, list) else []


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, dict) else value
