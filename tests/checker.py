"""Are both sides as they must be? An independent judge that shares no code with the product: the standard library only.

Invariants S1 to S10 are those of ``SAFETY.md``. The judge looks from outside and does not know how things came to be.
``check_sides`` judges the destination, ``check_kept`` what is left of the local runs, ``check_untouched`` what nobody
may touch, ``check_secrets`` what nobody may write down; ``tests/checker_store.py`` judges the store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

CACHE = ".exlab-wizard"
MARKER = ".exlab-destination.json"
INCOMING = ".exlab-incoming"
_PAPERS = ("checksums.sha256", "receipt.json")
_LINE = re.compile(r"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
_REVISION = re.compile(r"(?:__conflict-[^/]{8})?(?:__r(\d+))?")
_LITTER = re.compile(r"(?:thumbs\.db|desktop\.ini|\.ds_store|\._.*)", re.IGNORECASE | re.DOTALL)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant: its name, the path where it was seen, and what is wrong there."""

    invariant: str
    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.place!r}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing in a tree: ``kind`` is file, folder, link or special; ``sha256`` in hex, of files only."""

    kind: str
    size: int = 0
    mtime_ns: int = 0
    sha256: str = ""
    target: str = ""


Tree = dict[str, Seen]
"""POSIX path below the folder, undecodable bytes surrogate-escaped, to what lies there."""


def snapshot_tree(path: Path) -> Tree:
    """Everything below *path* with its content's digest, links not followed; empty if there is no such folder."""
    tree: Tree = {}
    if not path.is_dir():
        return tree
    for place, folders, files, descriptor in os.fwalk(path, onerror=_raise):
        below = os.path.relpath(place, path)
        for name in (*folders, *files):
            rel = name if below == "." else f"{below}/{name}"
            tree[rel] = _look(name, descriptor)
    return tree


def _raise(error: OSError) -> None:
    raise error


def _look(name: str, folder: int) -> Seen:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return Seen("folder")
    if stat.S_ISLNK(found.st_mode):
        return Seen("link", target=os.readlink(name, dir_fd=folder))
    if not stat.S_ISREG(found.st_mode):
        return Seen("special")
    digest = hashlib.sha256()
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return Seen("file", found.st_size, found.st_mtime_ns, digest.hexdigest())


def check_sides(
    local_runs: Mapping[str, Path],
    nas_root: Path,
    *,
    foreign: Tree | None = None,
    published: Tree | None = None,
    ahead: Collection[str] = (),
    expected: Collection[str] = (),
    settled: bool = False,
) -> list[Violation]:
    """Judge the destination.

    *local_runs* maps the final place below the NAS root to the local run. *foreign* is a snapshot of the NAS from
    before the product first saw it: nothing in it may have changed. *published* is a snapshot from a later moment: the
    data of final folders in it may not have changed. *ahead* names places whose local run has changed or grown since it
    was sent: the local side is not compared there, and additions may have arrived before their manifest. *expected*
    names places that must be there. *settled* says that all work has ended: nothing may be left in an incoming folder.
    """
    foreign = foreign or {}
    now = snapshot_tree(nas_root)
    found = list(_changes(foreign, now, "S6", "was not ours and"))
    finals = _finals(local_runs, now, foreign)
    found += _intruders(local_runs, now, foreign, finals, settled=settled)
    if published:
        found += _overwritten(published, now, _finals(local_runs, published, foreign))
    newest = {place: max(mine, key=finals.__getitem__) for place in local_runs if (mine := _of(place, finals))}
    for final in finals:
        place = next(place for place in local_runs if final in _of(place, finals))
        local = local_runs[place] if newest[place] == final and place not in ahead else None
        found += _final(nas_root, final, _below(now, final), local, growing=place in ahead)
    found += [
        Violation("S10", place, "should have got through, and is not there")
        for place in expected
        if place not in newest
    ]
    for run in local_runs.values():
        found += _local_papers(run)
    return found


def _of(place: str, finals: Mapping[str, int]) -> list[str]:
    return [final for final in finals if final.startswith(place) and _REVISION.fullmatch(final[len(place) :])]


