"""How is a bag made that nobody ever sees half of? Beside its place, compared with the manifest, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ExlabSyncError, RefusedError
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.operate.bag.names import PayloadNames, manifest_path
from exlab_sync_tui.platform import fsync_folder, rename_new
from exlab_sync_tui.text import count, safe_text, size, utc
from exlab_sync_tui.tree.folder import Folder
from exlab_sync_tui.tree.paths import checked_rel
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

_BUFFER = 1 << 20
_BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_NAMES = "exlab-original-names.json"
_LOCKS = (".lock", ".tmp")


@dataclass(frozen=True, slots=True)
class BagSource:
    """Where a run is read from, and what is known of it.

    ``digests`` maps each path of the run to the SHA-256 (hex) that was proved; ``papers`` are files of its cache folder
    that do not lie in it. ``info`` becomes ``bag-info.txt``.
    """

    folder: Path
    digests: Mapping[str, str]
    papers: Mapping[str, bytes] = field(default_factory=dict)
    info: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bag:
    """What was made. ``renamed`` counts the files that lie under another name in it. Size in bytes."""

    place: Path
    files: int
    size: int
    renamed: int

    @property
    def sentence(self) -> str:
        """What a person reads."""
        names = f" {count(self.renamed, 'name')} had to be changed; {_NAMES} has the originals." if self.renamed else ""
        return f"{safe_text(self.place)} is a bag of {count(self.files, 'file')}, {size(self.size)}.{names}"


def write_bag(source: BagSource, place: Path, *, at: datetime) -> Bag:
    """Make the bag at *place*, whole or not at all; nothing that lies there is replaced. For a thread.

    Raises ``RefusedError`` if something lies at *place*, a file differs from its digest or is gone; ``ExlabSyncError``
    if the disk refuses.
    """
    if os.path.lexists(place):
        raise RefusedError(f"{safe_text(place)} is there already and was left as it is; name a folder that is not.")
    aside = place.with_name(f".{place.name[:200]}.{secrets.token_hex(4)}.bag")
    try:
        aside.mkdir()
        try:
            bag = _Packer(source, aside, place).pack(at)
            rename_new(str(aside), str(place))
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        fsync_folder(place.parent)
    except FileExistsError:
        raise RefusedError(f"{safe_text(place)} has appeared meanwhile and was left as it is.") from None
    except OSError as error:
        where = safe_text(error.filename or place)
        raise ExlabSyncError(
            f"The bag cannot be made: {where}: {error.strerror}. Nothing was left at {safe_text(place)}; mend that or"
            " name another folder."
        ) from error
    return bag


class _Packer:
    """Fills one folder."""

    def __init__(self, source: BagSource, bag: Path, place: Path) -> None:
        self._source = source
        self._bag = bag
        self._place = place
        self._names = PayloadNames()
        self._lines: list[str] = []
        self._changed: dict[str, str] = {}
        self._size = 0

    def pack(self, at: datetime) -> Bag:
        (self._bag / "data").mkdir()
        with Folder.root(self._source.folder) as root:
            for rel, digest in sorted(self._source.digests.items()):
                self._take(root, rel, digest)
            self._take_papers(root)
        files = len(self._lines)
        tags = {
            "bagit.txt": _BAGIT,
            "bag-info.txt": self._info(at),
            "manifest-sha256.txt": "".join(sorted(self._lines, key=lambda line: line[66:])).encode(),
        }
        if self._changed:
            tags[_NAMES] = json.dumps(self._changed, indent=1).encode() + b"\n"
        for name, data in tags.items():
            self._write(name, data)
        listed = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(tags.items()))
        self._write("tagmanifest-sha256.txt", listed.encode())
        return Bag(self._place, files, self._size, len(self._changed))

    def _take(self, root: Folder, rel: str, expected: str) -> None:
        """Copy one data file; it must still be what was proved."""
        try:
            digest = self._copy(root, checked_rel(rel))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RefusedError(
                f"{safe_text(rel)} is not in {safe_text(self._source.folder)} any more, so no bag was made."
            ) from error
        if digest != expected:
            raise RefusedError(
                f"{safe_text(rel)} in {safe_text(self._source.folder)} is not what was verified, so no bag was made;"
                " `exlab-sync verify RUN` compares both sides."
            )

    def _take_papers(self, root: Folder) -> None:
        """The papers that lie elsewhere, and the other files of the cache folder as they are."""
        papers = self._source.papers
        for name, data in sorted(papers.items()):
            place = self._enter(f"{CACHE_FOLDER}/{name}", hashlib.sha256(data).hexdigest(), len(data))
            self._write(place, data)
        try:
            with root.sub(CACHE_FOLDER) as cache:
                found = [entry.rel for entry in walk(cache, keep_cache=True) if entry.kind is EntryKind.FILE]
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in found:
            if name not in papers and not name.endswith(_LOCKS):
                self._copy(root, f"{CACHE_FOLDER}/{name}")

    def _copy(self, root: Folder, rel: str) -> str:
        """Copy a file and list it with the digest of the very bytes that were written; that digest."""
        name = self._names.name(rel)
        folder, _, last = rel.rpartition("/")
        target_place = self._bag / "data" / name
        target_place.parent.mkdir(parents=True, exist_ok=True)
        digest, number = hashlib.sha256(), 0
        with root.below(folder) as parent, parent.open_regular(last) as source, target_place.open("xb") as target:
            while data := source.read(_BUFFER):
                digest.update(data)
                target.write(data)
                number += len(data)
            target.flush()
            os.fsync(target.fileno())
        self._list(rel, name, digest.hexdigest(), number)
        return digest.hexdigest()

    def _enter(self, rel: str, digest: str, number: int) -> str:
        """List a file that is written from memory; its place in the bag."""
        name = self._names.name(rel)
        self._list(rel, name, digest, number)
        return f"data/{name}"

    def _list(self, rel: str, name: str, digest: str, number: int) -> None:
        self._size += number
        self._lines.append(f"{digest}  {manifest_path(f'data/{name}')}\n")
        if name != rel:
            self._changed[f"data/{name}"] = rel

    def _write(self, name: str, data: bytes) -> None:
        place = self._bag / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _info(self, at: datetime) -> bytes:
        told = {
            "Bagging-Date": utc(at)[:10],
            "Bag-Software-Agent": "exlab-sync",
            "Payload-Oxum": f"{self._size}.{len(self._lines)}",
            "Bag-Size": size(self._size),
            **self._source.info,
        }
        return "".join(f"{label}: {safe_text(value)}\n" for label, value in told.items() if value).encode()