def _finals(local_runs: Mapping[str, Path], now: Tree, foreign: Tree) -> dict[str, int]:
    """The final folders of these runs that are on the NAS and not foreign, with their revision."""
    finals: dict[str, int] = {}
    for place in local_runs:
        for rel in now:
            if rel.startswith(place) and rel not in foreign and (match := _REVISION.fullmatch(rel[len(place) :])):
                finals[rel] = int(match[1] or 1)
    return finals


def _below(tree: Tree, folder: str) -> Tree:
    return {rel[len(folder) + 1 :]: seen for rel, seen in tree.items() if rel.startswith(folder + "/")}


def _changes(before: Tree, now: Tree, invariant: str, whose: str) -> Iterator[Violation]:
    for rel, seen in before.items():
        if rel not in now:
            yield Violation(invariant, rel, f"{whose} is gone")
        elif now[rel] != seen:
            yield Violation(invariant, rel, f"{whose} has changed")


def _intruders(
    local_runs: Mapping[str, Path], now: Tree, foreign: Tree, finals: Mapping[str, int], *, settled: bool
) -> Iterator[Violation]:
    """Whatever is on the NAS and is not foreign, not in or above a final folder, and not in an incoming folder."""
    parents = {"/".join(place.split("/")[:depth]) for place in local_runs for depth in range(1, place.count("/") + 1)}
    incoming = {f"{parent}/{INCOMING}" for parent in {*(place.rpartition("/")[0] for place in local_runs)}}
    incoming = {place.lstrip("/") for place in incoming}
    for rel, seen in now.items():
        if rel in foreign or _inside(rel, finals) or (rel in parents and seen.kind == "folder") or rel == MARKER:
            continue
        if not _inside(rel, incoming):
            occupied = any(_inside(rel, {place}) and place in foreign for place in local_runs)
            yield Violation("S6" if occupied else "S5", rel, "was left where only whole and verified runs may be")
        elif settled:
            yield Violation("S5", rel, "was left in an incoming folder after all work had ended")


def _inside(rel: str, folders: Iterable[str]) -> bool:
    return any(rel == folder or rel.startswith(folder + "/") for folder in folders)


def _overwritten(published: Tree, now: Tree, finals: Mapping[str, int]) -> Iterator[Violation]:
    for final in finals:
        data = {rel: seen for rel, seen in _below(published, final).items() if not _inside(rel, {CACHE})}
        for found in _changes(data, _below(now, final), "S6", "was published and"):
            yield Violation(found.invariant, f"{final}/{found.place}", found.sentence)


def _final(nas_root: Path, final: str, far: Tree, local: Path | None, *, growing: bool) -> list[Violation]:
    """One final folder must be complete, described by its papers, and equal to the local run if that is given."""
    absent = [name for name in _PAPERS if far.get(f"{CACHE}/{name}", Seen("")).kind != "file"]
    if absent:
        return [Violation("S5", final, f"is visible without {name}") for name in absent]
    cache = nas_root / final / CACHE
    listed, found = parse_manifest((cache / "checksums.sha256").read_bytes(), f"{final}/{CACHE}/checksums.sha256")
    data = {rel: seen for rel, seen in far.items() if not _inside(rel, {CACHE})}
    found += _manifest_holds(final, listed, data, growing=growing)
    for rel in far:
        if _inside(rel, {CACHE}) and re.search(r"\.(?:tmp|lock|partial|part)$", rel):
            found.append(Violation("S7", f"{final}/{rel}", "is a leftover among the papers"))
    receipt = json_object(cache / "receipt.json")
    if receipt is None:
        return [*found, Violation("S7", f"{final}/{CACHE}/receipt.json", "cannot be read")]
    if not growing:
        found += _receipt(final, receipt, far[f"{CACHE}/checksums.sha256"].sha256)
    if local is not None and local.is_dir():
        found += _same_data(final, data, snapshot_tree(local), receipt)
        found += _same_creation(final, local / CACHE / "creation.json", cache / "creation.json")
    elif f"{CACHE}/creation.json" in far:
        found += _synced(final, json_object(cache / "creation.json"))
    return found


def _manifest_holds(final: str, listed: Mapping[str, str], data: Tree, *, growing: bool) -> Iterator[Violation]:
    for rel, digest in listed.items():
        if rel not in data or data[rel].kind != "file":
            yield Violation("S5", f"{final}/{rel}", "is in the manifest and not in the folder")
        elif data[rel].sha256 != digest:
            yield Violation("S5", f"{final}/{rel}", "does not have the digest that the manifest gives")
    for rel, seen in data.items():
        if seen.kind in {"link", "special"} or (seen.kind == "file" and rel not in listed and not growing):
            yield Violation("S5", f"{final}/{rel}", f"is a {seen.kind} that the manifest does not know")


def _receipt(final: str, receipt: Mapping[str, Any], manifest_sha256: str) -> Iterator[Violation]:
    if receipt.get("manifest_sha256") != manifest_sha256:
        yield Violation("S5", final, "has a receipt that names another manifest")
    for key in ("job_id", "store_id", "destination_id", "verified_at"):
        if not receipt.get(key):
            yield Violation("S5", final, f"has a receipt without {key}")


def _same_data(final: str, far: Tree, local: Tree, receipt: Mapping[str, Any]) -> Iterator[Violation]:
    """Every local thing is on the far side as it is here, or the receipt says why it is not."""
    for rel, seen in local.items():
        if _inside(rel, {CACHE}):
            continue
        other = far.get(rel)
        if seen.kind == "file" and other is not None:
            if other.sha256 != seen.sha256:
                yield Violation("S2", f"{final}/{rel}", "is not the file that lies in the local run")
        elif seen.kind == "file":
            litter = _LITTER.fullmatch(rel.rpartition("/")[2])
            if not (litter and _names(receipt.get("litter"), rel)):
                yield Violation("S5", f"{final}/{rel}", "was left out and the receipt does not say so")
        elif seen.kind == "link" and not _names(receipt.get("links"), rel):
            yield Violation("S5", f"{final}/{rel}", "is a link that the receipt does not name")
        elif seen.kind == "special" and not _names(receipt, rel):
            yield Violation("S5", f"{final}/{rel}", "is a special file that the receipt does not name")
        elif seen.kind == "folder" and other is None and not _below(local, rel) and not _names(receipt, rel):
            yield Violation("S5", f"{final}/{rel}", "is an empty folder that was left out without a word")


def _names(value: object, wanted: str) -> bool:
    """Whether the text *wanted* occurs anywhere in a JSON value, keys included."""
    if isinstance(value, dict):
        return any(_names(key, wanted) or _names(item, wanted) for key, item in value.items())
    if isinstance(value, list):
        return any(_names(item, wanted) for item in value)
    return value == wanted


def _same_creation(final: str, local: Path, far: Path) -> Iterator[Violation]:
    """The far ``creation.json`` says synced, and means otherwise what the local one means."""
    if not local.exists() and not far.exists():
        return
    here, there = json_object(local), json_object(far)
    if here is None or there is None:
        yield Violation("S7", f"{final}/{CACHE}/creation.json", "is missing or torn on one side")
        return
    yield from _synced(final, there)
    ours = ("sync_status", "schema_version", "validation_overrides")
    for key in sorted({*here, *there} - set(ours)):
        if (key in here) != (key in there) or here.get(key) != there.get(key):
            yield Violation("S7", f"{final}/{CACHE}/creation.json", f"has another {key} than the local one")
    mine, theirs = (document.get("validation_overrides") or [] for document in (here, there))
    if [_without_id(entry) for entry in mine[: len(theirs)]] != [_without_id(entry) for entry in theirs]:
        yield Violation("S7", f"{final}/{CACHE}/creation.json", "has overrides that the local one does not have")


def _without_id(entry: object) -> object:
    return {key: value for key, value in entry.items() if key != "id"} if isinstance(entry, dict) else entry


def _synced(final: str, document: Mapping[str, Any] | None) -> Iterator[Violation]:
    if document is None or document.get("sync_status") != "synced":
        yield Violation("S7", f"{final}/{CACHE}/creation.json", "does not say synced")


def _local_papers(run: Path) -> Iterator[Violation]:
    for name in ("creation.json", "receipt.json", "ingest.json"):
        path = run / CACHE / name
        if path.exists() and json_object(path) is None:
            yield Violation("S7", str(path), "is torn")
    manifest = run / CACHE / "checksums.sha256"
    if manifest.exists():
        yield from (Violation("S7", found.place, found.sentence) for found in _manifest_faults(manifest))


def _manifest_faults(path: Path) -> list[Violation]:
    return parse_manifest(path.read_bytes(), str(path))[1]


def parse_manifest(data: bytes, place: str) -> tuple[dict[str, str], list[Violation]]:
    """Path to hex digest of a manifest as it must be written (``FORMATS.md`` §3), and what is wrong with it."""
    listed: dict[str, str] = {}
    found: list[Violation] = []
    lines = os.fsdecode(data).split("\n")
    if lines.pop():
        found.append(Violation("S7", place, "ends in the middle of a line"))
    for line in lines:
        match = _LINE.fullmatch(line)
        name = _name(match) if match else None
        if match is None or name is None or name in listed or name.startswith("/") or ".." in name.split("/"):
            found.append(Violation("S5", place, f"has a line that is not right: {line!r}"))
        else:
            listed[name] = match[2]
    names = list(listed)
    decodable = all(char < "\udc80" or char > "\udcff" for name in names for char in name)
    if decodable and names != sorted(names):
        found.append(Violation("S5", place, "is not sorted by code point"))
    return listed, found


def _name(match: re.Match[str]) -> str | None:
    """The path that a line names; ``None`` if it is not escaped as GNU does it."""
    name = match[3]
    if not match[1]:
        return None if re.search(r"[\\\r]", name) else name
    if re.search(r"\\|\r", re.sub(r"\\[\\nr]", "", name)) or "\\" not in name:
        return None
    return re.sub(r"\\([\\nr])", lambda escape: {"\\": "\\", "n": "\n", "r": "\r"}[escape[1]], name)


def json_object(path: Path) -> dict[str, Any] | None:
    """A JSON object with its numbers as they are written, or ``None`` if there is none."""
    try:
        document = json.loads(path.read_bytes(), parse_float=_Number, parse_int=_Number, object_pairs_hook=_object)
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


class _Number(str):
    """A number's own text, never equal to a JSON string of the same text."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Number) and str.__eq__(self, other)

    __hash__ = str.__hash__


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def check_untouched(before: Tree, path: Path, invariant: str = "S9") -> list[Violation]:
    """A folder that nobody may touch must be exactly as it was."""
    now = snapshot_tree(path)
    new = [Violation(invariant, rel, "has appeared") for rel in now if rel not in before]
    return [*_changes(before, now, invariant, "should have been left alone and"), *new]


def check_kept(
    before: Mapping[str, Tree], local_runs: Mapping[str, Path], nas_root: Path, *, released: Collection[str] = ()
) -> list[Violation]:
    """Local data is unchanged, and gone only where the run was *released* and the NAS has those very bytes.

    *before* has a snapshot of each local run, by its final place; *released* names places whose cleanup has begun.
    """
    found = []
    for place, tree in before.items():
        now = snapshot_tree(local_runs[place])
        data = {rel: seen for rel, seen in tree.items() if seen.kind == "file" and not _inside(rel, {CACHE})}
        lost = [violation.place for violation in _changes(data, now, "S1", "") if violation.place not in now]
        found += [v for v in _changes(data, now, "S1", "is a local file of the run and") if v.place in now]
        far = snapshot_tree(nas_root / place) if lost else {}
        for rel in lost:
            if place not in released:
                found.append(Violation("S1", f"{place}/{rel}", "was deleted though its run was not eligible"))
            elif far.get(rel, Seen("")).sha256 != data[rel].sha256 and not _LITTER.fullmatch(rel.rpartition("/")[2]):
                found.append(Violation("S1", f"{place}/{rel}", "was deleted and the NAS does not have it"))
    return found


def check_secrets(places: Iterable[Path], secrets: Collection[str]) -> list[Violation]:
    """None of these files, or files below these folders, has any of the secrets in it."""
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return [
        Violation("S8", str(file), "has a secret in it")
        for file in files
        if file.is_file() and any(secret.encode() in file.read_bytes() for secret in secrets)
    ]
